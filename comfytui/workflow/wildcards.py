"""The files that `__name__` in a prompt stands for: `name.txt` below one of the user's folders, a choice a line."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.inputs import near

MAX_BYTES = 16 * 1024 * 1024  # of one file
MAX_LISTED = 5000  # files that are looked at for a name that is near
SUFFIX = ".txt"


class Wildcards:
    """Reads each file once; make a new one where files may have changed."""

    def __init__(self, folders: Sequence[Path | str]) -> None:
        self._folders = [Path(each).expanduser() for each in folders]
        self._read: dict[str, tuple[str, ...]] = {}

    def lines(self, name: str) -> Sequence[str]:
        """The lines of a file that say something; those that begin with # do not. At least one.

        Raises WorkflowError if there is none of this name, or it cannot be read.
        """
        if name not in self._read:
            self._read[name] = self._lines(name)
        return self._read[name]

    def names(self) -> list[str]:
        """The names that can be written between underscores, sorted; at most MAX_LISTED."""
        found: set[str] = set()
        for folder in self._folders:
            try:
                for path in folder.rglob(f"*{SUFFIX}"):
                    found.add(path.relative_to(folder).with_suffix("").as_posix())
                    if len(found) >= MAX_LISTED:
                        break
            except OSError:  # a folder that is not there has no names; a prompt that needs one is told so
                continue
        return sorted(found)

    def _lines(self, name: str) -> tuple[str, ...]:
        place = f"__{name}__"
        if not self._folders:
            raise WorkflowError(
                "is to be a line of a file, and there is no folder of such files", place=place,
                fix="Set wildcard_folders, or write words there",
            )  # fmt: skip
        parts = name.split("/")
        if any(part.strip() in ("", ".", "..") for part in parts):
            raise WorkflowError("leads out of the folder of wildcards", place=place, fix="Name a file within it")
        for folder in self._folders:
            path = folder.joinpath(*parts[:-1], parts[-1] + SUFFIX)
            try:
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise WorkflowError(
                        "leads out of the folder of wildcards", place=place, fix="Name a file within it"
                    )
                about = path.stat()
                if not stat.S_ISREG(about.st_mode):
                    continue
                if about.st_size > MAX_BYTES:
                    raise WorkflowError(
                        f"{path.name} is larger than {MAX_BYTES >> 20} MiB", place=place, fix="Split the file"
                    )
                text = path.read_text(encoding="utf-8-sig")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise WorkflowError(f"{path} cannot be read: {reason}", place=place, fix="Check the file") from error
            lines = [line.strip() for line in text.replace("\0", "").splitlines()]
            if said := tuple(line for line in lines if line and not line.startswith("#")):
                return said
            raise WorkflowError(f"{path} has no line to choose", place=place, fix="Write a choice on each line")
        close = near(name, self.names())
        fix = f"Did you mean {' or '.join(f'__{each}__' for each in close)}?" if close else "Make that file"
        where = ", ".join(str(folder) for folder in self._folders)
        raise WorkflowError(f"there is no {name}{SUFFIX} in {where}", place=place, fix=fix)
