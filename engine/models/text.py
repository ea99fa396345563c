"""Turns a prompt into weighted tokens: parentheses, explicit weights, escapes, embeddings, chunks of 75.

The syntax is ComfyUI's: `(word)` weighs 1.1 times its surroundings, `(word:1.3)` weighs 1.3 whatever
surrounds it, `\\(` and `\\)` are plain parentheses, square brackets mean nothing, and
`embedding:name` stands for the vectors of a textual inversion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

EMPHASIS = 1.1  # what a pair of parentheses without a number multiplies by
CHUNK = 75  # tokens between the start and the end token
WHOLE_WORD = 8  # shorter runs of tokens are not cut at the end of a chunk, but moved to the next one
MAX_DEPTH = 100  # of parentheses; deeper ones are text (and 1.1 ** 100 is 13780 already)

_EMBEDDING = "embedding:"
_OPEN, _CLOSE = "\ue000", "\ue001"  # stand for escaped parentheses; private characters that no keyboard gives

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the prompt and its weight."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token id, or a vector (one row of an embedding) in its place, with a weight."""

    value: object
    weight: float = 1.0


def parse(prompt: str) -> list[Span]:
    """Spans of the prompt, in order, with their weights; escaped parentheses are restored. Never raises."""
    escaped = prompt.replace(r"\(", _OPEN).replace(r"\)", _CLOSE)
    return [Span(s.text.replace(_OPEN, "(").replace(_CLOSE, ")"), s.weight) for s in _weigh(escaped, 1.0, 0)]


def _weigh(text: str, weight: float, depth: int) -> list[Span]:
    spans: list[Span] = []
    for piece in _split(text):
        if not (depth < MAX_DEPTH and len(piece) >= 2 and piece[0] == "(" and piece[-1] == ")"):
            spans.append(Span(piece, weight))
            continue
        inner, number = _explicit(piece[1:-1])
        spans += _weigh(inner, weight * EMPHASIS if number is None else number, depth + 1)
    return spans


def _explicit(text: str) -> tuple[str, float | None]:
    """`"word:1.3"` → `("word", 1.3)`; text without a number, or with one that is not finite, stays whole."""
    head, colon, tail = text.rpartition(":")
    if not colon or not head:
        return text, None
    try:
        number = float(tail)
    except ValueError:
        return text, None
    return (head, number) if math.isfinite(number) else (text, None)


def _split(text: str) -> list[str]:
    """The outermost pairs of parentheses, each with its parentheses, and what lies between them.

    Parentheses that close nothing stay text, and a pair that is never closed runs to the end.
    """
    pieces: list[str] = []
    start = depth = 0
    for i, c in enumerate(text):
        if c == "(":
            if depth == 0:
                pieces.append(text[start:i])
                start = i
            depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0:
                pieces.append(text[start : i + 1])
                start = i + 1
    pieces.append(text[start:])
    return [p for p in pieces if p]


def tokenize(
    prompt: str,
    encode: Callable[[str], Sequence[int]],
    embedding: Callable[[str], Sequence[object] | None] = lambda name: None,
) -> list[list[Token]]:
    """Runs of tokens that belong together, in order.

    `encode` gives the ids of a text without start and end tokens; `embedding` gives the vectors of a
    name, or None where there is none (the name is then dropped, and the prompt goes on).
    """
    runs: list[list[Token]] = []
    for span in parse(prompt):
        for part in re.split(rf"[ \n](?={_EMBEDDING})", span.text):
            text = part
            if text.startswith(_EMBEDDING):
                vectors, text = _resolve(text.removeprefix(_EMBEDDING), embedding)
                if vectors:
                    runs.append([Token(v, span.weight) for v in vectors])
            if text:
                runs.append([Token(i, span.weight) for i in encode(text)])
    return [run for run in runs if run]


def _resolve(text: str, embedding: Callable[[str], Sequence[object] | None]) -> tuple[Sequence[object] | None, str]:
    """The vectors of the name that `text` begins with, and the text after the name."""
    words = text.split()
    if not words:
        return None, ""
    name, rest = words[0], " ".join(words[1:])
    if (vectors := embedding(name)) is not None:
        return vectors, rest
    bare = name.strip(",")  # "embedding:name, more": the comma belongs to the prompt, unless a file has it
    if bare == name:
        return None, rest
    return (embedding(bare) if bare else None), f"{name[len(bare) :]} {rest}"


def chunk(
    runs: Sequence[Sequence[Token]], start: Token, end: Token, pad: Token, size: int = CHUNK
) -> list[list[Token]]:
    """Lists of exactly `size` + 2 tokens, each `start`, tokens, `end`, padding; at least one list."""
    chunks: list[list[Token]] = []
    current: list[Token] = []
    for run in runs:
        left = list(run)
        whole = len(left) < WHOLE_WORD
        while left:
            room = size - len(current)
            if len(left) <= room:
                current += left
                break
            if not whole:
                current += left[:room]
                left = left[room:]
            chunks.append(current)
            current = []
            whole = whole and len(left) <= size
    chunks.append(current)
    return [[start, *c, end, *[pad] * (size - len(c))] for c in chunks]
