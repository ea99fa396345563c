"""A file that is read by place: every read is bounded and checked, so that no length in a file is believed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from comfytui.workflow.errors import WorkflowError

MAX_TEXT = 32 * 1024 * 1024  # bytes of one text, unpacked: published workflows have about 2 MB
MAX_TEXTS = 2 * MAX_TEXT  # of all texts of a file
MAX_READ = 4 * MAX_TEXT  # bytes read of a file, whatever its size
STEP = 1 << 20  # bytes unpacked at once
MAX_PARTS = 200_000  # chunks, boxes or tags; a PNG of 1.5 GB in chunks of 8 KiB has fewer
FIX = "Save or copy it again, or use the workflow's JSON file"

Texts = Iterator[tuple[str, str]]  # keyword and text, as they are found


def damaged(problem: str, at: int) -> WorkflowError:
    """An error at a byte of the file."""
    return WorkflowError(problem, place=f"byte {at}", fix=FIX)


class Source:
    """A file of `size` bytes. `damage` is the first thing that was wrong and did not keep us from reading on."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self.damage: WorkflowError | None = None
        self._parts = 0
        self._read = 0
        self._unpacked = 0
        self._spent = False

    def peek(self, at: int, length: int) -> bytes:
        """At most `length` bytes; fewer where the file ends. Raises WorkflowError if the file cannot be read."""
        if at < 0 or at >= self.size or length <= 0:
            return b""
        self._read += min(length, self.size - at)
        if self._read > MAX_READ:
            self._refuse(f"more than {MAX_READ >> 20} MiB would have to be read for its metadata", at)
        try:
            self._file.seek(at)
            found = b""
            while len(found) < length and (more := self._file.read(length - len(found))):
                found += more
        except OSError as error:
            raise damaged(f"cannot be read: {error.strerror or error}", at) from error
        return found

    def take(self, at: int, length: int, what: str) -> bytes:
        """Exactly `length` bytes. Raises WorkflowError if the file ends before, or it is more than a text may have."""
        if length > MAX_TEXT:
            raise damaged(f"{what} has {length >> 20} MiB, and at most {MAX_TEXT >> 20} are read", at)
        found = self.peek(at, length)
        if len(found) < length:
            raise damaged(f"ends in the middle of {what}", at)
        return found

    def part(self, at: int) -> None:
        """Count one chunk, box or tag. Raises WorkflowError if there are more than any real file has."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            self._refuse(f"more than {MAX_PARTS:,} parts", at)

    def inflate(self, data: bytes, at: int) -> bytes:
        """Unpack zlib data; never more than MAX_TEXT bytes of it, and MAX_TEXTS of all. Raises WorkflowError."""
        stream = zlib.decompressobj()
        parts: list[bytes] = []
        length = 0
        while not stream.eof:
            if self._unpacked > MAX_TEXTS:
                self._refuse(f"its texts unpack to more than {MAX_TEXTS >> 20} MiB", at)
            if length > MAX_TEXT:
                raise damaged(f"a compressed text is larger than {MAX_TEXT >> 20} MiB", at)
            try:
                part = stream.decompress(data, STEP)
            except zlib.error as error:
                raise damaged("a compressed text is damaged", at) from error
            data = stream.unconsumed_tail
            if not part and not data and not stream.eof:
                raise damaged("a compressed text is cut off", at)
            parts.append(part)
            length += len(part)
            self._unpacked += len(part)
        return b"".join(parts)

    def lenient(self, found: Texts) -> Texts:
        """The texts up to where they are damaged; the damage is noted, and the rest of the file is still read."""
        try:
            yield from found
        except WorkflowError as error:
            self.damage = self.damage or error
            if self._spent:
                raise

    def _refuse(self, problem: str, at: int) -> NoReturn:
        """A bound of the whole file: nothing more is read of it."""
        self._spent = True
        raise damaged(problem, at)


def decoded(data: bytes) -> str:
    """Text whose encoding nobody told: UTF-8, else Latin-1. Null characters at its end are padding."""
    try:
        return data.decode().rstrip("\0")
    except UnicodeDecodeError:
        return data.decode("latin-1").rstrip("\0")
