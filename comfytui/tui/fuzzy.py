"""Fuzzy matching of what somebody types with names: how well it matches, and which letters did.

Pure. A word matches a name that holds it, whose words it abbreviates (`cte`, CLIPTextEncode), or that has its letters in
order and close together (`ksmplr`, KSampler).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Span = tuple[int, int]  # from, to (exclusive), in characters

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
MIN_SPREAD = 3  # letters of a word that may be strewn; shorter ones are found everywhere


def words_of(text: str) -> list[str]:
    """The words of a name, lowered: CLIPTextEncode has three, sd_xl_base-1.0 six."""
    return [found.group().lower() for found in _WORDS.finditer(text)]


def spread(word: str, text: str) -> int:
    """How many letters of `text` it takes to find those of `word` in order; 0 if they are not there, or strewn."""
    first = text.find(word[:1])
    # From the first place where the word's first letter stands, as a person reads; then from each later one, for the
    # letters of "ksampler" in "k diffusion sampler" lie close only from the second on.
    while first >= 0:
        at = first
        for letter in word[1:]:
            at = text.find(letter, at + 1)
            if at < 0:
                return 0
        if at - first < 2 * len(word):
            return at - first + 1
        first = text.find(word[0], first + 1)
    return 0


def score(word: str, text: str) -> float:
    """How well a lowered word matches a name, 0 for not at all; what a name begins with counts most."""
    if not word:
        return 1.0
    low = text.lower()
    if (at := low.find(word)) >= 0:
        if at == 0:
            return 100.0 if len(low) == len(word) else 90.0
        return 70.0 if not low[at - 1].isalnum() or text[at].isupper() else 60.0
    if len(word) > 1 and word in "".join(part[0] for part in words_of(text)):
        return 50.0
    if len(word) >= MIN_SPREAD and (letters := spread(word, low)):
        return 20.0 + 15.0 * len(word) / letters
    return 0.0


def ranked(query: str, names: Sequence[str]) -> list[int]:
    """The places of the names that every word of `query` matches, best first; all of them in order for an empty one."""
    words = query.lower().split()
    if not words:
        return list(range(len(names)))
    found: list[tuple[float, int]] = []
    for place, name in enumerate(names):
        total = 0.0
        for word in words:
            one = score(word, name)
            if not one:
                break
            total += one
        else:
            found.append((len(name) / 200 - total, place))
    return [place for _, place in sorted(found)]


def spans(text: str, words: Iterable[str]) -> tuple[Span, ...]:
    """Which letters of `text` the lowered words match, in order and without overlaps."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose small form is two: no place in one is a place in the other
        return ()
    marked: set[int] = set()
    for word in words:
        if word:
            marked.update(_letters(word, text, low))
    found: list[Span] = []
    for place in sorted(marked):
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return tuple(found)


def _letters(word: str, text: str, low: str) -> Iterable[int]:
    if (at := low.find(word)) >= 0:
        return range(at, at + len(word))
    starts = [found.start() for found in _WORDS.finditer(text)]
    if len(word) > 1 and (at := "".join(low[start] for start in starts).find(word)) >= 0:
        return starts[at : at + len(word)]
    if len(word) < MIN_SPREAD or not spread(word, low):
        return ()
    return _strewn(word, low)


def _strewn(word: str, low: str) -> list[int]:
    first = low.find(word[0])
    while first >= 0:
        places = [first]
        for letter in word[1:]:
            places.append(low.find(letter, places[-1] + 1))
        if -1 not in places and places[-1] - first < 2 * len(word):
            return places
        first = low.find(word[0], first + 1)
    return []
