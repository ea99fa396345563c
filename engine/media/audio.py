"""Sound as tensors: from files and to bytes, resampling, and what is done with two of them.

AUDIO is `{"waveform": float32 (batch, channels, samples) in −1…1, "sample_rate": Hz}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.media.containers import MediaError, opened, tag

Kind = Literal["flac", "mp3", "opus"]
MAX_SAMPLES = 1 << 30  # of all channels: 4 GB as float32, three hours of stereo at 48 kHz
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # Hz that Opus has; anything else is resampled upwards
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_FRAME = 1 << 15  # samples that are encoded between two looks at whether to stop


class Audio(TypedDict):
    waveform: Tensor
    sample_rate: int


def nothing() -> None:
    """The check of somebody who does not stop."""


def load(path: Path, check: Callable[[], None] = nothing) -> Audio:
    """The first sound track of a file, as one batch (1, channels, samples). Raises `MediaError`."""
    with opened(path) as container:
        found = read_track(container, path.name, check)
    if found is None:
        raise MediaError(f"{path.name} has no sound in it")
    return found


def read_track(container: Any, name: str, check: Callable[[], None] = nothing) -> Audio | None:
    """The first sound track of an open container, which is read from where it stands; None if it has none."""
    from av.audio.resampler import AudioResampler

    if not container.streams.audio:
        return None
    stream = container.streams.audio[0]
    resampler = AudioResampler(format="fltp")
    pieces: list[np.ndarray[Any, Any]] = []
    total, rate = 0, stream.codec_context.sample_rate
    for frame in container.decode(stream):
        check()
        rate = frame.sample_rate
        for piece in resampler.resample(frame):
            pieces.append(piece.to_ndarray())
            total += pieces[-1].size
            if total > MAX_SAMPLES:
                raise MediaError(f"{name} is too long: {MAX_SAMPLES} samples are the limit")
    for piece in resampler.resample(None) if pieces else ():
        pieces.append(piece.to_ndarray())
    if not pieces:
        raise MediaError(f"the sound track of {name} is empty")
    waveform = torch.from_numpy(np.concatenate(pieces, axis=1)).float()
    return {"waveform": waveform[None], "sample_rate": int(rate)}


def encode(
    waveform: Tensor,
    rate: int,
    kind: Kind,
    quality: str = "",
    metadata: Mapping[str, Any] | None = None,
    check: Callable[[], None] = nothing,
) -> bytes:
    """A file of one sound (channels, samples): FLAC (without loss), MP3 (`V0`, `128k`, `320k`) or Opus (`64k` … `320k`).

    MP3 and Opus know few rates: others are resampled to the next one above. Raises `MediaError`.
    """
    import av
    from av.error import FFmpegError

    if waveform.ndim != 2 or waveform.shape[0] not in (1, 2) or not waveform.shape[1]:
        raise MediaError(f"sound of the shape {tuple(waveform.shape)} cannot be saved: (1 or 2 channels, samples) can")
    rates: tuple[int, ...] = {"opus": OPUS_RATES, "mp3": MP3_RATES, "flac": ()}[kind]
    if rates and rate not in rates:
        wanted = next((each for each in rates if each >= rate), rates[-1])
        waveform, rate = resample(waveform, rate, wanted), wanted
    layout = "mono" if waveform.shape[0] == 1 else "stereo"
    codec = {"flac": "flac", "mp3": "libmp3lame", "opus": "libopus"}[kind]
    options = {"flags": "+qscale", "global_quality": "0"} if quality == "V0" else {}
    file = BytesIO()
    try:
        with av.open(file, "w", format={"opus": "ogg"}.get(kind, kind)) as container:
            tag(container, metadata or {})
            stream: Any = container.add_stream(codec, rate=rate, options=options)
            stream.codec_context.layout = layout
            if quality.endswith("k"):
                stream.bit_rate = int(quality[:-1]) * 1000
            write_track(container, stream, waveform, rate, check)
    except FFmpegError as error:
        raise MediaError(f"the sound cannot be written as {kind}: {error.strerror}") from error
    return file.getvalue()


def write_track(container: Any, stream: Any, waveform: Tensor, rate: int, check: Callable[[], None] = nothing) -> None:
    """Encode (channels, samples) into a stream of an open container."""
    from av.audio.frame import AudioFrame

    layout = "mono" if waveform.shape[0] == 1 else "stereo"
    samples = waveform.float().clamp(-1, 1).cpu().contiguous().numpy()
    for start in range(0, samples.shape[1], _FRAME):
        check()
        piece = np.ascontiguousarray(samples[:, start : start + _FRAME])
        frame = AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.pts = start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


# Changes -------------------------------------------------------------------------------------------------------------


def resample(waveform: Tensor, old: int, new: int) -> Tensor:
    """(…, samples) at another rate, by band-limited interpolation: a sinc under a Hann window of six zero crossings.

    J. O. Smith, "Digital Audio Resampling", https://ccrma.stanford.edu/~jos/resample/. The pass band ends at 0.99 of the lower
    Nyquist frequency. Costs one convolution with new/gcd filters.
    """
    if old == new or not waveform.numel():
        return waveform
    if old <= 0 or new <= 0:
        raise ValueError(f"a sample rate is above 0, not {min(old, new)}")
    common = math.gcd(old, new)
    down, up = old // common, new // common
    crossings, edge = 6, 0.99
    cutoff = min(down, up) * edge
    width = math.ceil(crossings * down / cutoff)
    place = torch.arange(-width, width + down, dtype=torch.float64)[None] / down
    time = (place - torch.arange(up, dtype=torch.float64)[:, None] / up) * cutoff
    time = time.clamp(-crossings, crossings)
    window = torch.cos(time * math.pi / crossings / 2) ** 2
    filters = torch.sinc(time) * window * (cutoff / down)
    samples = waveform.shape[-1]
    flat = F.pad(waveform.reshape(-1, 1, samples).float(), (width, width + down))
    answer = F.conv1d(flat, filters[:, None].to(flat), stride=down)  # (B, up, n): each filter gives one phase
    whole = answer.transpose(1, 2).reshape(flat.shape[0], -1)[:, : math.ceil(samples * up / down)]
    return whole.reshape(*waveform.shape[:-1], -1)


def alike(first: Audio, second: Audio) -> tuple[Tensor, Tensor, int]:
    """Two sounds at the higher one's rate and with as many channels and batch items: mono is doubled for stereo."""
    rate = max(first["sample_rate"], second["sample_rate"])
    a, b = (resample(each["waveform"], each["sample_rate"], rate) for each in (first, second))
    channels, batch = max(a.shape[1], b.shape[1]), max(len(a), len(b))
    a, b = (each.repeat(1, channels, 1) if each.shape[1] == 1 else each for each in (a, b))
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"sounds of {a.shape[1]} and {b.shape[1]} channels do not go together")
    a, b = (each.repeat(-(-batch // len(each)), 1, 1)[:batch] for each in (a, b))
    return a, b, rate


def merge(first: Audio, second: Audio, method: str) -> Audio:
    """Both at once, as long as the first: added, averaged, subtracted or multiplied; louder than full scale is turned down."""
    a, b, rate = alike(first, second)
    b = F.pad(b, (0, max(0, a.shape[-1] - b.shape[-1])))[..., : a.shape[-1]]
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "add": torch.add,
        "subtract": torch.sub,
        "multiply": torch.mul,
        "mean": lambda x, y: (x + y) / 2,
    }
    mixed = ways[method](a, b)
    peak = float(mixed.abs().max()) if mixed.numel() else 0.0
    return {"waveform": mixed / peak if peak > 1 else mixed, "sample_rate": rate}


def trim(audio: Audio, start: float, duration: float) -> Audio:
    """From `start` seconds (negative: from the end) for `duration` seconds. Raises `ValueError` if nothing is left."""
    waveform, rate = audio["waveform"], audio["sample_rate"]
    length = waveform.shape[-1]
    bound = length / rate + 1.0  # numbers of samples beyond 64 bits are no numbers of samples
    first = round(min(max(start, -bound), bound) * rate)
    first = max(0, min(length, first + length if first < 0 else first))
    last = min(length, first + round(min(duration, bound) * rate))
    if first >= last:
        raise ValueError(
            f"nothing is left of a sound of {length / rate:.2f} s from {start:g} s on for {duration:g} s: "
            "start before its end, for more than 0 s"
        )
    return {"waveform": waveform[..., first:last], "sample_rate": rate}
