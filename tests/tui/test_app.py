from __future__ import annotations

import pytest
from msgspec.structs import replace

from comfytui.client.errors import Unreachable
from comfytui.settings.memory import recall
from comfytui.state.model import Phase
from comfytui.tui.actions import SCREENS
from tests.tui import sample
from tests.tui.support import line, running, settle, text


async def test_numbers_switch_screens() -> None:
    async with running(sample.idle()) as (pilot, app, _):
        for spec in SCREENS:
            await pilot.press(spec.key)
            await settle(pilot)
            assert app.current == spec.id
            assert app.view is not None
            assert app.view.has_focus_within or app.view.has_focus


async def test_a_clicked_tab_is_shown() -> None:
    async with running(sample.idle()) as (pilot, app, _):
        await pilot.click("#tabs", offset=(10, 0))
        await settle(pilot)
        assert app.current == "queue"


async def test_hidden_screens_draw_nothing_and_are_right_when_shown() -> None:
    async with running(sample.busy(4), (120, 40), "2", "1") as (pilot, app, connection):
        queue = app.stage.of("queue")
        assert queue is not None
        drawn = []
        queue.on_state = lambda old, new: drawn.append(new)  # type: ignore[method-assign]
        connection.become(sample.busy(2))
        await settle(pilot)
        assert drawn == []
        await pilot.press("2")
        await settle(pilot)
        assert drawn == [connection.state]


async def test_many_changes_are_one_drawing() -> None:
    async with running(sample.busy()) as (pilot, app, connection):
        drawn = []
        view = app.view
        assert view is not None
        view.on_state = lambda old, new: drawn.append(new)  # type: ignore[method-assign]
        for version in range(200):
            connection.become(replace(connection.state, version=version))
        await settle(pilot)
        assert len(drawn) <= 2
        assert drawn[-1].version == 199


async def test_an_error_is_told_and_kept_and_shown_in_full() -> None:
    async with running(sample.busy(), (120, 40), "2") as (pilot, app, connection):
        connection.fails = Unreachable("http://gpu-box-2:8188 does not answer: timed out.")
        await pilot.press("i")
        await settle(pilot)
        assert app.last_error == "interrupt: http://gpu-box-2:8188 does not answer: timed out."
        await pilot.press("ctrl+e")
        await settle(pilot)
        assert "does not answer: timed out" in text(app)


async def test_the_footer_leaves_out_what_is_not_allowed() -> None:
    async with running(sample.idle(), (120, 40), "2") as (_, app, _):
        assert "cancel" not in line(app, "footer")
    async with running(sample.busy(), (120, 40), "2") as (_, app, _):
        assert "x cancel" in line(app, "footer")


async def test_a_key_of_the_users_replaces_ours() -> None:
    async with running(sample.busy(), (120, 40), "2", keys={"cancel": "ctrl+b"}) as (pilot, app, connection):
        assert "ctrl+b cancel" in line(app, "footer")
        await pilot.press("j", "ctrl+b")
        await settle(pilot)
        assert ("cancel", [connection.state.waiting[0]]) in connection.asked


async def test_every_theme_draws() -> None:
    async with running(sample.busy(), (120, 40), "2") as (pilot, app, _):
        for theme in ("light", "contrast", "muted", "terminal"):
            app.theming.use(theme)
            await settle(pilot)
            assert app.palette.theme.name == theme
            assert "lighthouse" in text(app)


async def test_a_broken_theme_falls_back_and_says_so() -> None:
    async with running(sample.idle(), theme="nope") as (_, app, _):
        assert app.palette.theme.name == "dark"
        assert app.last_error is not None
        assert "nope" in app.last_error


async def test_the_next_theme_is_kept() -> None:
    from comfytui.settings.files import load

    async with running(sample.busy(), (120, 40), "ctrl+t") as (_, app, _):
        assert app.palette.theme.name != "dark"
        assert load().theme == app.palette.theme.name


