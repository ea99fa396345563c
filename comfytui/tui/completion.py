"""What can be completed in a prompt at the cursor: names of embeddings and of wildcard files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_BEGUN = re.compile(r"(?:embedding:[^\s,():]*|__[\w ./-]*|e(?:m(?:b\w*)?)?)\Z")


class Completion(NamedTuple):
    """`choices` can stand in place of what is typed from `start` to the cursor."""

    start: int
    choices: tuple[str, ...]


def completions(text: str, at: int, embeddings: Iterable[str], wildcards: Iterable[str]) -> Completion:
    """The choices that go on from what is typed before the cursor; all of them if none does."""
    found = _BEGUN.search(text, max(0, at - 200), at)
    choices = [*(f"embedding:{name}" for name in embeddings), *(f"__{name}__" for name in wildcards)]
    if found is not None:
        begun = found[0].lower()
        before = text[found.start() - 1 : found.start()]
        if not before or not (before.isalnum() or before in "\\_"):
            fitting = tuple(each for each in choices if each.lower().startswith(begun))
            if fitting:
                return Completion(found.start(), fitting)
    return Completion(at, tuple(choices))


def offset(lines: Sequence[str], row: int, column: int) -> int:
    """How many characters stand before a place in a text of these lines."""
    return sum(len(line) + 1 for line in lines[:row]) + column


def location(text: str, at: int) -> tuple[int, int]:
    """The line and the column of a character."""
    before = text[:at]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
