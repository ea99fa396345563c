"""Sound and film through a prompt: made, saved, loaded again, taken apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import av

from tests.engine.rig import Rig


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


FILM = {
    "1": node("EmptyImage", width=64, height=48, batch_size=5, color=0x4080C0),
    "2": node("EmptyAudio", duration=1.0, sample_rate=44100, channels=2),
    "3": node("CreateVideo", images=["1", 0], fps=10.0, audio=["2", 0]),
    "4": node("SaveVideo", video=["3", 0], filename_prefix="video/%width%x%height%", format="auto", codec="auto"),
    "5": node("SaveWEBM", images=["1", 0], filename_prefix="w", codec="vp9", fps=10.0, crf=30.0),
}


def test_a_film_is_saved_loaded_and_taken_apart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    status, message, outputs = rig.run(FILM, extra_data={"extra_pnginfo": {"workflow": {"nodes": []}}})
    assert status == "success", message
    assert outputs["4"]["images"] == [{"filename": "64x48_00001_.mp4", "subfolder": "video", "type": "output"}]
    assert list(outputs["4"]["animated"]) == [True]
    assert outputs["5"]["images"][0]["filename"] == "w_00001_.webm"
    saved = rig.folders.output / "video" / "64x48_00001_.mp4"
    with av.open(str(saved)) as container:
        assert '"SaveVideo"' in container.metadata["prompt"]
        assert container.metadata["workflow"] == '{"nodes": []}'
    shutil.copy(saved, rig.folders.input / "film.mp4")
    back = {
        "1": node("LoadVideo", file="film.mp4"),
        "2": node("GetVideoComponents", video=["1", 0]),
        "3": node("SaveImage", images=["2", 0], filename_prefix="frame"),
        "4": node("SaveAudioMP3", audio=["2", 1], filename_prefix="audio/a", quality="128k"),
        "5": node("PreviewAny", source=["2", 2]),
    }
    status, message, outputs = rig.run(back)
    assert status == "success", message
    assert len(outputs["3"]["images"]) == 5
    assert outputs["4"]["audio"] == [{"filename": "a_00001_.mp3", "subfolder": "audio", "type": "output"}]
    assert list(outputs["5"]["text"]) == ["10.0"]


def test_sounds_are_put_together(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    prompt = {
        "1": node("EmptyAudio", duration=1.0, sample_rate=22050, channels=1),
        "2": node("EmptyAudio", duration=2.0, sample_rate=44100, channels=2),
        "3": node("AudioConcat", audio1=["1", 0], audio2=["2", 0], direction="before"),
        "4": node("TrimAudioDuration", audio=["3", 0], start_index=-2.5, duration=60.0),
        "5": node("SplitAudioChannels", audio=["4", 0]),
        "6": node("AudioMerge", audio1=["5", 0], audio2=["5", 1], merge_method="mean"),
        "7": node("AudioAdjustVolume", audio=["6", 0], volume=-6),
        "8": node("SaveAudio", audio=["7", 0], filename_prefix="x"),
        "9": node("PreviewAudio", audio=["7", 0]),
    }
    status, message, outputs = rig.run(prompt)
    assert status == "success", message
    assert outputs["9"]["audio"][0]["type"] == "temp"
    with av.open(str(rig.folders.output / outputs["8"]["audio"][0]["filename"])) as container:
        assert float(container.duration / av.time_base) == 2.5
        assert container.streams.audio[0].codec_context.channels == 1


def test_a_file_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for kind, name in (("LoadVideo", "file"), ("LoadAudio", "audio")):
        for bad in ("gone.mp4", "../secret.mp4"):
            prompt = {"1": node(kind, **{name: bad}), "2": node("PreviewAny", source=["1", 0])}
            verdict = rig.validator.validate(prompt, None)
            assert bad in str(verdict.node_errors["1"])
