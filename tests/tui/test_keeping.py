from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from comfytui.settings import memory
from comfytui.settings.schema import Profile, Settings
from comfytui.tui import keeping
from comfytui.tui.screens.models import ModelsView
from comfytui.tui.widgets.line_list import LineList
from tests.tui import sample
from tests.tui.support import running, settle, text, until


async def test_the_next_run_starts_where_this_one_ended_and_shows_its_filter() -> None:
    async with running(sample.busy(4), (120, 40), "6", "slash", *"gpu") as (pilot, app, _):
        assert app.current == "servers"
        await pilot.press("enter")
        await settle(pilot)
        app.exit()
    assert memory.recall().screen == "servers"
    async with running(sample.busy(4), (120, 40)) as (_, app, _):
        assert app.current == "servers"
        view = app.view
        assert view is not None
        assert view.query_one(Input).value == "gpu" and view.query_one(Input).region.area
        assert "gpu" in text(app)
        assert isinstance(app.focused, LineList)


async def test_a_filter_that_was_left_is_not_remembered() -> None:
    async with running(sample.busy(4), (120, 40), "6", "slash", *"gpu", "enter", "escape") as (_, app, _):
        app.exit()
    assert not memory.recall().screens["servers"].filter


async def test_panes_are_remembered_and_nothing_is_where_the_settings_say_so() -> None:
    async with running(sample.busy(4), (80, 24), "v") as (_, app, _):
        assert app.view is not None and app.view.has_class("-log")
        app.exit()
    async with running(sample.busy(4), (80, 24)) as (_, app, _):
        assert app.view is not None and app.view.has_class("-log")
    before = memory.recall()
    async with running(sample.busy(4), (80, 24), "3", remember=False) as (_, app, _):
        assert app.stage.of("live") is not None and not app.stage.of("live").has_class("-log")  # type: ignore[union-attr]
    assert memory.recall() == before


def test_the_last_server_is_used_only_where_nobody_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.remember_server("box")
    named = Settings(servers={"box": Profile(url="http://box:8188")})
    assert keeping.last_server(named) == "box"
    assert keeping.last_server(Settings()) is None  # the settings no longer have it
    assert keeping.last_server(Settings(server="other", servers=named.servers)) is None
    assert keeping.last_server(Settings(remember=False, servers=named.servers)) is None
    memory.remember_server("10.0.0.7:8188")
    assert keeping.last_server(Settings()) == "10.0.0.7:8188"
    monkeypatch.setenv("COMFYTUI_SERVER", "other:8188")
    assert keeping.last_server(Settings()) is None


def test_while_a_recording_is_played_nothing_is_recalled_or_remembered(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    memory.remember(path, screen="queue")
    token = memory.RESTING.set(True)
    try:
        assert memory.recall(path) == memory.Memory()
        memory.remember(path, screen="logs")
    finally:
        memory.RESTING.reset(token)
    assert memory.recall(path).screen == "queue"


async def test_panes_and_orders_are_taken_up_and_their_keys_go_to_what_is_shown() -> None:
    for key, screen, pressed in (("9", "models", ("o", "v")), ("8", "settings", ("v",)), ("4", "nodes", ("v",))):
        async with running(sample.idle(), (80, 24), key, *pressed) as (_, app, _):
            assert app.view is not None and app.view.screen_id == screen
            left, shown = dict(app.view.chosen), text(app)
            app.exit()
        assert memory.recall().screens[screen].chosen == left
        async with running(sample.idle(), (80, 24)) as (pilot, app, _):
            assert app.view is not None and dict(app.view.chosen) == left
            if screen != "nodes":  # there are none here, and the list says why whatever was chosen
                await until(pilot, lambda shown=shown: text(app) == shown, screen)  # type: ignore[misc]
            assert app.focused is not None and app.focused.region.area


def test_an_order_or_a_pane_that_is_not_known_any_more_is_left_out() -> None:
    memory.remember(screens={"models": memory.ScreenMemory(chosen={"order": "by smell", "pane": "cellar"})})
    view = ModelsView()
    view.take_up(memory.recall().screens["models"].chosen)
    assert view.chosen == ModelsView().chosen
