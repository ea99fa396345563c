"""Every screen has its picture and its section, and the pictures are what a page can show anywhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import tour
from svg_screen import svg

from comfytui.tui import actions
from tests.docs.pages import DOCS, prose
from tests.tui import sample
from tests.tui.support import running

PICTURES = sorted((DOCS / "tour").glob("*.svg"))


def test_no_screen_is_missing() -> None:
    assert tour.missing() == []


def test_a_screen_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    more = actions.ScreenSpec("uptime", "0", "Uptime", "nowhere:UptimeView")
    monkeypatch.setattr(actions, "SCREENS", (*actions.SCREENS, more))
    monkeypatch.setitem(tour.SCENES, "unseen", tour.Scene("live"))
    told = "\n".join(tour.missing())
    assert "Uptime: no scene" in told
    assert "Uptime: no section" in told
    assert "unseen: no picture" in told


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_whole_and_fetches_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)(?!127\.0\.0\.1|gpu-box|studio\.example)", text)
    assert "@font-face" not in text and "<style" not in text and "href" not in text
    assert not tour.private(text)
    assert len(text) < 250_000


def test_the_keys_in_the_tour_are_bound() -> None:
    page = DOCS / "tour.md"
    names = {"*": "asterisk", "/": "slash", "?": "question_mark", ":": "colon", "space": "space", "F5": "f5"}
    bound = {key for action in actions.ACTIONS for key in action.keys.split(",")}
    for told in re.findall(r"`([^`\s]{1,6})`", prose(page)):
        if len(told) == 1 or told in names or told.startswith("ctrl+"):
            assert names.get(told, told) in bound, told


async def test_a_screen_becomes_a_picture() -> None:
    async with running(sample.busy(), (80, 24)) as (_, app, _):
        strips = app.screen._compositor.render_strips()
        text = svg(strips, "a <title>")
    root = ET.fromstring(text)
    told = " ".join("".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "KSampler" in told
    assert "─" not in told  # lines are shapes: they meet in every font
    assert "a &lt;title&gt;" in text


def test_an_empty_screen_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        svg([], "empty")
