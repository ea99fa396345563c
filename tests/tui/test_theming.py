"""Themes while the dashboard runs: saved files are shown, broken ones named, and no colours where there are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from comfytui.settings.files import config_dir
from comfytui.tui import theme
from comfytui.tui.app import Dashboard
from tests.tui import sample
from tests.tui.support import running, settle, text, until

OWN = '[roles]\naccent = "{}"\n'


@pytest.fixture(autouse=True)
def good_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


def save(name: str, content: str) -> Path:
    """A user's theme, saved; its time differs from that of the save before, however fast they follow each other."""
    path = config_dir() / "themes" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(content, "utf-8")
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))
    return path


def colours(app: Dashboard) -> set[str]:
    """Every colour on the screen, as #rrggbb."""
    found = set()
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                if colour is not None and colour.triplet is not None:
                    found.add(colour.triplet.hex)
    return found


def told(app: Dashboard) -> str:
    return app.last_error or ""


async def looked(pilot: Pilot[Any], app: Dashboard) -> None:
    await app.theming.look()
    await settle(pilot)


async def test_a_saved_theme_is_shown_on_lines_borders_and_dialogs() -> None:
    save("mine", OWN.format("#00fefe"))
    async with running(sample.busy(), (120, 40), "2", theme="mine") as (pilot, app, _):
        assert "#00fefe" in colours(app)
        await pilot.press("question_mark")
        await settle(pilot)
        save("mine", OWN.format("#fe00fe") + 'text = "#fedcba"\npanel = "#010203"\n')
        await looked(pilot, app)
        await pilot.press("escape")
        await settle(pilot)
        assert {"#fe00fe", "#fedcba", "#010203"} <= colours(app)
        assert "#00fefe" not in colours(app)
        assert not told(app)


async def test_the_file_is_looked_after_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.tui.theming.POLL", 0.01)
    save("mine", OWN.format("#00fefe"))
    async with running(sample.busy(), theme="mine") as (pilot, app, _):
        save("mine", OWN.format("#fe00fe"))
        await until(pilot, lambda: app.palette.theme.roles.accent == "#fe00fe")


async def test_a_theme_that_is_broken_while_it_is_used_is_named_and_the_colours_stay() -> None:
    path = save("mine", OWN.format("#00fefe"))
    async with running(sample.busy(), theme="mine") as (pilot, app, _):
        save("mine", "[roles]\naccent = 'orangey'\n")
        await looked(pilot, app)
        assert not told(app)  # an editor may be half-way through
        await looked(pilot, app)
        assert f"theme {path}: roles.accent: 'orangey' is no colour" in told(app)
        assert app.palette.theme.roles.accent == "#00fefe"
        save("mine", OWN.format("#fe00fe"))
        await looked(pilot, app)
        assert app.palette.theme.roles.accent == "#fe00fe"
        assert not told(app)


async def test_a_theme_may_vanish_and_come_back() -> None:
    path = save("mine", OWN.format("#00fefe"))
    async with running(sample.busy(), theme="mine") as (pilot, app, _):
        path.unlink()
        for _ in range(3):
            await looked(pilot, app)
        assert "no theme 'mine'" in told(app)
        assert app.palette.theme.roles.accent == "#00fefe"
        save("mine", OWN.format("#fe00fe"))
        await looked(pilot, app)
        assert app.palette.theme.roles.accent == "#fe00fe"


async def test_a_users_file_takes_the_place_of_ours_while_ours_is_used() -> None:
    async with running(sample.busy()) as (pilot, app, _):
        path = save("dark", OWN.format("#00fefe"))
        await looked(pilot, app)
        assert app.palette.theme.roles.accent == "#00fefe"
        path.unlink()
        await looked(pilot, app)
        assert app.palette.theme.roles == theme.load("dark").roles


async def test_a_theme_that_was_broken_at_the_start_is_used_as_soon_as_it_is_mended() -> None:
    save("mine", "[roles")
    async with running(sample.busy(), theme="mine") as (pilot, app, _):
        assert app.palette.theme.name == "dark"
        assert "mine.toml: it is not TOML" in told(app)
        save("mine", OWN.format("#fe00fe"))
        await looked(pilot, app)
        assert app.palette.theme.roles.accent == "#fe00fe"
        assert not told(app)


async def test_a_theme_by_its_path_is_watched_and_is_among_those_to_choose(tmp_path: Path) -> None:
    path = tmp_path / "my theme.toml"
    path.write_text(OWN.format("#00fefe"), "utf-8")
    async with running(sample.busy(), theme=str(path)) as (pilot, app, _):
        assert app.palette.theme.roles.accent == "#00fefe"
        path.write_text(OWN.format("#fe00fe") + "\n", "utf-8")
        await looked(pilot, app)
        assert app.palette.theme.roles.accent == "#fe00fe"
        names = [await app.theming.next() for _ in range(len(theme.available()) + 1)]
        assert names == [*theme.available(), str(path)]


async def test_choosing_passes_over_broken_ones_and_names_them_once() -> None:
    save("dark2", "[roles]\nacent = '#ffffff'\n")
    names = [*theme.available()]
    async with running(sample.busy()) as (pilot, app, _):
        turn = [await app.theming.next() for _ in names]
        assert turn == [*names[names.index("dark") + 1 :], *names[: names.index("dark") + 1]]
        assert "dark2.toml: roles.acent" in told(app)
        app.say("good")
        assert [await app.theming.next() for _ in names] == turn
        assert not told(app)
        await settle(pilot)


async def test_a_broken_one_that_is_chosen_changes_nothing() -> None:
    save("mine", "dark = 3")
    async with running(sample.busy(), theme="light") as (pilot, app, _):
        app.theming.use("mine")
        await settle(pilot)
        assert (app.theming.name, app.palette.theme.name) == ("light", "light")
        assert "dark: 3 is not true or false" in told(app)


@pytest.mark.parametrize("kind", ["vt100", "vt220", "xterm-mono", "linux-m"])
async def test_terminals_without_colours_get_none(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("TERM", kind)
    async with running(sample.busy(), (80, 24), "2") as (_, app, _):
        assert app.no_color
        strips = app.screen._compositor.render_strips()
        assert "lighthouse" in text(app)
        assert app.get_line_filters()[0].apply(list(strips[3]), app.screen.background_colors[1])[0].style is not None


async def test_xterm_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("xterm-256color", "vte-256color", "screen", "linux"):
        monkeypatch.setenv("TERM", kind)
        app, _ = sample.dashboard(sample.idle())
        assert not app.no_color, kind
