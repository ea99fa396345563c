"""What the doctor has found: facts with a judgement, and the lines that fix what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby

import msgspec


class State(StrEnum):
    OK = "ok"
    NOTE = "note"  # could be better, or is good to know; nothing is wrong
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """One fact. `fix`: exact lines that make it right; `where` says where they go."""

    section: str
    name: str
    value: str
    state: State = State.OK
    where: str = ""
    fix: tuple[str, ...] = ()


NAME = 17  # columns
_SIGNS = {State.OK: "ok", State.NOTE: "--", State.WRONG: "!!"}


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The findings as text: plain ASCII signs, for a terminal about which nothing is known yet."""
    for section, members in groupby(findings, key=lambda each: each.section):
        yield section
        for each in members:
            first, *rest = each.value.split("\n")
            yield f"  {_SIGNS[each.state]}  {each.name:<{NAME}} {first}".rstrip()
            yield from (f"{'':{NAME + 7}}{line}" for line in rest)
            if each.fix:
                yield f"{'':{NAME + 7}}{each.where}:"
                yield from (f"{'':{NAME + 9}}{line}" for line in each.fix)
        yield ""
    wrong = sum(each.state is State.WRONG for each in findings)
    yield "Nothing is wrong." if not wrong else f"{wrong} wrong (!!). -- is no fault: it could be better."


def ok(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(each.state is not State.WRONG for each in findings)
