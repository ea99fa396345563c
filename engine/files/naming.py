"""Names for saved files: `prefix_00001_.png`, tokens in the prefix, and numbers that are never given twice."""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.files.safe import UnsafeNameError, clean, inside

_NUMBER = re.compile(r"(\d{1,12})(?:_|\.|$)")
_PROC = Path("/proc/self/fd")
_MAX_REMEMBERED = 4096  # prefixes; a client may put a seed into each


@dataclass(frozen=True, slots=True)
class SavePlace:
    """Where the files of one prefix go. `subfolder` is relative to the root, `/` between the parts."""

    folder: Path
    subfolder: str
    stem: str

    def name(self, number: int, extension: str, batch_number: int = 0) -> str:
        """`stem_00001_.png`; `%batch_num%` in the stem becomes `batch_number`."""
        return f"{self.stem.replace('%batch_num%', str(batch_number))}_{number:05}_{extension}"


def save_place(root: Path, prefix: str, width: int = 0, height: int = 0, now: datetime | None = None) -> SavePlace:
    """Expand the tokens of `prefix` and make its folder below `root`.

    Tokens: `%width% %height% %year% %month% %day% %hour% %minute% %second%` (local time), and
    `%batch_num%`, which is left for `save`. Raises `UnsafeNameError` if the prefix leaves `root`, and
    `OSError` if the folder cannot be made.
    """
    moment = now or datetime.now()  # local time, as the person at the screen reads it
    values = {"width": str(width), "height": str(height), "year": str(moment.year)}
    values |= {unit: f"{getattr(moment, unit):02}" for unit in ("month", "day", "hour", "minute", "second")}
    expanded = re.sub("%(" + "|".join(values) + ")%", lambda match: values[match[1]], prefix)
    subfolder, _, stem = clean(expanded).rpartition("/")
    if expanded.replace("\\", "/").endswith("/"):  # "a/" means: no stem, in the folder a
        subfolder, stem = clean(expanded), ""
    folder = inside(root, subfolder)
    if len(os.fsencode(stem)) > 200:
        raise UnsafeNameError(f"the file name {stem[:40]!a}… is too long: 200 bytes are the limit")
    _make(folder)
    return SavePlace(folder, subfolder, stem)


def _make(folder: Path) -> None:
    """Make a folder whose name survives a power cut: the pictures in it would be lost with it."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        force_folder(made.parent)


def save(place: SavePlace, data: bytes, extension: str, batch_number: int = 0, *, durable: bool = False) -> str:
    """Write `data` under the next free number and give back the file's name.

    `durable`: it is forced to the disk, so that what a client hears to be saved survives a power cut.

    The number is one more than the largest in the folder. The folder is read once for each prefix: a
    folder of ten thousand pictures takes milliseconds to list, and every save would pay them. Another
    program that takes a number in between is noticed, because files are only ever created.
    Raises `OSError` (full disk, no rights) and leaves no partial file.
    """
    while True:
        number = _next_number(place)
        name = place.name(number, extension, batch_number)
        try:
            write_new(place.folder / name, data, durable=durable)
        except FileExistsError:
            continue
        except FileNotFoundError:
            _make(place.folder)  # somebody cleared the output folder
            _forget(place)
            continue
        return name


def write_new(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Create `path` with `data`; raises `FileExistsError` if it is there, `OSError` if it cannot be written.

    The name appears with the whole contents behind it or not at all, whenever the process is killed.
    """
    try:
        descriptor = _unnamed(path.parent)
        if descriptor is None:
            _write_hidden(path, data, durable)
        else:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(descriptor)
                _link(descriptor, path)
        if durable:
            force_folder(path.parent)  # the name
    except FileExistsError:
        raise
    except OSError as error:
        # A write's error does not name the file; "no space left" helps only who knows where.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _unnamed(folder: Path) -> int | None:
    """A file without a name in `folder`, which vanishes with the process; None where there are none (not Linux, NFS)."""
    if not hasattr(os, "O_TMPFILE") or not _PROC.is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise


def _link(descriptor: int, path: Path) -> None:
    """Give an unnamed file its name. Raises `FileExistsError`."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Only with a folder does Python ask for linkat(2), which alone follows the link of /proc.
        os.link(f"{_PROC}/{descriptor}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def force_folder(folder: Path) -> None:
    """Force the names in `folder` to the disk. Raises `OSError`, but not where folders cannot be forced (network)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


def _write_hidden(path: Path, data: bytes, durable: bool) -> None:
    """`write_new` by a hidden name; a killed process may leave that one behind."""
    part = path.with_name(f".part-{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(descriptor)
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
                raise
            # No links here (FAT): the name is taken first, empty, so that nobody else's file is replaced.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


_lock = threading.Lock()
_last: dict[tuple[str, str], int] = {}


def _next_number(place: SavePlace) -> int:
    key = (str(place.folder), place.stem.casefold())
    with _lock:
        if key not in _last:
            if len(_last) >= _MAX_REMEMBERED:
                _last.clear()
            _last[key] = _largest_number(place)
        _last[key] += 1
        return _last[key]


def _forget(place: SavePlace) -> None:
    with _lock:
        _last.pop((str(place.folder), place.stem.casefold()), None)


def _largest_number(place: SavePlace) -> int:
    """The largest number that files of this prefix carry; names are compared without case."""
    before, token, after = place.stem.casefold().partition("%batch_num%")
    start = re.compile(re.escape(before) + (r"\d+" if token else "") + re.escape(after) + "_")
    largest = 0
    with os.scandir(place.folder) as entries:
        for entry in entries:
            name = entry.name.casefold()
            if (match := start.match(name)) and (number := _NUMBER.match(name, match.end())):
                largest = max(largest, int(number[1]))
    return largest
