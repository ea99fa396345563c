"""Logs on a real connection: live, followed, filtered, told without colours, and not asked for while hidden."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from textual.pilot import Pilot
from textual.widgets import Input

from comfytui.client.messages import LogPiece
from comfytui.client.target import Target
from comfytui.settings.schema import Settings
from comfytui.state.connection import Connection
from comfytui.state.server_log import Told
from comfytui.tui.app import Dashboard
from comfytui.tui.screens.logs import LogsView
from comfytui.tui.widgets.log_lines import LogLines
from tests.support.replay import FakeComfy
from tests.tui import sample
from tests.tui.support import compare, running, text, until
from tests.tui.test_server import connected, shows

ROUTE = "/internal/logs/subscribe"
PRINTED = """\
Starting server
got prompt
WARNING: the model is old
ERROR:root:!!! Exception during processing !!! CUDA out of memory
Traceback (most recent call last):
  File "/opt/comfy/execution.py", line 510, in execute
    output_data, output_ui = await get_output_data(prompt_id, unique_id, obj, input_data_all, hidden_inputs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
Prompt executed in 3.21 seconds
[DEBUG] garbage collected
"""


def printed(connection: sample.StubConnection, words: str = PRINTED, first: int = 0) -> None:
    lines = words.splitlines()
    connection.log.log.feed(
        LogPiece(f"{line}\n", f"2026-11-23T19:05:{(first + n) % 60:02}.746813") for n, line in enumerate(lines)
    )
    for follower in connection.log.followers:
        follower()


def lines(app: Dashboard) -> LogLines:
    return app.default_screen.query_one(LogLines)


async def settled(pilot: Pilot[Any]) -> None:
    """Return when what was printed is drawn."""
    app = pilot.app
    assert isinstance(app, Dashboard)
    view = app.default_screen.query_one(LogsView)
    await until(pilot, lambda: view._soon is None, "the drawing")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15)])
async def test_how_it_looks(size: tuple[int, int]) -> None:
    async with running(sample.idle(), size, "7") as (pilot, app, connection):
        printed(connection)
        connection.log.log.feed(LogPiece(f"\r {n:2}%|#########           | {n}/100") for n in range(48))
        await settled(pilot)
        shown = text(app)
        assert re.search(r"W WARNING: the model", shown) and re.search(r"E ERROR:root", shown)
        assert "│ torch.OutOfMemoryError" in shown and "47%" in shown and "46%" not in shown
        if size != (60, 15):
            compare(f"logs-{size[0]}x{size[1]}", shown)


async def test_lines_come_live_and_only_while_the_screen_is_shown() -> None:
    async with FakeComfy() as server, connected(server) as (pilot, app):
        await pilot.press("7")
        await until(pilot, shows(app, "Starting server"), "what was printed before")
        await until(pilot, lambda: bool(server.log_readers), "the subscription")
        await server.prints("a line while we look")
        await until(pilot, shows(app, "a line while we look"), "the line")
        await pilot.press("1")
        await until(pilot, lambda: not server.log_readers, "the end of the subscription")
        asked = len([each for each in server.requests if each.path.startswith("/internal")])
        await server.prints("a line while nobody looks")
        await pilot.press("7")
        await until(pilot, shows(app, "a line while nobody looks"), "what was missed")
        assert len(server.asked("PATCH", ROUTE)) == 3
        assert len([each for each in server.requests if each.path.startswith("/internal")]) == asked + 2


async def test_a_server_that_has_no_log_to_show_says_what_to_do() -> None:
    async with FakeComfy() as server, connected(server) as (pilot, app):
        for method, path in (("GET", "/internal/logs/raw"), ("GET", "/internal/logs"), ("PATCH", ROUTE)):
            server.answer(method, path, web.Response(status=404))
        await pilot.press("7")
        await until(pilot, shows(app, "does not show its log"), "why there is none")
        assert "tee comfyui.log" in text(app)
        for method, path in (("GET", "/internal/logs/raw"), ("PATCH", ROUTE)):
            server.answer(method, path, None)
        await pilot.press("f5")
        await until(pilot, shows(app, "Starting server"), "the log")


async def test_following_ends_with_a_look_back_and_says_what_came_since() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        printed(connection, "".join(f"line {n}\n" for n in range(100)))
        await settled(pilot)
        assert "line 99" in text(app) and "following" in text(app)
        await pilot.press("k", "k")
        top = lines(app).scroll_offset.y
        printed(connection, "".join(f"more {n}\n" for n in range(12)))
        await settled(pilot)
        assert "12 new below" in text(app) and "more 11" not in text(app)
        assert lines(app).scroll_offset.y == top
        await pilot.press("f")
        await pilot.pause()
        assert "more 11" in text(app) and "following" in text(app)
        await pilot.press("f")
        printed(connection, "still more\n")
        await settled(pilot)
        assert "still more" not in text(app)
        await pilot.press("G")
        printed(connection, "and more\n")
        await settled(pilot)
        assert "and more" in text(app)


async def test_what_is_read_stays_where_it_is_while_old_lines_fall_off() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        printed(connection, "".join(f"line {n}\n" for n in range(5000)))
        await settled(pilot)
        await pilot.press("k")
        line = lines(app).line
        before = [each.text for each in lines(app).shown()]
        printed(connection, "".join(f"more {n}\n" for n in range(100)))
        await settled(pilot)
        assert lines(app).line == line
        assert [each.text for each in lines(app).shown()] == before


async def test_a_filter_shows_matches_alone_and_says_what_is_wrong_with_it() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        printed(connection)
        await settled(pilot)
        await pilot.press("slash", *"memory")
        await pilot.pause()
        assert [line.text[:5] for line in lines(app).listed()] == ["ERROR", "torch"]
        assert "2 of 10" in text(app)
        app.default_screen.query_one("#logs-filter", Input).value = "level:warning -torch"
        await pilot.pause()
        assert [line.level for line in lines(app).listed()] == ["warning", *["error"] * 4]
        app.default_screen.query_one("#logs-filter", Input).value = "level:loud"
        await pilot.pause()
        assert "no level" in text(app)
        app.default_screen.query_one("#logs-filter", Input).value = "nowhere"
        await pilot.pause()
        assert "No line matches 'nowhere'" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(lines(app).listed()) == 10


async def test_keys_go_from_error_to_error_and_copy_a_traceback_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        printed(connection, PRINTED + PRINTED, first=3)
        await settled(pilot)
        copied: list[str] = []
        monkeypatch.setattr(app, "copy", lambda text, what="": copied.append(text))
        await pilot.press("N")
        assert lines(app).line is not None and lines(app).line.number == 13
        await pilot.press("N", "j", "j", "y")
        assert copied[-1].splitlines() == PRINTED.splitlines()[3:8]
        await pilot.press("n")
        assert lines(app).line.number == 13
        await pilot.press("G", "y", "Y", "enter")
        assert copied[-2] == "[DEBUG] garbage collected"
        assert copied[-1].splitlines()[-1] == "[DEBUG] garbage collected"
        await until(pilot, lambda: len(app.screen_stack) == 2, "the whole line")
        assert "garbage collected" in text(app)


async def test_long_lines_are_wrapped_at_a_key() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        printed(connection, "x" * 100 + "END\n短" + "い" * 60 + "終\n")
        await settled(pilot)
        assert "END" not in text(app) and "終" not in text(app)
        await pilot.press("w")
        await pilot.pause()
        assert "END" in text(app) and "終" in text(app)
        await pilot.press("w")
        await pilot.pause()
        assert "END" not in text(app)


async def test_what_is_listed_is_saved(tmp_path: Path) -> None:
    async with running(sample.idle(), (80, 24), "7", output_dir=str(tmp_path / "out")) as (pilot, _, connection):
        printed(connection)
        await settled(pilot)
        await pilot.press("slash", *"level:error", "enter", "s")
        await until(pilot, lambda: (tmp_path / "out").is_dir() and any((tmp_path / "out").iterdir()), "the file")
        (file,) = (tmp_path / "out").iterdir()
        assert file.name.startswith("log-gpu-box-2-8188-") and file.suffix == ".txt"
        assert file.read_text().splitlines()[-1].endswith("Tried to allocate 2.00 GiB")
        assert "got prompt" not in file.read_text()


async def test_our_own_engines_log_is_shown_when_there_is_no_server() -> None:
    app = Dashboard(Settings(), server="http://127.0.0.1:9")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await until(pilot, shows(app, "ssh -L"), "how to connect")
        app.session.engine_log = ("Starting", "Traceback (most recent call last):", "OSError: port taken")
        app.session.changed()
        await until(pilot, shows(app, "OSError: port taken"), "the engine's words")
        app.session.engine_log = (*app.session.engine_log[1:], "once more")
        app.session.changed()
        await until(pilot, shows(app, "once more"), "the newest")
        assert [line.text for line in lines(app).listed()].count("OSError: port taken") == 1
        assert "Our engine's log" in text(app)


async def test_a_flood_is_drawn_a_few_times_and_every_line_is_kept() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        drawn = 0
        view = app.default_screen.query_one(LogsView)
        show = view._show

        def count() -> None:
            nonlocal drawn
            drawn += 1
            show()

        view._show = count  # type: ignore[method-assign]
        for n in range(5000):
            printed(connection, f"line {n}\n")
            if n % 500 == 0:
                await asyncio.sleep(0)
        await settled(pilot)
        assert drawn <= 25
        assert len(lines(app).listed()) == 5000 and "line 4999" in text(app)


async def test_another_server_is_followed_when_it_is_shown_and_the_first_no_longer() -> None:
    async with FakeComfy() as one, FakeComfy() as two, connected(one) as (pilot, app):
        two.log = ["the second server"]
        await pilot.press("7")
        await until(pilot, lambda: bool(one.log_readers), "the subscription")
        app.session.attach(Connection(Target.parse(two.url)), "two")
        await until(pilot, shows(app, "the second server"), "its log")
        await until(pilot, lambda: bool(two.log_readers) and not one.log_readers, "one subscription")
        assert "Starting server" not in text(app)


async def test_the_screens_about_a_server_say_what_to_do_without_one() -> None:
    app = Dashboard(Settings(), server="http://127.0.0.1:9")
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("7", "9", "8"):
            await pilot.press(key)
            if key == "8":
                await pilot.press("v")
            await until(pilot, shows(app, "ssh -L"), "how to connect")


async def test_a_log_that_comes_too_late_is_no_reason_to_blame_a_proxy() -> None:
    async with running(sample.idle(), (80, 24), "7") as (pilot, app, connection):
        connection.log.told, connection.log.problem = Told.NOTHING, "gpu-box-2:8188 did not send its log within 30 s."
        connection.log.missing = False
        assert app.view is not None
        app.view.forget()
        app.view.draw(connection.state)
        await settled(pilot)
        assert "within 30 s" in text(app) and "f5  asks again" in text(app) and "proxy" not in text(app)


async def test_an_empty_log_is_not_taken_for_one_that_is_still_to_come() -> None:
    async with running(sample.idle(), (80, 24), "7") as (_, app, connection):
        assert connection.log.told is Told.LIVE and not len(connection.log.log)
        assert "printed nothing yet" in text(app) and "Asking" not in text(app)
