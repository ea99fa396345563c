"""Several servers at once: listed, switched, added, kept, and one's job sent to another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from textual.pilot import Pilot

from comfytui.settings import files
from comfytui.settings.schema import Profile, Settings
from comfytui.state.model import Phase
from comfytui.tui.app import Dashboard
from comfytui.tui.screens.editor import open_editor
from comfytui.workflow.document import Document
from tests.support.replay import FakeComfy, txt2img
from tests.support.samples import OBJECT_INFO
from tests.tui.support import line, settle, text, until


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))


@asynccontextmanager
async def fleet(
    count: int = 3, size: tuple[int, int] = (120, 40), **more: Profile
) -> AsyncIterator[tuple[Pilot[Any], Dashboard, list[FakeComfy]]]:
    """A dashboard whose settings name so many servers, box-0 first; all of them are live."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(FakeComfy(object_info=deepcopy(OBJECT_INFO))) for _ in range(count)]
        named = {f"box-{n}": Profile(url=server.url) for n, server in enumerate(servers)}
        for name, profile in named.items():
            files.change(f"servers.{name}.url", profile.url)
        app = Dashboard(Settings(images="truecolor", server="box-0", servers={**named, **more}))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: live(app) >= set(named), "the connections")
            yield pilot, app, servers


def live(app: Dashboard) -> set[str]:
    return {name for name, state in app.session.fleet.states().items() if state.link.phase is Phase.LIVE}


async def choose(pilot: Pilot[Any], typed: str) -> None:
    """`:` and a name."""
    await pilot.press("colon")
    await settle(pilot)
    await pilot.press(*typed, "enter")
    await settle(pilot)


async def test_all_are_connected_and_listed_with_what_they_do() -> None:
    off = Profile(url="http://127.0.0.1:9", connect=False)
    async with fleet(3, off=off) as (pilot, app, servers):
        servers[1].hold("3", 3)
        connection = app.session.fleet.get("box-1")
        assert connection is not None
        await connection.submit(txt2img(steps=8), name="elsewhere")
        await connection.submit(txt2img(steps=8), name="elsewhere")
        await pilot.press("6")
        await until(pilot, lambda: "1 + 1" in text(app), "the queue of the second")
        shown = text(app)
        assert "3 of 4 servers connected" in shown
        row = next(each for each in shown.split("\n") if "box-1" in each)
        assert "live" in row and "KSampler" in row and " ms" in row
        assert "off" in next(each for each in shown.split("\n") if " off " in each)
        assert app.session.name == "box-0"
        servers[1].release()


async def test_another_server_is_shown_at_once_and_nothing_of_the_first_stays() -> None:
    async with fleet(2) as (pilot, app, _):
        first = app.session.fleet.get("box-0")
        assert first is not None
        await first.submit(txt2img(text="only on the first"), name="job")
        await until(pilot, lambda: first.state.history != (), "the job")
        await pilot.press("3")
        await until(pilot, lambda: "only on the first" in text(app), "its history")
        await choose(pilot, "box-1")
        assert app.session.name == "box-1"
        await until(pilot, lambda: "only on the first" not in text(app), "an empty history")
        assert "● box-1 +1" in line(app, "tabs")
        await choose(pilot, "box-0")
        await until(pilot, lambda: "only on the first" in text(app), "its history again")
        assert not first.state.link.attempts  # it was never left


async def test_enter_on_the_list_shows_a_server() -> None:
    async with fleet(2) as (pilot, app, _):
        await pilot.press("6")
        await settle(pilot)
        await pilot.press("G", "enter")
        await settle(pilot)
        assert (app.session.name, app.current) == ("box-1", "live")


async def test_one_that_is_wrong_says_why_and_the_others_go_on() -> None:
    wrong = Profile(url="http://127.0.0.1:9", token="$NO_SUCH_VARIABLE")
    async with fleet(1, wrong=wrong) as (pilot, app, _):
        await until(pilot, lambda: "wrong" in app.session.failures, "the failure")
        await pilot.press("6", "G")
        await settle(pilot)
        assert "NO_SUCH_VARIABLE" in text(app)
        await pilot.press("r")
        await settle(pilot)
        assert live(app) == {"box-0"}


async def test_an_address_is_added_kept_under_a_name_and_forgotten() -> None:
    async with FakeComfy() as other, fleet(1) as (pilot, app, _):
        await pilot.press("6", "a")
        await until(pilot, lambda: "Connect to which server?" in text(app), "the question")
        await pilot.press(*other.url.partition("://")[2], "enter")
        await until(pilot, lambda: len(live(app)) == 2, "the connection")
        assert app.session.name != "box-0"
        await pilot.press("G", "s")
        await until(pilot, lambda: "under which name?" in text(app), "the question")
        await pilot.press("ctrl+u", *"new-box", "enter")
        await until(pilot, lambda: "new-box" in live(app), "the named connection")
        assert files.load().servers["new-box"].url == other.url
        assert app.session.name == "new-box"
        await pilot.press("G", "D", "y")
        await until(pilot, lambda: "new-box" not in app.session.fleet.connections, "the end")
        assert "new-box" not in files.load().servers
        assert app.session.name == "box-0"


