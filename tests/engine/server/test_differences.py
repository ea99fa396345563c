"""The page about differences from ComfyUI says what the comparison leaves out."""

from __future__ import annotations

import re

from tests.engine.server.differences import DIFFERENCES
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
