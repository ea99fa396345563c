"""The Settings screen and the help: kept in the file, refused with a reason, drawn from the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from comfytui.settings import files
from comfytui.tui import actions
from comfytui.tui.screens.settings import SettingsView
from comfytui.tui.widgets.line_list import LineList

from .serving import own_folders, ready, said, screen_text, serve, until

__all__ = ["own_folders"]


@pytest.fixture(autouse=True)
def _own(own_folders: Path) -> None:
    """Nobody's settings."""


async def opened(pilot) -> SettingsView:
    await ready(pilot)
    await pilot.app.action_show("settings")
    await until(pilot, lambda: pilot.app.query_one("#settings-list", LineList).keys)
    return pilot.app.query_one(SettingsView)


async def change(pilot, key: str) -> None:
    pilot.app.query_one("#settings-list", LineList).move_to(key)
    await pilot.pause()
    await pilot.press("e")


async def test_settings_are_changed_checked_and_kept() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await change(pilot, "previews")  # a yes becomes a no
        await until(pilot, lambda: not app.settings.previews)
        await change(pilot, "images")  # a choice is picked
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"shad", "enter")
        await until(pilot, lambda: app.settings.images == "shades")
        await change(pilot, "workflow_folders")  # a list is typed
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "~/a, ~/b"
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.workflow_folders == ("~/a", "~/b"))
        await change(pilot, "engine.port")  # a number is checked
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "99999"
        await pilot.press("enter")
        await until(pilot, lambda: app.last_error)
        assert "engine.port" in (app.last_error or "") and app.settings.engine.port == 8188
        kept = files.load()
        assert (kept.previews, kept.images, kept.workflow_folders, kept.engine.port) == (
            False, "shades", ("~/a", "~/b"), 8188,
        )  # fmt: skip
        app.query_one("#settings-list", LineList).move_to("previews")
        await pilot.pause()
        await pilot.press("x")
        await until(pilot, lambda: app.settings.previews)
        assert files.load().previews


async def test_a_theme_is_used_at_once() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await change(pilot, "theme")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"contrast", "enter")
        await until(pilot, lambda: app.palette.theme.name == "contrast")
        assert files.load().theme == "contrast"


async def test_the_servers_facts_and_its_memory() -> None:
    app, server = serve()
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Comfy.Locale" in screen_text(app))
        facts = said(app, "#settings-facts")
        assert "0.3.76" in facts and "cuda:0 NVIDIA" in facts and "15.0/24 GB" in facts
        await pilot.press("F")
        await until(pilot, lambda: any(asked[0] == "free" for asked in server.asked))
        free = next(asked for asked in server.asked if asked[0] == "free")
        assert free[1] == {"unload_models": True, "free_memory": True}


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_small_terminals(size: tuple[int, int]) -> None:
    app, _ = serve()
    async with app.run_test(size=size) as pilot:
        view = await opened(pilot)
        await pilot.press("v")
        assert view.has_class("-server")
        await pilot.press("escape")
        assert not view.has_class("-server")


@pytest.mark.parametrize("size", [(120, 60), (60, 15)])
async def test_help_lists_every_key_of_the_screen_with_the_users_own(size: tuple[int, int]) -> None:
    app, _ = serve(keys={"settings.unload": "ctrl+b"})
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        text = said(app, "Static")
        for action in (*actions.of("settings"), *actions.of(actions.APP), *actions.of(actions.LIST)):
            assert action.description in text
        assert "ctrl+b" in text and "ssh -L" in text
        await pilot.press("j", "k", "escape")
        assert len(app.screen_stack) == 1


async def test_help_shows_on_every_screen() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        for spec in actions.SCREENS:
            await app.action_show(spec.id)
            await pilot.press("f1")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            assert spec.title in screen_text(app)
            await pilot.press("escape")


async def theirs(pilot, key: str) -> None:
    """Go to a setting of the server."""
    lines = pilot.app.query_one("#settings-theirs", LineList)
    await until(pilot, lambda: key in lines.keys, key)
    lines.focus()
    lines.move_to(key)
    await pilot.pause()


