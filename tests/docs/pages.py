"""The pages as text: their blocks of code, their links, their headings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


class Block(NamedTuple):
    """Code between fences: of which language, and what `<!-- example: NAME -->` before it calls it."""

    page: str
    language: str
    text: str
    name: str


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page, of one language or of all."""
    found = re.findall(
        r"(?:<!-- example: ([\w-]+) -->\n)?^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M
    )
    return [Block(page.name, kind, text, name) for name, kind, text in found if not language or kind == language]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def links(page: Path) -> list[str]:
    """Where a page points to, pictures among it."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as MkDocs and GitHub make them."""
    titles = re.findall(r"^#+ +(.+?)\s*$", prose(page), flags=re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}