async def test_any_size_and_any_change_of_it_is_survived() -> None:
    async with running(sample.busy()) as (pilot, app, _):
        for key in ("1", "2", "3"):
            await pilot.press(key)
            for size in ((1, 1), (40, 10), (60, 15), (200, 60), (119, 23), (3, 80), (120, 40)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
        assert "portrait_v4" in text(app)


async def test_a_tiny_terminal_keeps_the_status_and_the_bar() -> None:
    async with running(sample.busy(), (40, 10)) as (_, app, _):
        assert "14/30" in line(app, "status")
        assert "%" in line(app, "running-bar")


async def test_while_nothing_runs_small_changes_of_memory_are_no_news() -> None:
    async with running(sample.idle()) as (pilot, app, connection):
        before = text(app)
        stats = sample.stats(3)
        connection.become(replace(connection.state, stats=replace(stats, ram_free=stats.ram_free - 200_000_000)))
        await settle(pilot)
        assert text(app) == before
        connection.become(replace(connection.state, stats=replace(stats, ram_free=stats.ram_free - 8_000_000_000)))
        await settle(pilot)
        assert text(app) != before


async def test_a_jittering_network_repaints_nothing() -> None:
    async with running(sample.idle()) as (pilot, app, connection):
        before = line(app, "tabs")
        connection.become(replace(connection.state, link=replace(connection.state.link, latency=0.019)))
        await settle(pilot)
        assert line(app, "tabs") == before


@pytest.mark.parametrize("phase", [Phase.REFUSED, Phase.RECONNECTING, Phase.CONNECTING])
async def test_an_absent_server_is_told_with_what_to_do(phase: Phase) -> None:
    state = sample.idle(0)
    link = replace(state.link, phase=phase, error="connection refused. Is ComfyUI running there?")
    async with running(replace(state, link=link, history_loaded=False)) as (pilot, app, connection):
        shown = text(app)
        assert "connection refused. Is ComfyUI running there?" in shown
        assert "http://gpu-box-2:8188" in shown
        assert "r tries again now" in shown
        await pilot.press("r")
        await settle(pilot)
        assert ("retry_now",) in connection.asked


async def test_while_reconnecting_what_is_known_stays() -> None:
    state = sample.busy()
    link = replace(state.link, phase=Phase.RECONNECTING, error="the connection was lost")
    async with running(replace(state, link=link)) as (_, app, _):
        assert "CheckpointLoaderSimple" in text(app)
        assert "reconnecting" in line(app, "status")


async def test_leaving_closes_the_connection() -> None:
    async with running(sample.idle()) as (pilot, app, connection):
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert ("close",) in connection.asked
        assert app.return_value == 0


async def test_the_palette_runs_an_action_by_its_name() -> None:
    async with running(sample.busy(), (120, 40), "2") as (pilot, app, connection):
        await pilot.press("ctrl+p")
        await pilot.pause(0.1)
        await pilot.press(*"interrupt")
        for _ in range(100):
            await pilot.pause(0.02)
            if "Stop what runs" in text(app):
                break
        await pilot.press("enter")
        await settle(pilot)
        assert ("interrupt", connection.state.running[0]) in connection.asked
        assert recall() is not None


async def test_a_key_pressed_before_the_first_screen_is_there_is_honoured() -> None:
    app, _ = sample.dashboard(sample.idle())
    async with app.run_test(size=(100, 30)) as pilot:
        await app.action_show("queue")
        app.connect = lambda: None  # type: ignore[method-assign] # it has been, by the first beginning
        await app._begin()
        await settle(pilot)
        assert app.current == "queue"
        assert app.view is not None and app.view.screen_id == "queue" and app.view.display


async def test_the_tabs_have_their_names_back_in_a_wider_terminal() -> None:
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        assert "2 Queue" not in line(app, "tabs")
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert "2 Queue" in line(app, "tabs")