async def test_what_the_settings_say_is_changed_and_used() -> None:
    async with fleet(1) as (pilot, app, servers):
        await pilot.press("6", "e")
        await until(pilot, lambda: "servers.box-0" in text(app), "the choice")
        await pilot.press(*"headers", "enter")
        await until(pilot, lambda: "sent with every request" in text(app), "the question")
        await pilot.press(*"X-Key=abc", "enter")
        await until(
            pilot, lambda: any(each.headers.get("X-Key") == "abc" for each in servers[0].requests), "the header"
        )
        assert files.load().servers["box-0"].headers == {"X-Key": "abc"}


async def test_a_secret_in_the_file_is_not_shown_and_stays_when_another_is_added() -> None:
    async with fleet(1) as (pilot, app, _):
        app.settings = files.change("servers.box-0.headers", {"X-Key": "hush", "X-Other": "$OTHER"})
        await pilot.press("6", "e")
        await until(pilot, lambda: "servers.box-0" in text(app), "the choice")
        assert "hush" not in text(app)
        assert "X-Other=$OTHER" in text(app)
        await pilot.press(*"headers", "enter")
        await until(pilot, lambda: "sent with every request" in text(app), "the question")
        assert "hush" not in text(app)
        await pilot.press("end", *", X-New=1", "enter")
        await until(pilot, lambda: "X-New" in files.load().servers["box-0"].headers, "the change")
        assert files.load().servers["box-0"].headers == {"X-Key": "hush", "X-Other": "$OTHER", "X-New": "1"}


async def test_read_only_is_of_all_of_them() -> None:
    async with fleet(2) as (pilot, app, _):
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert all(state.read_only for state in app.session.fleet.states().values())


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
async def test_it_fits(size: tuple[int, int]) -> None:
    async with fleet(2, size) as (pilot, app, _):
        await pilot.press("6")
        await settle(pilot)
        await until(pilot, lambda: "box-1" in text(app) and "live" in text(app), "the list")
        await pilot.press("d")
        await settle(pilot)
        assert "let in by" in text(app) or size[1] < 18


async def test_servers_that_are_not_looked_at_are_asked_for_little() -> None:
    async with fleet(2) as (pilot, app, _):
        other = app.session.fleet.get("box-1")
        assert other is not None
        await settle(pilot)
        assert not other.attention
        await pilot.press("6")
        await settle(pilot)
        assert other.attention


# A job for another server


async def elsewhere(pilot: Pilot[Any], app: Dashboard, name: str = "box-1") -> None:
    await pilot.press("greater_than_sign")
    await until(pilot, lambda: "send to which server?" in text(app), "the choice")
    await pilot.press(*name, "enter")


async def test_a_waiting_job_is_moved_to_another_server() -> None:
    async with fleet(2) as (pilot, app, (first, _)):
        first.hold("3", 1)
        connection, other = app.session.fleet.get("box-0"), app.session.fleet.get("box-1")
        assert connection is not None and other is not None
        for seed in (1, 77):
            await connection.submit(txt2img(seed=seed), name="job")
        await until(pilot, lambda: len(connection.state.waiting) == 1, "the queue")
        await pilot.press("2", "G")
        await settle(pilot)
        await elsewhere(pilot, app)
        await until(pilot, lambda: "Take it out there when box-1 has it?" in text(app), "the question")
        await pilot.press("y")
        await until(pilot, lambda: other.state.history != (), "the job on the other server")
        assert [job.facts.seed for job in other.state.jobs.values()] == [77]
        await until(pilot, lambda: not connection.state.waiting, "the empty queue")
        first.release()


async def test_what_the_other_server_lacks_is_told_before_anything_is_sent() -> None:
    async with fleet(2) as (pilot, app, (_, second)):
        del second.object_info["VAEDecode"]
        second.object_info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"] = [["demo_v2.safetensors"]]
        first, other = app.session.fleet.get("box-0"), app.session.fleet.get("box-1")
        assert first is not None and other is not None
        await first.submit(txt2img(), name="job")
        await until(pilot, lambda: first.state.history != (), "the job")
        await pilot.press("3")
        await until(pilot, lambda: app.view is not None and app.view.job is not None, "its entry")
        await elsewhere(pilot, app)
        await until(pilot, lambda: "box-1 lacks this" in text(app), "what is lacking")
        shown = text(app)
        assert "VAEDecode" in shown
        assert "demo.safetensors (it has demo_v2.safetensors)" in shown
        await pilot.press("n")
        await settle(pilot)
        assert not other.state.jobs


