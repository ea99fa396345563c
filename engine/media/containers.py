"""What sound and film files share: opening them, their tags, and errors that name the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer

# What a file may be made of. FFmpeg reads some 300 formats, among them play lists, which open whatever address a line of
# them names; those of cameras, phones, editors and browsers are few.
_VIDEO = (
    "mov",
    "mp4",
    "m4a",
    "3gp",
    "3g2",
    "mj2",
    "matroska",
    "webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "gif",
    "apng",
)
_SOUND = ("ogg", "flac", "mp3", "wav", "aiff", "aac", "w64", "caf", "amr", "ac3")
_LIMITS = {"format_whitelist": ",".join(_VIDEO + _SOUND), "protocol_whitelist": "none"}


class MediaError(ValueError):
    """A file that cannot be used as sound or film; the message names it and the reason."""


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file, for reading. Raises `MediaError` also for what is found out while it is decoded."""
    import av
    from av.error import FFmpegError

    try:
        with path.open("rb") as file, av.open(file, "r", options=_LIMITS, metadata_errors="replace") as container:
            yield container
    except FileNotFoundError as error:
        raise MediaError(f"{path.name} is not there") from error
    except (FFmpegError, OSError, EOFError) as error:
        # PyAV's errors of the same kinds derive from Python's: a damaged file may end in any of them.
        raise MediaError(f"{path.name} cannot be read as sound or film: {_reason(error)}") from error


def tag(container: Any, metadata: Mapping[str, Any]) -> None:
    """Write each value as JSON into a tag of the file's own (`prompt`, `workflow`)."""
    for name, value in metadata.items():
        container.metadata[name] = value if isinstance(value, str) else json.dumps(value)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
