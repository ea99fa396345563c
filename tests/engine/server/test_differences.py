"""The page about differences from ComfyUI says what the comparison leaves out."""

from __future__ import annotations

import re

from tests.engine.server.differences import DIFFERENCES, FREE, OPEN, UNORDERED
from tests.support.engine import REPOSITORY

PAGE = REPOSITORY / "docs/differences.md"


def test_every_difference_is_written_down() -> None:
    headings = set(re.findall("^## (.+)$", PAGE.read_text(), re.MULTILINE))
    assert {difference.heading for difference in DIFFERENCES} <= headings


def test_every_reason_is_a_paragraph() -> None:
    sections = re.split("^##? .+$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    titles = re.findall("^(##?) (.+)$", PAGE.read_text(), re.MULTILINE)
    empty = [title for (level, title), text in zip(titles, sections, strict=True) if level == "##" and not text.strip()]
    assert not empty


def test_every_value_that_is_not_compared_is_named() -> None:
    page = PAGE.read_text()
    patterns = [pattern.pattern for pattern in (*FREE, *UNORDERED, *OPEN)]
    names = {name for pattern in patterns for name in re.findall(r"[a-z]{3,}(?:_[a-z]+)*", pattern)}
    assert {"ram_total", "executed", "traceback"} <= names
    assert sorted(name for name in names if name not in page) == []
