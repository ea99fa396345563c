"""Films survive being written and read, with their sound, their size and what they say about themselves."""

from __future__ import annotations

import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import pytest
import torch

from engine.media.containers import MediaError
from engine.media.video import VideoComponents, VideoFromComponents, VideoFromFile, encode_mp4, encode_webm
from tests.engine.media.test_audio import loudest, tone


def film(frames: int = 12, height: int = 32, width: int = 48, rate: Fraction = Fraction(24)) -> VideoComponents:
    """Each frame is of one grey, brighter from frame to frame."""
    greys = torch.linspace(0.1, 0.9, frames)
    return VideoComponents(greys[:, None, None, None].expand(frames, height, width, 3).contiguous(), rate)


def test_pictures_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_mp4(film(), {"prompt": {"1": {}}, "workflow": {"nodes": []}}))
    found = VideoFromFile(path)
    assert found.get_dimensions() == (48, 32)
    assert found.get_frame_count() == 12
    assert found.get_frame_rate() == 24
    assert found.get_duration() == pytest.approx(0.5)
    images = found.get_components().images
    assert (images.mean(dim=(1, 2, 3)) - torch.linspace(0.1, 0.9, 12)).abs().max() < 0.03
    with av.open(str(path)) as container:
        assert json.loads(container.metadata["workflow"]) == {"nodes": []}


@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_webm(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.webm"
    path.write_bytes(encode_webm(film(6, 64, 64), codec, 30, {"prompt": {"1": {}}}))
    images = VideoFromFile(path).get_components().images
    assert (images.mean(dim=(1, 2, 3)) - torch.linspace(0.1, 0.9, 6)).abs().max() < 0.03
    with av.open(str(path)) as container:
        assert {key.lower(): value for key, value in container.metadata.items()}["prompt"] == '{"1": {}}'


def test_sound_is_cut_to_the_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_mp4(VideoComponents(film(24).images, Fraction(24), tone(seconds=3.0))))
    found = VideoFromFile(path).get_components()
    assert found.audio is not None
    assert loudest(found.audio) == pytest.approx(440, abs=4)
    assert found.audio["waveform"].shape[-1] / found.audio["sample_rate"] == pytest.approx(1.0, abs=0.1)


def test_odd_sizes_and_rates_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_mp4(film(5, 31, 47, Fraction(30000, 1001))))
    found = VideoFromFile(path)
    assert found.get_dimensions() == (48, 32)
    assert float(found.get_frame_rate()) == pytest.approx(29.97, abs=0.01)


def test_a_film_that_is_an_mp4_already_is_not_encoded_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_mp4(VideoComponents(film().images, Fraction(24), tone())))
    before = VideoFromFile(path).get_components()
    copy = BytesIO()
    VideoFromFile(path).save_to(copy, metadata={"prompt": {"7": {}}})
    again = tmp_path / "b.mp4"
    again.write_bytes(copy.getvalue())
    after = VideoFromFile(again).get_components()
    assert torch.equal(before.images, after.images)
    assert after.audio is not None
    with av.open(str(again)) as container:
        assert container.metadata["prompt"] == '{"7": {}}'


def test_another_kind_of_film_is_saved_as_mp4(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    path.write_bytes(encode_webm(film(), "vp9", 20))
    saved = tmp_path / "b.mp4"
    VideoFromFile(path).save_to(saved)
    assert len(VideoFromFile(saved).get_components().images) == 12


@pytest.mark.parametrize("data", [b"", b"<html>" * 100, b"\0\0\0\x18ftypmp42" + bytes(200)])
def test_what_is_no_film_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"odd\.mp4"):
        VideoFromFile(path).get_components()


def test_a_sound_is_no_film(tmp_path: Path) -> None:
    from engine.media import audio

    path = tmp_path / "a.flac"
    path.write_bytes(audio.encode(tone()["waveform"][0], 44100, "flac"))
    with pytest.raises(MediaError, match="no pictures"):
        VideoFromFile(path).get_dimensions()


def test_a_truncated_film_is_an_error_or_a_shorter_film(tmp_path: Path) -> None:
    whole = encode_mp4(film(24))
    for share in (0.2, 0.5, 0.9):
        path = tmp_path / "cut.mp4"
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            assert len(VideoFromFile(path).get_components().images) <= 24
        except MediaError as error:
            assert "cut.mp4" in str(error)


def test_a_stop_between_frames_ends_it() -> None:
    class StopError(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StopError

    with pytest.raises(StopError):
        encode_mp4(film(), check=check)
    assert calls == 3


def test_pictures_that_make_no_film() -> None:
    with pytest.raises(MediaError, match="make no film"):
        encode_mp4(VideoComponents(torch.zeros(0, 8, 8, 3), Fraction(24)))
    with pytest.raises(MediaError, match="no rate"):
        VideoFromComponents(film(rate=Fraction(0))).save_to(BytesIO())
