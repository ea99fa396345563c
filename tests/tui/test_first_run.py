"""Who starts the program for the first time is told what to press; who has used it is not told again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from comfytui.settings import memory
from comfytui.state.model import Link, Phase, ServerState
from comfytui.tui import first_run, teaching
from comfytui.tui.engine_control import EngineControl
from tests.tui import sample
from tests.tui.support import running, settle, text, until

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


@pytest.fixture
def never_used(tmp_path: Path) -> Path:
    """Nothing was ever set or remembered."""
    kept = tmp_path / "state" / memory.NAME
    kept.unlink()
    return kept


def down(error: str = "nobody listens at gpu-box-2:8188", phase: Phase = Phase.RECONNECTING) -> ServerState:
    return ServerState(link=Link("http://gpu-box-2:8188", phase, error=error))


@pytest.mark.usefixtures("never_used")
@pytest.mark.parametrize("size", SIZES)
async def test_without_a_server_it_tells_how_to_get_one(size: tuple[int, int]) -> None:
    async with running(down(), size) as (_, app, _):
        shown = text(app)
        for told in (
            "Welcome.",
            "nobody listens at gpu-box-2:8188",
            "comfytui --local",
            "comfytui --server",
            "ssh -L 8188:127.0.0.1:8188",
            "L ",
            "6 ",
            "ctrl+q",
            "r tries again now",
        ):
            assert told in shown, (told, shown)


@pytest.mark.usefixtures("never_used")
@pytest.mark.parametrize("size", SIZES)
async def test_with_one_it_tells_the_first_steps(size: tuple[int, int]) -> None:
    async with running(sample.idle(0), size) as (pilot, app, _):
        shown = text(app)
        for told in ("Welcome.", "Workflows:", "workflow_folders", "ctrl+p", "ctrl+q", "F5"):
            assert told in shown, (told, shown)
        await pilot.press("5")  # it asks nothing, and every key works
        await settle(pilot)
        assert app.current == "workflows"


async def test_it_is_gone_when_something_runs_and_never_comes_again(never_used: Path) -> None:
    async with running(sample.idle(0), (80, 24)) as (pilot, app, connection):
        assert "Welcome." in text(app)
        connection.become(sample.busy())
        await until(pilot, lambda: "KSampler" in text(app) and "Welcome." not in text(app), "the job in its place")
        connection.become(sample.idle(0))
        await settle(pilot)
        assert "Welcome." not in text(app)
        await until(pilot, never_used.exists)
    assert memory.recall().greeted
    assert not first_run.is_first()


async def test_who_has_settings_is_not_greeted(never_used: Path, tmp_path: Path) -> None:
    assert first_run.is_first()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").write_text("")
    async with running(sample.idle(0), (80, 24)) as (_, app, _):
        assert "Nothing has run here yet." in text(app)
    assert not never_used.exists()


async def test_a_key_starts_the_engine_where_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    async def start(self: EngineControl) -> None:
        started.append(self)

    monkeypatch.setattr(EngineControl, "start", start)
    async with running(down(), (80, 24), "8", "L") as (pilot, app, connection):
        assert len(started) == 1
        assert app.current == "live"
        connection.become(sample.idle())
        await settle(pilot)
        await pilot.press("L")
        await settle(pilot)
        assert len(started) == 1


async def test_without_the_engines_packages_the_key_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.local_engine.missing", lambda: ("torch",))
    async with running(down(), (80, 24), "L") as (pilot, app, _):
        await until(pilot, lambda: "torch missing): pip install" in text(app) and "'comfytui[engine]'" in text(app))


def test_a_machine_without_torch_is_told_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert teaching.starts_engine.__wrapped__() == "our engine; needs pip install 'comfytui[engine]'"


def test_the_users_own_keys_are_named_and_every_line_fits_60_columns() -> None:
    keys = {"app.engine": "ctrl+g", "app.servers": "f6"}
    told = "\n".join(teaching.lines(teaching.connecting(keys)))
    assert " ctrl+g " in told
    assert " f6 " in told
    every = (*teaching.connecting(), *teaching.first_steps(), *teaching.connecting(keys))
    assert all(len(line) <= 60 for line in teaching.lines(every))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (down("", Phase.CONNECTING), "Connecting to http://gpu-box-2:8188"),
        (down("gpu-box-2:8188 wants a token (401)", Phase.REFUSED), "wants a token (401)"),
        (down("", Phase.RECONNECTING), "does not answer"),
    ],
)
async def test_every_screen_that_needs_a_server_says_why_and_what_to_press(state: ServerState, told: str) -> None:
    async with running(state, (80, 24)) as (pilot, app, _):
        for key in ("4", "7", "9"):
            await pilot.press(key)
            await settle(pilot)
            shown = text(app)
            assert told in shown, (key, shown)
            assert "Servers: " in shown, (key, shown)
        connected = replace(state, link=replace(state.link, phase=Phase.LIVE))
        assert teaching.without_server(connected, "x") == ""
