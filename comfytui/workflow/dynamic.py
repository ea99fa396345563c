"""Prompts that differ with the seed: `{a|b|c}` chooses, `__name__` takes a line of a file, comments are left out.

The signs are those of the web front end, which draws at random; here the seed decides, so that a run can be had again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from comfytui.workflow.errors import WorkflowError

MAX_DEPTH = 32  # braces within braces, and files that name files
MAX_LETTERS = 200_000  # of what a prompt becomes
MAX_FILES = 1000  # wildcards in one prompt
_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_WILDCARD = re.compile(r"__([^\W_](?:[\w ./-]{0,198}?[^\W_])??)__")

Lines = Callable[[str], Sequence[str]]  # the lines of the wildcard of this name; raises WorkflowError


class Chance:
    """Numbers that a seed and a place in the workflow decide, on every machine and with every version alike."""

    def __init__(self, seed: int, place: str) -> None:
        self._start = f"{seed}\0{place}\0".encode("utf-8", "surrogatepass")
        self._drawn = 0

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1; all are as likely, but for what 2**128 leaves over."""
        self._drawn += 1
        drawn = hashlib.blake2b(self._start + str(self._drawn).encode(), digest_size=16).digest()
        return int.from_bytes(drawn, "big") % count


class _Choice(NamedTuple):
    options: list[_Text]


_Text = list["str | _Choice"]


def without_comments(text: str) -> str:
    """The text without `/* … */`, and without `//` and what follows on its line, an address on the web included."""
    return _COMMENTS.sub("", text)


def is_dynamic(text: str) -> bool:
    """Whether `expand` could change the text."""
    return any(sign in text for sign in ("{", "}", "|", "__", "//", "/*"))


def expand(text: str, chance: Chance, lines: Lines) -> str:
    r"""What a prompt becomes: comments go, choices are made, files are read through `lines`.

    `\{`, `\|` and `\}` are letters, other backslashes stay; a brace without its partner is a letter too. What a choice
    or a file gives is expanded in turn. Raises WorkflowError where that has no end, and what `lines` raises.
    """
    return _Expanding(chance, lines).expand(without_comments(text), 0)


class _Expanding:
    def __init__(self, chance: Chance, lines: Lines) -> None:
        self._chance, self._lines = chance, lines
        self._files = 0

    def expand(self, text: str, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise WorkflowError(
                f"wildcards name one another, more than {MAX_DEPTH} deep", fix="Let no file lead back to itself"
            )
        made = self._chosen(_parsed(text))
        parts: list[str] = []
        last = size = 0
        for found in _WILDCARD.finditer(made):
            parts += [made[last : found.start()], self._line(found[1], depth)]
            last = found.end()
            if (size := size + len(parts[-1])) > MAX_LETTERS:
                raise WorkflowError(f"a prompt becomes longer than {MAX_LETTERS:,} letters", fix="Use shorter files")
        return "".join([*parts, made[last:]])

    def _line(self, name: str, depth: int) -> str:
        self._files += 1
        if self._files > MAX_FILES:
            raise WorkflowError(f"a prompt takes more than {MAX_FILES:,} lines of files", fix="Let files name fewer")
        lines = self._lines(name)
        return self.expand(lines[self._chance.below(len(lines))], depth + 1)

    def _chosen(self, text: _Text) -> str:
        parts: list[str] = []
        for each in text:
            if isinstance(each, str):
                parts.append(each)
            else:
                parts.append(self._chosen(each.options[self._chance.below(len(each.options))]))
        return "".join(parts)


def _parsed(text: str) -> _Text:
    """The text with its choices. Raises WorkflowError if they are nested too deeply."""
    partners = _partners(text)
    open_choices: list[tuple[_Choice, _Text]] = []  # with the text that each stands in
    here: _Text = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2] in ("{", "|", "}"):
            here.append(text[at + 1])
            at += 1
        elif letter == "{" and at in partners:
            if len(open_choices) == MAX_DEPTH:
                raise WorkflowError(f"braces are nested more than {MAX_DEPTH} deep", fix="Choose among fewer at a time")
            choice = _Choice([[]])
            here.append(choice)
            open_choices.append((choice, here))
            here = choice.options[0]
        elif letter == "|" and open_choices:
            here = []
            open_choices[-1][0].options.append(here)
        elif letter == "}" and at in partners:
            here = open_choices.pop()[1]
        else:
            here.append(letter)
        at += 1
    return here


def _partners(text: str) -> set[int]:
    """Where the braces are that have one another."""
    found: set[int] = set()
    waiting: list[int] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("{", "|", "}"):
            at += 1
        elif text[at] == "{":
            waiting.append(at)
        elif text[at] == "}" and waiting:
            found |= {waiting.pop(), at}
        at += 1
    return found