async def test_the_pictures_that_a_job_reads_come_along() -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "mine.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    async with fleet(2) as (pilot, app, (one, two)):
        one.object_info["LoadImage"]["input"]["required"]["image"] = [["mine.png"], {"image_upload": True}]
        one.files["input", "", "mine.png"] = b"the picture"
        first, other = app.session.fleet.get("box-0"), app.session.fleet.get("box-1")
        assert first is not None and other is not None
        await first.submit(graph, name="job")
        await until(pilot, lambda: first.state.history != (), "the job")
        await pilot.press("3")
        await until(pilot, lambda: app.view is not None and app.view.job is not None, "its entry")
        await elsewhere(pilot, app)
        await until(pilot, lambda: len(other.state.history) == 1, "the job on the other server")
        assert two.files["input", "", "mine.png"] == b"the picture"


async def test_the_text_that_a_prompt_was_drawn_from_comes_along() -> None:
    async with fleet(2) as (pilot, app, (_, two)):
        first, other = app.session.fleet.get("box-0"), app.session.fleet.get("box-1")
        assert first is not None and other is not None
        await first.submit(txt2img(), name="job", templates={"2": {"text": "a {red|blue} boat"}})
        await until(pilot, lambda: first.state.history != (), "the job")
        await pilot.press("3")
        await until(pilot, lambda: app.view is not None and app.view.job is not None, "its entry")
        await elsewhere(pilot, app)
        await until(pilot, lambda: len(other.state.history) == 1, "the job on the other server")
        sent = two.asked("POST", "/prompt")[-1].body["extra_data"]["extra_pnginfo"]["comfytui"]
        assert sent["templates"] == {"2": {"text": "a {red|blue} boat"}}


async def test_without_another_server_it_says_so() -> None:
    async with fleet(1) as (pilot, app, _):
        connection = app.session.connection
        assert connection is not None
        await connection.submit(txt2img(), name="job")
        await pilot.press("3")
        await until(pilot, lambda: app.view is not None and app.view.job is not None, "its entry")
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "No other server is connected" in text(app), "the reason")


# What each screen shows of a server: keys that lead there, and what only the first server has.
ONLY_THERE = {
    "live": (("1",), ("only-job",)),
    "queue": (("2",), ("only-job",)),
    "history": (("3", "v"), ("only on the first",)),
    "nodes": (("4",), ("OnlyNode",)),
    "workflows": (("5",), ("only-flow",)),
    "editor": (("5",), ("no ckpt_name",)),
    "logs": (("7",), ("only this server prints it",)),
    "settings": (("8", "v", "v"), ("Only.Setting",)),
    "models": (("9",), ("only-model",)),
}


@pytest.mark.parametrize("goes_to", ["box-1", "away", "wrong"])
@pytest.mark.parametrize("screen", ONLY_THERE)
async def test_nothing_of_the_server_before_stays(screen: str, goes_to: str) -> None:
    """Not when the other one has nothing of the kind, nor when it does not answer, nor when it cannot be tried."""
    keys, wanted = ONLY_THERE[screen]
    away = Profile(url="http://127.0.0.1:9")
    wrong = Profile(url="http://127.0.0.1:9", token="$NO_SUCH_VARIABLE")
    async with fleet(2, (100, 40), away=away, wrong=wrong) as (pilot, app, (first, second)):
        await _fill(first)
        connection = app.session.connection
        assert connection is not None
        await until(pilot, lambda: "wrong" in app.session.failures, "the failure")
        if screen in ("live", "queue"):
            first.hold("3", 1)
        await connection.submit(txt2img(text="only on the first"), name="only-job")
        if screen in ("live", "queue"):
            await first.held()
            await until(pilot, lambda: bool(connection.state.running), "the job")
        else:
            await until(pilot, lambda: connection.state.history != (), "the job")
        await pilot.press(*keys)
        if screen == "editor":
            graph = txt2img()
            graph["4"]["inputs"]["ckpt_name"] = "another.safetensors"
            second.object_info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"] = [["another.safetensors"]]
            open_editor(app, Document("mine.json", graph))
        await _shows(pilot, app, wanted[0])
        app.session.show(goes_to)  # as `:` and a name do; in the editor that would be typed into the prompt
        await settle(pilot)
        shown = text(app)
        assert not [each for each in wanted if each in shown], shown
        app.session.show("box-0")
        await _shows(pilot, app, wanted[0])
        first.release()


async def _shows(pilot: Pilot[Any], app: Dashboard, words: str) -> None:
    """Wait for words; between the steps in which a form is made anew nothing can be drawn."""
    for _ in range(300):
        await settle(pilot)
        if words in text(app):
            return
    raise AssertionError(f"{words} is not on the screen:\n{text(app)}")


async def _fill(server: FakeComfy) -> None:
    """What only this server has."""
    server.object_info["OnlyNode"] = {**server.object_info["VAEDecode"], "name": "OnlyNode", "display_name": "OnlyNode"}
    server.settings["Only.Setting"] = "first"

    async def models(_: web.Request) -> web.Response:
        return web.json_response(["only-model.safetensors"])

    async def files(_: web.Request) -> web.Response:
        return web.json_response([{"path": "only-flow.json", "size": 10, "modified": 1_700_000_000}])

    server.answer("GET", "/models/checkpoints", models)
    server.answer("GET", "/userdata", files)
    await server.prints("only this server prints it")
