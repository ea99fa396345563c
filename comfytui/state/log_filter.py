"""A filter for lines of a log: `cuda level:warning -deprecated "out of memory"`. Pure functions."""

from __future__ import annotations

import re
import shlex

import msgspec

from comfytui.state.filters import BadFilter
from comfytui.state.log_levels import RANK, Level
from comfytui.state.logs import Line

HINT = "words; level:error, level:warning …; -word leaves out"
LEVELS = tuple(level.value for level in Level if level.value)


class LogFilter(msgspec.Struct, frozen=True):
    """All words are in the line, none of `without` is, and it is as bad as `rank` or worse. Case does not matter."""

    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rank: int = 0

    def matches(self, line: Line) -> bool:
        if RANK[line.level] < self.rank:
            return False
        text = line.text.lower()
        return all(word in text for word in self.words) and not any(word in text for word in self.without)

    @property
    def empty(self) -> bool:
        return not (self.words or self.without or self.rank)


def parse(text: str) -> LogFilter:
    """Read a filter. Raises BadFilter naming the term and what would be right."""
    words: list[str] = []
    without: list[str] = []
    rank = 0
    for term in _terms(text):
        key, colon, value = term.partition(":")
        if colon and key.lower() == "level":
            known = [level for level in LEVELS if value and level.startswith(value.lower())]
            if not known:
                raise BadFilter(f"level:{value} is no level: there is {', '.join(LEVELS)}")
            rank = RANK[Level(known[0])]
        elif len(term) > 1 and term[0] == "-":
            without.append(term[1:].lower())
        else:
            words.append(term.lower())
    return LogFilter(tuple(words), tuple(without), rank)


def spans(text: str, wanted: LogFilter) -> list[tuple[int, int]]:
    """Where the words stand in a text, in order; places in lower case are places in the text as it is."""
    low = text.lower()
    if not wanted.words or len(low) != len(text):  # İ and its like change the length
        return []
    found = re.finditer("|".join(re.escape(word) for word in sorted(wanted.words, key=len, reverse=True)), low)
    return [match.span() for match in found]


def _terms(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed yet, or an apostrophe
        return text.split()
