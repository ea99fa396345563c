"""Sound survives being written and read, and sounds of different kinds go together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.media import audio as sound
from engine.media.containers import MediaError


def tone(hertz: float = 440.0, seconds: float = 0.5, rate: int = 44100, channels: int = 2) -> sound.Audio:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    wave = (torch.sin(2 * math.pi * hertz * time) * 0.5).float()
    return {"waveform": wave.expand(1, channels, -1).contiguous(), "sample_rate": rate}


def loudest(audio: sound.Audio) -> float:
    """The frequency that the sound is mostly made of, in Hz."""
    wave = audio["waveform"][0, 0].double()
    spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave), dtype=torch.float64)).abs()
    return float(spectrum.argmax()) * audio["sample_rate"] / len(wave)


def written(path: Path, audio: sound.Audio, *arguments: Any) -> Path:
    path.write_bytes(sound.encode(audio["waveform"][0], audio["sample_rate"], *arguments))
    return path


@pytest.mark.parametrize("channels", [1, 2])
def test_flac_loses_nothing_but_the_last_bits(tmp_path: Path, channels: int) -> None:
    before = tone(channels=channels)
    after = sound.load(written(tmp_path / "a.flac", before, "flac"))
    assert after["sample_rate"] == 44100
    assert after["waveform"].shape == before["waveform"].shape
    assert (after["waveform"] - before["waveform"]).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("kind", "quality", "rate", "written_rate"),
    [
        ("mp3", "V0", 44100, 44100),
        ("mp3", "128k", 96000, 48000),
        ("opus", "64k", 44100, 48000),
        ("opus", "320k", 22050, 24000),
    ],
)
def test_packed_sound_is_the_same_tone(
    tmp_path: Path, kind: sound.Kind, quality: str, rate: int, written_rate: int
) -> None:
    after = sound.load(written(tmp_path / f"a.{kind}", tone(rate=rate), kind, quality))
    assert after["sample_rate"] in (written_rate, 48000)  # Opus is always decoded at 48 kHz
    assert loudest(after) == pytest.approx(440, abs=4)
    assert after["waveform"].shape[-1] / after["sample_rate"] == pytest.approx(0.5, abs=0.06)


def test_better_quality_takes_more_bytes() -> None:
    noise = torch.rand(2, 44100) - 0.5
    sizes = [len(sound.encode(noise, 44100, "mp3", quality)) for quality in ("128k", "V0", "320k")]
    assert sizes == sorted(sizes)
    assert sizes[1] > sizes[0] * 1.3


def test_the_prompt_is_in_the_tags(tmp_path: Path) -> None:
    import av

    for kind in ("flac", "mp3", "opus"):
        path = written(tmp_path / f"a.{kind}", tone(), kind, "128k" if kind != "flac" else "", {"prompt": {"1": "ü"}})
        with av.open(str(path)) as container:
            tags = dict(container.metadata) | dict(container.streams.audio[0].metadata)
        assert {name.lower(): value for name, value in tags.items()}["prompt"] == '{"1": "\\u00fc"}'


@pytest.mark.parametrize(
    "data", [b"", b"not sound at all" * 100, b"fLaC" + bytes(400), b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n"]
)
def test_what_is_no_sound_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.flac"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"odd\.flac"):
        sound.load(path)
    with pytest.raises(MediaError, match=r"gone\.wav is not there"):
        sound.load(tmp_path / "gone.wav")


@pytest.mark.parametrize("shape", [(3, 100), (2, 0), (100,)])
def test_what_cannot_be_saved_is_said(shape: tuple[int, ...]) -> None:
    with pytest.raises(MediaError, match="cannot be saved"):
        sound.encode(torch.zeros(shape), 44100, "flac")


@settings(deadline=None, max_examples=30)
@given(old=st.sampled_from([8000, 11025, 22050, 44100, 48000]), new=st.sampled_from([8000, 16000, 22050, 44100, 48000]))
def test_a_tone_keeps_its_pitch_and_loudness_at_another_rate(old: int, new: int) -> None:
    before = tone(rate=old, seconds=0.4)
    after = sound.resample(before["waveform"], old, new)
    assert after.shape[-1] == math.ceil(before["waveform"].shape[-1] * new / old)
    assert loudest({"waveform": after, "sample_rate": new}) == pytest.approx(440, abs=3)
    middle = after[..., after.shape[-1] // 4 : after.shape[-1] * 3 // 4]
    assert float(middle.abs().max()) == pytest.approx(0.5, abs=0.02)


def test_what_is_above_the_new_rate_goes() -> None:
    high = tone(hertz=15000, rate=48000)
    assert float(sound.resample(high["waveform"], 48000, 16000)[..., 500:-500].abs().max()) < 0.02


def test_merging() -> None:
    loud: sound.Audio = {"waveform": torch.full((1, 1, 4), 0.8), "sample_rate": 10}
    short: sound.Audio = {"waveform": torch.full((1, 2, 2), 0.6), "sample_rate": 10}
    added = sound.merge(loud, short, "add")["waveform"]
    assert added.shape == (1, 2, 4)
    assert torch.allclose(added[0, 0], torch.tensor([1.0, 1.0, 0.8 / 1.4, 0.8 / 1.4]))  # turned down to full scale
    assert torch.allclose(sound.merge(loud, short, "mean")["waveform"][0, 1], torch.tensor([0.7, 0.7, 0.4, 0.4]))
    assert torch.allclose(sound.merge(loud, short, "subtract")["waveform"][0, 1], torch.tensor([0.2, 0.2, 0.8, 0.8]))
    assert torch.allclose(sound.merge(loud, short, "multiply")["waveform"][0, 1], torch.tensor([0.48, 0.48, 0, 0]))


@pytest.mark.parametrize(
    ("start", "duration", "wanted"),
    [(0.2, 0.3, [2, 3, 4]), (-0.2, 9.0, [8, 9]), (-99.0, 0.1, [0]), (0.0, 1e30, list(range(10)))],
)
def test_trimming(start: float, duration: float, wanted: list[int]) -> None:
    ramp: sound.Audio = {"waveform": torch.arange(10.0)[None, None], "sample_rate": 10}
    assert sound.trim(ramp, start, duration)["waveform"].flatten().tolist() == wanted


@pytest.mark.parametrize(("start", "duration"), [(1.0, 1.0), (0.5, 0.0), (1e30, 1.0)])
def test_nothing_left_is_an_error(start: float, duration: float) -> None:
    with pytest.raises(ValueError, match="nothing is left"):
        sound.trim({"waveform": torch.zeros(1, 1, 10), "sample_rate": 10}, start, duration)