async def confirmed(pilot, key: str = "y") -> str:
    """Answer the question; returns it."""
    app = pilot.app
    await until(pilot, lambda: len(app.screen_stack) == 2, "the question")
    await pilot.pause()
    asked = screen_text(app)
    await pilot.press(key)
    await until(pilot, lambda: len(app.screen_stack) == 1, "the answer")
    return asked


async def test_a_setting_of_the_server_is_changed_when_its_kind_is_right_and_it_is_meant() -> None:
    app, server = serve()
    server.theirs = {"Comfy.Grid": 10, "Comfy.Locale": "en", "Comfy.Menu": True, "Comfy.Odd": "a\ufffdb"}
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await theirs(pilot, "Comfy.Menu")
        await pilot.press("e")
        asked = await confirmed(pilot)
        assert "Set Comfy.Menu to no on gpu-box-2:8188?" in asked and "It is yes now." in asked
        await until(pilot, lambda: server.theirs["Comfy.Menu"] is False)
        await theirs(pilot, "Comfy.Grid")
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "wide"
        await pilot.press("enter")
        await until(pilot, lambda: "Comfy.Grid has to be a number" in (app.last_error or ""))
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "20"
        await pilot.press("enter")
        await confirmed(pilot, "n")
        assert server.theirs["Comfy.Grid"] == 10
        await theirs(pilot, "Comfy.Odd")
        await pilot.press("e")
        await until(pilot, lambda: "cannot be shown" in (app.last_error or ""))
        assert server.asked.count(("set_server_setting", "Comfy.Menu", False)) == 1
        assert not [each for each in server.asked if each[0] == "set_server_setting" and each[1] != "Comfy.Menu"]


async def test_nothing_of_the_server_is_changed_while_it_is_read_only() -> None:
    app, server = serve()
    server.read_only = True
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await theirs(pilot, "Comfy.UseNewMenu")
        for key in ("e", "U", "F", "a"):
            await pilot.press(key)
            await pilot.pause()
        assert len(app.screen_stack) == 1
        assert not [each for each in server.asked if each[0] in ("set_server_setting", "free")]


async def test_users_are_told_chosen_and_added() -> None:
    app, server = serve()
    server.routes.answers["/users"] = {"storage": "server", "users": {"ann_1": "ann", "bob_2": "bob"}}
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "2: ann, bob" in screen_text(app))
        assert "nobody: it keeps no settings" in screen_text(app)
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"bob", "enter")
        await until(pilot, lambda: "bob (bob_2)" in screen_text(app))
        assert server.account.user == "bob_2"
        await pilot.press("a")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "Ann"
        await pilot.press("enter")
        await until(pilot, lambda: "user Ann already" in (app.last_error or ""))


async def test_settings_are_found_by_words() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"locale")
        await until(pilot, lambda: app.query_one("#settings-theirs", LineList).keys == ("Comfy.Locale",))
        assert "No setting matches 'locale'" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.query_one("#settings-list", LineList).keys) > 10)


async def test_keys_change_nothing_that_is_not_shown() -> None:
    app, _ = serve()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.query_one("#settings-list", LineList).move_to("previews")
        await pilot.press("v")
        await pilot.pause()
        await pilot.press("e", "x")
        await pilot.pause()
        assert app.settings.previews and len(app.screen_stack) == 1


async def test_what_is_not_as_it_is_by_default_has_a_sign_and_not_only_a_colour() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "•previews" not in screen_text(app)
        await change(pilot, "previews")
        await until(pilot, lambda: "•previews" in screen_text(app))


async def test_what_is_wrong_with_the_users_keys_is_told_here_too() -> None:
    app, _ = serve(keys={"queue.cancl": "x", "app.help": "ctrl+i"})
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "✗ 2 wrong" in screen_text(app)
        await change(pilot, "keys")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await until(pilot, lambda: "queue.cancel" in screen_text(app) and "'ctrl+i' is tab" in screen_text(app))
