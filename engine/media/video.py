"""Film as nodes pass it around (type VIDEO): in a file, or as pictures and a sound.

The methods have the names that ComfyUI's documentation gives to the type, because node packs call them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.files.decode import MAX_PIXELS
from engine.media.audio import Audio, nothing, read_track, write_track
from engine.media.containers import MediaError, opened, tag

MAX_RATE = 1000  # frames a second
PLAYED = frozenset({"h264"})  # codecs of an MP4 that is taken over as it is where nothing else was asked for
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


@dataclass(frozen=True, slots=True)
class VideoComponents:
    """`images` float32 (T, H, W, 3) in 0…1, a sound or None, frames a second."""

    images: Tensor
    frame_rate: Fraction
    audio: Audio | None = None
    metadata: Mapping[str, Any] | None = None


class Video(ABC):
    """Something that can be shown, whatever it is made of."""

    @abstractmethod
    def get_components(self, check: Callable[[], None] = nothing) -> VideoComponents:
        """All pictures and the sound. Raises `MediaError`."""

    @abstractmethod
    def get_dimensions(self) -> tuple[int, int]:
        """Width and height."""

    @abstractmethod
    def get_frame_count(self) -> int: ...

    @abstractmethod
    def get_frame_rate(self) -> Fraction: ...

    def get_duration(self) -> float:
        """Seconds."""
        return float(self.get_frame_count() / self.get_frame_rate())

    def get_stream_source(self) -> str | BytesIO:
        """What another program can open: a path, or the bytes of a file."""
        file = BytesIO()
        self.save_to(file)
        file.seek(0)
        return file

    def save_to(
        self,
        path: str | Path | BytesIO,
        format: str = "auto",
        codec: str = "auto",
        metadata: Mapping[str, Any] | None = None,
        check: Callable[[], None] = nothing,
    ) -> None:
        """Write an MP4 (H.264 and AAC). Raises `MediaError`."""
        found = self.get_components(check)
        data = encode_mp4(found, metadata, check)
        if isinstance(path, BytesIO):
            path.write(data)
        else:
            Path(path).write_bytes(data)


@dataclass(frozen=True, slots=True)
class VideoFromComponents(Video):
    """Pictures and a sound."""

    components: VideoComponents

    def get_components(self, check: Callable[[], None] = nothing) -> VideoComponents:
        return self.components

    def get_dimensions(self) -> tuple[int, int]:
        return int(self.components.images.shape[2]), int(self.components.images.shape[1])

    def get_frame_count(self) -> int:
        return len(self.components.images)

    def get_frame_rate(self) -> Fraction:
        return self.components.frame_rate


@dataclass(frozen=True, slots=True)
class VideoFromFile(Video):
    """A file, which is read when somebody wants its pictures."""

    path: Path

    def get_components(self, check: Callable[[], None] = nothing) -> VideoComponents:
        frames: list[Tensor] = []
        with opened(self.path) as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            rate = _rate(stream)
            pixels = 0
            for frame in container.decode(stream):
                check()
                pixels += frame.width * frame.height
                if frame.width * frame.height > MAX_PIXELS or len(frames) > 1_000_000:
                    raise MediaError(f"{self.path.name} is too large: {frame.width}x{frame.height} pixels")
                frames.append(torch.from_numpy(frame.to_ndarray(format="rgb24")))
        if not frames:
            raise MediaError(f"{self.path.name} has no pictures in it")
        with opened(self.path) as container:
            audio = read_track(container, self.path.name, check)
        images = torch.empty(len(frames), *frames[0].shape)
        for index, picture in enumerate(
            frames
        ):  # one by one: both forms of a long film at once are five times its bytes
            check()
            if picture.shape != frames[0].shape:
                raise MediaError(f"{self.path.name} changes its size in the middle")
            images[index] = picture.float() / 255
        return VideoComponents(images, rate, audio)

    def get_dimensions(self) -> tuple[int, int]:
        with opened(self.path) as container:
            stream = self._stream(container)
            return int(stream.width), int(stream.height)

    def get_frame_rate(self) -> Fraction:
        with opened(self.path) as container:
            return _rate(self._stream(container))

    def get_frame_count(self) -> int:
        with opened(self.path) as container:
            stream = self._stream(container)
            return int(stream.frames) or sum(1 for _ in container.decode(stream))

    def get_stream_source(self) -> str | BytesIO:
        return str(self.path)

    def save_to(
        self,
        path: str | Path | BytesIO,
        format: str = "auto",
        codec: str = "auto",
        metadata: Mapping[str, Any] | None = None,
        check: Callable[[], None] = nothing,
    ) -> None:
        """As it is where it is an MP4 in H.264 already: nothing is lost by encoding it once more."""
        with opened(self.path) as container:
            kept = "mp4" in container.format.name.split(",") and self._stream(container).codec_context.name in PLAYED
        if not kept:
            Video.save_to(self, path, format, codec, metadata, check)
            return
        data = self._copied(metadata, check)
        if isinstance(path, BytesIO):
            path.write(data)
        else:
            Path(path).write_bytes(data)

    def _copied(self, metadata: Mapping[str, Any] | None, check: Callable[[], None]) -> bytes:
        import av

        file = BytesIO()
        with opened(self.path) as source, av.open(file, "w", format="mp4", options=_TAGS) as target:
            for name, value in source.metadata.items():
                target.metadata[name] = value
            tag(target, metadata or {})
            streams = {each: target.add_stream_from_template(each) for each in source.streams if each.type in _COPIED}
            for packet in source.demux(list(streams)):
                check()
                if packet.dts is not None:
                    packet.stream = streams[packet.stream]
                    target.mux(packet)
        return file.getvalue()

    def _stream(self, container: Any) -> Any:
        if not container.streams.video:
            raise MediaError(f"{self.path.name} has no pictures in it")
        return container.streams.video[0]


_COPIED = ("video", "audio")
_TAGS = {"movflags": "use_metadata_tags"}  # an MP4 keeps no tags of other names without


def _rate(stream: Any) -> Fraction:
    found = stream.average_rate or stream.guessed_rate or Fraction(1)
    return Fraction(found)


def encode_mp4(
    video: VideoComponents, metadata: Mapping[str, Any] | None = None, check: Callable[[], None] = nothing
) -> bytes:
    """An MP4 with H.264 (4:2:0) and AAC. Raises `MediaError`."""
    return _encode(video, "mp4", "libx264", "yuv420p", {}, metadata, check)


def encode_webm(
    video: VideoComponents,
    codec: str,
    crf: float,
    metadata: Mapping[str, Any] | None = None,
    check: Callable[[], None] = nothing,
) -> bytes:
    """A WebM with `vp9` or `av1` (ten bits) at a constant quality: `crf` from 0 (best) to 63. Raises `MediaError`."""
    name, pixels = {"vp9": ("libvpx-vp9", "yuv420p"), "av1": ("libsvtav1", "yuv420p10le")}[codec]
    options = {"crf": str(round(crf)), "b": "0"} | ({"preset": "6"} if codec == "av1" else {})
    return _encode(video, "webm", name, pixels, options, metadata, check)


def _encode(
    video: VideoComponents,
    format: str,
    codec: str,
    pixels: str,
    options: dict[str, str],
    metadata: Mapping[str, Any] | None,
    check: Callable[[], None],
) -> bytes:
    import av
    from av.error import FFmpegError
    from av.video.frame import VideoFrame

    images = video.images
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or not len(images):
        raise MediaError(f"pictures of the shape {tuple(images.shape)} make no film: (frames, height, width, 3) do")
    rate = Fraction(round(video.frame_rate * 1000), 1000)
    if not 0 < rate <= MAX_RATE:
        raise MediaError(f"{float(rate):g} frames a second are no rate of a film: above 0 and at most {MAX_RATE}")
    # 4:2:0 halves both sides, so they must be even; the last row or column is doubled where they are not.
    height, width = (-(-side // 2) * 2 for side in images.shape[1:3])
    file = BytesIO()
    try:
        with av.open(file, "w", format=format, options=_TAGS if format == "mp4" else {}) as container:
            tag(container, metadata or {})
            stream: Any = container.add_stream(codec, rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            sound = _sound(container, video, format)
            for picture in images:
                check()
                levels = (picture[..., :3].float() * 255).clamp(0, 255).to(torch.uint8).cpu().numpy()
                levels = np.pad(levels, ((0, height - levels.shape[0]), (0, width - levels.shape[1]), (0, 0)), "edge")
                frame = VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                track, waveform, sampled = sound
                write_track(container, track, waveform, sampled, check)
    except FFmpegError as error:
        raise MediaError(f"the film cannot be written as {format}: {error.strerror}") from error
    return file.getvalue()


def _sound(container: Any, video: VideoComponents, format: str) -> tuple[Any, Tensor, int] | None:
    """A track for the film's sound, cut to the film's length, and what goes into it; None without one."""
    from engine.media.audio import OPUS_RATES, resample

    if video.audio is None or not video.audio["waveform"].numel():
        return None
    waveform, rate = video.audio["waveform"][0], int(video.audio["sample_rate"])
    if waveform.shape[0] > 2:
        raise MediaError(f"a sound of {waveform.shape[0]} channels cannot be put into a film: one or two can")
    rates, codec = (OPUS_RATES, "libopus") if format == "webm" else (AAC_RATES, "aac")
    if rate not in rates:
        wanted = next((each for each in rates if each >= rate), rates[-1])
        waveform, rate = resample(waveform, rate, wanted), wanted
    waveform = waveform[:, : round(len(video.images) / video.frame_rate * rate)]
    stream = container.add_stream(codec, rate=rate)
    stream.codec_context.layout = "mono" if waveform.shape[0] == 1 else "stereo"
    return stream, waveform, rate
