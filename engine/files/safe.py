"""The one gate for names from outside: a request, a workflow, a picture. Nothing else joins them to a folder."""

from __future__ import annotations

from pathlib import Path

MAX_NAME = 1024  # characters; longer ones are refused before the file system sees them


class UnsafeNameError(ValueError):
    """The name would leave its folder, or no file can have it. The message is fit for the sender."""


def clean(name: str) -> str:
    """The name with `/` as separator, once it is known to be harmless as text; `""` stays `""`.

    Raises `UnsafeNameError`: control characters, absolute paths, drive letters, `..` parts, too long.
    """
    if len(name) > MAX_NAME:
        raise UnsafeNameError(f"the name is {len(name)} characters long; {MAX_NAME} is the limit")
    shown = ascii(name[:80])
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in name):
        raise UnsafeNameError(f"{shown} has control characters")
    # Workflows made on Windows carry backslashes; on POSIX they would be legal and confusing file names.
    name = name.replace("\\", "/")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isascii() and name[0].isalpha()):
        raise UnsafeNameError(f"{shown} is an absolute path; names are relative to their folder")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafeNameError(f"{shown} leaves its folder")
    return "/".join(parts)


def inside(root: Path, name: str, *, follow: bool = False) -> Path:
    """The absolute path of `name` below `root`; `""` is the root itself. The file need not exist.

    A symbolic link that leads out of `root` is refused; with `follow` it is allowed, for model folders
    that their owner filled with links: `name` still cannot climb.
    Raises `UnsafeNameError`.
    """
    path = root / clean(name)
    if follow:
        return path
    try:
        real, top = path.resolve(), root.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself, a part that is too long
        raise UnsafeNameError(f"{name[:80]!a} cannot be resolved: {error}") from error
    if not real.is_relative_to(top):
        raise UnsafeNameError(f"{name[:80]!a} leads out of {root.name}")
    return path
