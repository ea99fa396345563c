"""The weights in a prompt, `(word:1.2)`: read as text encoders read them, and raised or lowered at the cursor.

A group without a number counts 1.1 times what is around it; a number counts as it is, whatever is around. `\\(` and
`\\)` are letters. A prompt whose parentheses do not match is left to the server as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

STEP = 0.05
LEAST, MOST = 0.0, 10.0
PLAIN = 1.1  # what a group without a number multiplies by
# What a weight is put on when nothing is selected: up to a blank, a comma, or a sign of the syntax.
_WORD = re.compile(r"(?:\\[(){}|]|[^\s,(){}|\[\]])+")
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*")


class Weighed(NamedTuple):
    """A prompt after a change, and where what was changed now stands in it."""

    text: str
    start: int
    end: int


class _Group(NamedTuple):
    open: int  # of its parenthesis
    end: int  # of its content: the colon, else the closing parenthesis
    close: int  # of its closing parenthesis
    weight: float  # of its content
    around: float  # the weight outside


def parse(text: str) -> list[tuple[str, float]]:
    """The words with their weights, in order; neighbours of one weight are one. Escapes stand as they were typed.

    Text whose parentheses do not match has one weight.
    """
    found: list[tuple[str, float]] = []
    for letter, weight in _letters(text):
        if found and found[-1][1] == weight:
            found[-1] = (found[-1][0] + letter, weight)
        else:
            found.append((letter, weight))
    return found


def adjust(text: str, start: int, end: int | None = None, by: float = STEP) -> Weighed | None:
    """Raise (or lower) the weight of the selection, of the group around the cursor, or of the word at it.

    Positions count characters; `end` is where the selection ends, None for none. Answers None where there is nothing
    to weigh: on a blank, or in a prompt whose parentheses do not match. The words and all other weights stay.
    """
    groups = _groups(text)
    if groups is None:
        return None
    start = max(0, min(start, len(text)))
    end = start if end is None else max(0, min(end, len(text)))
    start, end = _trimmed(text, min(start, end), max(start, end))
    group = _chosen(groups, start, end)
    if group is None:
        if start == end:
            if (word := _word(text, start)) is None:
                return None
            start, end = word
        start, end = _whole(groups, start, end)
        group = _chosen(groups, start, end) if start < end else None
    if group is not None:
        changed = _put(text, group.open, group.close + 1, group.open + 1, group.end, group.weight, by, group.around)
    else:
        around = _weight_at(groups, start)
        changed = _put(text, start, end, start, end, around, by, around)
    return changed if changed is not None and _same_words(text, changed.text) else None


def _put(
    text: str, start: int, end: int, first: int, last: int, weight: float, by: float, around: float
) -> Weighed | None:
    """The stretch `start` to `end` replaced by its content (`first` to `last`), with another weight."""
    content = text[first:last]
    if not content.strip():
        return None
    new = round(min(MOST, max(LEAST, weight + by)), 2)
    made = content if math.isclose(new, around, abs_tol=1e-9) else f"({content}:{new:.2f}".rstrip("0").rstrip(".") + ")"
    if made == content and not _same_words(text, text[:start] + made + text[end:]):
        made = f"({content}:{new:g})"  # its end would be read as a number of the group around
    at = start + (made != content)
    return Weighed(text[:start] + made + text[end:], at, at + len(content))


def _same_words(before: str, after: str) -> bool:
    if _groups(after) is None:
        return False
    return "".join(word for word, _ in parse(before)) == "".join(word for word, _ in parse(after))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _chosen(groups: list[_Group], start: int, end: int) -> _Group | None:
    """The group that a selection is, or is the content of; without a selection the innermost around the cursor."""
    if start == end:
        inside = [each for each in groups if each.open < start <= each.close]
        return max(inside, key=lambda each: each.open, default=None)
    exact = ((each.open, each.close + 1) for each in groups)
    for each, (first, last) in zip(groups, exact, strict=True):
        if (start, end) in ((first, last), (first + 1, each.end)):
            return each
    return None


def _whole(groups: list[_Group], start: int, end: int) -> tuple[int, int]:
    """The stretch with every group that it cuts taken in whole; of one number's inside, its group."""
    while True:
        cut = [
            each
            for each in groups
            if start < each.close + 1
            and end > each.open
            and not (start <= each.open and each.close < end)
            and not (each.open < start and end <= each.end)
        ]
        if not cut:
            return start, end
        start, end = min(start, *(each.open for each in cut)), max(end, *(each.close + 1 for each in cut))


def _word(text: str, at: int) -> tuple[int, int] | None:
    """The word at or right before the cursor, without the signs that end a sentence."""
    for found in _WORD.finditer(text):
        start, end = found.span()
        if start <= at <= end:
            while end > start and text[end - 1] in ".;:!?":
                end -= 1
            return (start, end) if start < end else None
    return None


def _weight_at(groups: list[_Group], at: int) -> float:
    inside = [each for each in groups if each.open < at <= each.end]
    return max(inside, key=lambda each: each.open).weight if inside else 1.0


def _letters(text: str) -> Iterator[tuple[str, float]]:
    """Every letter that is no sign of the syntax, with its weight."""
    groups = _groups(text)
    if groups is None:
        yield from ((letter, 1.0) for letter in text)
        return
    opening = {each.open: each for each in groups}
    inside: list[_Group] = []
    at = 0
    while at < len(text):
        if at in opening:
            inside.append(opening[at])
        elif inside and at == inside[-1].end:
            at = inside.pop().close
        else:
            yield text[at], inside[-1].weight if inside else 1.0
        at += 1


def _groups(text: str) -> list[_Group] | None:
    """The groups by their opening parentheses; None if these do not match."""
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []
    escaped = False
    for at, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = text[at + 1 : at + 2] in ("(", ")")
        elif letter == "(":
            waiting.append(at)
        elif letter == ")":
            if not waiting:
                return None
            pairs.append((waiting.pop(), at))
    if waiting:
        return None
    pairs.sort()
    found: list[_Group] = []
    stack: list[_Group] = []
    for first, close in pairs:
        while stack and stack[-1].close < first:
            stack.pop()
        around = stack[-1].weight if stack else 1.0
        end, weight = close, around * PLAIN
        colon = text.rfind(":", first + 2, close)  # a group needs a letter before its number
        if colon > 0 and _NUMBER.fullmatch(text, colon + 1, close):
            end, weight = colon, float(text[colon + 1 : close])
        stack.append(_Group(first, end, close, weight, around))
        found.append(stack[-1])
    return found
