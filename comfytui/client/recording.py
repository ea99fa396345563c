"""What a server sent, with its times, in a file: for bug reports, demonstrations and tests.

JSON lines: a first one that says what it is, then one for each answer (`http`), frame (`text`, `binary`), and each opening
and end of the event stream. `t` is in seconds since the recording began. Requests are noted by method, path and query;
headers and what we sent never are, and credentials are blotted out of what came back.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

FORMAT = 1
LIMIT = 256 << 20  # bytes of a file; a night of previews would be more
MAX_ANSWER = 8 << 20  # a longer one (a video) is noted without its bytes
BLOT = "•••"
# Values of keys that say that they are secret, as JSON has them (also escaped, in a text that is JSON itself), and the
# same among the words of a command line.
_NAMES = (
    r"(?:[\w.-]*(?:password|passwd|secret|authorization|cookie|api[_-]?key|access[_-]?token|auth[_-]?token\w*)|token)"
)
_SECRETS = (
    re.compile(rf'(?i)("{_NAMES}"\s*:\s*")(?:[^"\\]|\\.)+'),
    re.compile(rf'(?i)(\\"{_NAMES}\\"\s*:\s*\\").+?(?=\\")'),
    re.compile(rf'(?i)("--{_NAMES}"\s*,\s*")(?:[^"\\]|\\.)+'),
    re.compile(rf"(?i)(--{_NAMES}[= ])[^\s\"']+"),
)


class BadRecording(ValueError):  # noqa: N818 -- as the other errors are named
    """The file is no recording, or a damaged one; the message says where."""


class Row(msgspec.Struct, frozen=True):
    """One thing that came. `kind`: http, text, binary, open, closed."""

    t: float
    kind: str
    data: bytes = b""
    method: str = ""
    path: str = ""
    query: Mapping[str, str] = {}
    status: int = 200
    content_type: str = ""
    asked: float = 0.0  # when it was asked for


class Recording(msgspec.Struct, frozen=True):
    """A whole file. `client_id`: as whom the server knew the one who recorded."""

    rows: tuple[Row, ...]
    client_id: str = ""


class Recorder:
    """Writes a recording. When the file has reached its limit, or the disk is full, it stops and says so, once."""

    def __init__(self, path: Path, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        """Replaces the file. Raises OSError if it cannot be written."""
        self.path = path
        self.on_problem: Callable[[str], None] = lambda _: None
        self._limit = limit
        self._clock = clock
        self._began = clock()
        self._size = 0
        self._secrets: tuple[str, ...] = ()
        self._client_id = ""
        self._file: BinaryIO | None = path.open("wb")
        path.chmod(0o600)  # prompts and pictures are in it
        self._write({"comfytui_recording": FORMAT})

    def hide(self, secrets: Iterable[str]) -> None:
        """Blot these out wherever they come back: our own credentials."""
        forms = {form for text in secrets if len(text) >= 4 for form in (text, json.dumps(text)[1:-1])}
        self._secrets = tuple(sorted({*self._secrets, *forms}, key=len, reverse=True))

    def now(self) -> float:
        """Seconds since the recording began."""
        return self._clock() - self._began

    def opened(self, client_id: str) -> None:
        """The event stream is open."""
        self._write({"t": self._t(), "open": client_id})

    def closed(self) -> None:
        """The event stream has ended."""
        self._write({"t": self._t(), "closed": True})

    def frame(self, frame: str | bytes) -> None:
        """A frame of the event stream."""
        if isinstance(frame, str):
            self._write({"t": self._t(), "text": self._blotted(frame)})
        else:
            self._write({"t": self._t(), "binary": base64.b64encode(frame).decode()})

    def answer(
        self,
        asked: float,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        status: int,
        content_type: str,
        data: bytes,
    ) -> None:
        """An answer to a request that began at `asked` (as `now` told)."""
        said: dict[str, Any] = {"asked": round(asked, 4), "method": method, "path": path, "status": status}
        if query:
            said["query"] = dict(query)
        if content_type:
            said["type"] = content_type
        if len(data) > MAX_ANSWER:
            said["left_out"] = len(data)
        else:
            try:
                said["text"] = self._blotted(data.decode())
            except UnicodeDecodeError:
                said["base64"] = base64.b64encode(data).decode()
        self._write({"t": self._t(), "http": said})

    def close(self) -> None:
        """End the file; what comes later is not recorded."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _t(self) -> float:
        return round(self.now(), 4)

    def _blotted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, BLOT)
        for pattern in _SECRETS:
            text = pattern.sub(rf"\1{BLOT}", text)
        return text

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        line = json.dumps(row).encode() + b"\n"
        try:
            if self._size + len(line) > self._limit:
                self.close()
                self.on_problem(f"The recording {self.path} has reached {self._limit >> 20} MiB and ends here.")
                return
            self._file.write(line)
            self._file.flush()  # a recording of a crash must have its end
        except OSError as error:
            self._file = None
            self.on_problem(f"The recording {self.path} ends here: {error.strerror or error}.")
            return
        self._size += len(line)


def load(path: Path) -> Recording:
    """Read a recording; a last line that was cut off is left out. Raises BadRecording, OSError."""
    rows: list[Row] = []
    client_id = ""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number > 1 and not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                raise BadRecording(f"{path}, line {number}: not JSON. Is it a recording?") from None
            if not isinstance(value, dict):
                raise BadRecording(f"{path}, line {number}: not an object. Is it a recording?")
            if number == 1:
                if value.get("comfytui_recording") != FORMAT:
                    raise BadRecording(f"{path} is no recording of ours, or of another version.")
                continue
            try:
                rows.append(_row(value))
            except (KeyError, TypeError, ValueError, binascii.Error) as error:
                raise BadRecording(f"{path}, line {number}: {type(error).__name__}: {error}.") from None
            if isinstance(value.get("open"), str):
                client_id = value["open"]
    if not rows:
        raise BadRecording(f"{path} holds nothing.")
    return Recording(tuple(rows), client_id)


def _row(value: Mapping[str, Any]) -> Row:
    t = float(value["t"])
    if "http" in value:
        said = value["http"]
        data = (
            base64.b64decode(said["base64"], validate=True) if "base64" in said else str(said.get("text", "")).encode()
        )
        return Row(
            t=t,
            kind="http",
            data=data,
            method=str(said["method"]),
            path=str(said["path"]),
            query={str(key): str(item) for key, item in said.get("query", {}).items()},
            status=404 if "left_out" in said else int(said["status"]),
            content_type=str(said.get("type", "")),
            asked=float(said["asked"]),
        )
    if "text" in value:
        return Row(t, "text", str(value["text"]).encode())
    if "binary" in value:
        return Row(t, "binary", base64.b64decode(value["binary"], validate=True))
    if "open" in value:
        return Row(t, "open")
    if "closed" in value:
        return Row(t, "closed")
    raise ValueError("of no kind that is known")
