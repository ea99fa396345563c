"""The one gate for names from outside: a request, a workflow, a picture. Nothing else joins them to a folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

MAX_NAME = 1024  # bytes; longer ones are refused before the file system sees them
MAX_PART = 255  # bytes between two slashes, what file systems take

# Characters that steer a terminal or turn the reading direction round ("gnp.exe" shown as "exe.png"); line and
# paragraph separators; halves of characters.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
# On Windows these are devices in every folder and with every extension, and a shared folder is soon on Windows.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


class UnsafeNameError(ValueError):
    """The name would leave its folder, or no file can have it. The message is fit for the sender."""


def clean(name: str) -> str:
    """The name with `/` as separator, once it is known to be harmless as text; `""` stays `""`.

    Raises `UnsafeNameError`: control characters, absolute paths, drive letters, `..` parts (also in the wide forms
    that some file systems fold to dots), too long. Names are not decoded: `%2e%2e` is a name like any other, and who
    decodes one does it before.
    """
    shown = ascii(name[:80])
    if _UNSEEN.search(name):
        raise UnsafeNameError(f"{shown} has control characters")
    length = len(name.encode())
    if length > MAX_NAME:
        raise UnsafeNameError(f"the name is {length} bytes long; {MAX_NAME} is the limit")
    # Workflows made on Windows carry backslashes; on POSIX they would be legal and confusing file names.
    name = name.replace("\\", "/")
    folded = name if name.isascii() else unicodedata.normalize("NFKC", name).replace("\\", "/")
    for form in (name, folded):
        # Folding may make a slash too, which people do use in names: only where it leads is looked at.
        parts = [part.strip() for part in form.split("/")]
        if (form is name and form.startswith("/")) or _has_drive(form):
            raise UnsafeNameError(f"{shown} is an absolute path; names are relative to their folder")
        if ".." in parts:
            raise UnsafeNameError(f"{shown} leaves its folder")
    kept = [part for part in name.split("/") if part not in ("", ".")]
    for part in kept:
        if len(part.encode()) > MAX_PART:
            raise UnsafeNameError(f"{part[:40]!a}… is {len(part.encode())} bytes long; {MAX_PART} is the limit")
    return "/".join(kept)


def _has_drive(name: str) -> bool:
    return len(name) > 1 and name[1] == ":" and name[0].isascii() and name[0].isalpha()


def inside(root: Path, name: str, *, follow: bool = False) -> Path:
    """The absolute path of `name` below `root`; `""` is the root itself. The file need not exist.

    A symbolic link that leads out of `root` is refused. With `follow` it is allowed, for the folders of models alone:
    clients cannot write there, their owner fills them with links to the one copy of a file of many gigabytes, and
    ComfyUI follows those too; `name` still cannot climb. Names of Windows' devices are refused where files are
    written. Raises `UnsafeNameError`.
    """
    cleaned = clean(name)
    path = root / cleaned
    if follow:
        return path
    if any(_DEVICE.fullmatch(part) for part in cleaned.split("/")):
        raise UnsafeNameError(f"{name[:80]!a} has the name of a device on Windows")
    try:
        real, top = path.resolve(), root.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself, a path that is too long
        raise UnsafeNameError(f"{name[:80]!a} cannot be resolved: {error}") from error
    if not real.is_relative_to(top):
        raise UnsafeNameError(f"{name[:80]!a} leads out of {root.name}")
    return path


def beside(path: Path, name: str) -> Path | None:
    """The file called `name` in the folder of `path`, a found model; None if there is none or its link leads elsewhere.

    The folder may itself be reached through links (see `inside`), so that what counts is where it really is.
    """
    found = path.parent / name
    try:
        return found if found.is_file() and found.resolve().is_relative_to(path.parent.resolve()) else None
    except (OSError, RuntimeError, ValueError):
        return None
