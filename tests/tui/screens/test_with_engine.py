"""Workflows and the editor on the real engine: its own files, a picture for a workflow, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input

from comfytui.settings.schema import Settings
from comfytui.state.model import Phase
from comfytui.tui.app import Dashboard
from comfytui.tui.draft import SeedMode
from comfytui.tui.screens.workflows import WorkflowsView
from comfytui.workflow.document import Document
from comfytui.workflow.graph import Place
from tests.support.engine import RunningEngine
from tests.support.samples import txt2img

from .serving import own_folders, said, screen_text, until

__all__ = ["own_folders"]


@asynccontextmanager
async def workflows(engine: RunningEngine, folder: Path) -> AsyncIterator[tuple[Pilot[Any], Dashboard, WorkflowsView]]:
    """The dashboard on the engine, with Workflows shown, its nodes known and its files listed."""
    app = Dashboard(Settings(workflow_folders=(str(folder),)), server=engine.url)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: app.session.state is not None and app.session.state.link.phase is Phase.LIVE, "live")
        await pilot.press("5")
        await until(pilot, lambda: app.query(WorkflowsView) and app.query_one(WorkflowsView)._entries, "listed")
        view = app.query_one(WorkflowsView)
        await until(pilot, lambda: app.session.state is not None and app.session.state.object_info, "nodes")
        yield pilot, app, view


def there(engine: RunningEngine) -> list[str]:
    status, body = engine.get("/userdata?dir=workflows&recurse=true")
    return json.loads(body) if status == 200 else []


def store(engine: RunningEngine, name: str, value: object) -> None:
    status, _ = engine.call("POST", f"/userdata/workflows%2F{name}", value)
    assert status == 200


async def select(pilot: Pilot[Any], view: WorkflowsView, key: str) -> None:
    await until(pilot, lambda: key in view._entries, f"{key} is listed")
    view._list.move_to(key)
    await until(pilot, lambda: view.entry is not None and view.entry.key == key and not view.entry.unread, "read")


async def test_the_servers_own_workflows_are_read_edited_renamed_and_deleted(
    engine: RunningEngine, own_folders: Path
) -> None:
    store(engine, "sea.json", txt2img(text="a house by the sea"))
    async with workflows(engine, own_folders) as (pilot, app, view):
        await select(pilot, view, "server:sea.json")
        await until(pilot, lambda: "a house by the sea" in said(app, "#workflows-about"))
        await until(pilot, lambda: "7 of 7 nodes known" in said(app, "#workflows-about"))
        await pilot.press("e")
        await until(pilot, lambda: view.editing and view.editor.has_focus_within)
        await pilot.press(*"big ", "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert app.screen.query_one(Input).value == "server:sea.json"
        await pilot.press("enter")
        await until(pilot, lambda: "Replace sea.json" in screen_text(app), "asked before another file is replaced")
        assert engine.url in screen_text(app), "the question names the server"
        await pilot.press("y")
        await until(pilot, lambda: b"big a house" in engine.get("/userdata/workflows%2Fsea.json")[1])
        await pilot.press("escape")

        await until(pilot, lambda: view.entry is not None and view.entry.key == "server:sea.json")
        await pilot.press("N")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "../../out"
        await pilot.press("enter")
        await until(pilot, lambda: "leads elsewhere" in (app.last_error or ""))
        await pilot.press("N")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "coast/sea"
        await pilot.press("enter")
        await until(pilot, lambda: "server:coast/sea.json" in view._entries and "server:sea.json" not in view._entries)

        await select(pilot, view, "server:coast/sea.json")
        await pilot.press("x")
        await until(pilot, lambda: "Delete the workflow coast/sea.json" in screen_text(app))
        await pilot.press("n")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert "coast/sea.json" in there(engine)
        await pilot.press("x")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("y")
        await until(pilot, lambda: "server:coast/sea.json" not in view._entries)
        assert "coast/sea.json" not in there(engine)


async def test_a_file_of_this_disk_is_copied_to_the_server(engine: RunningEngine, own_folders: Path) -> None:
    async with workflows(engine, own_folders) as (pilot, app, view):
        await select(pilot, view, str(own_folders / "circle.json"))
        await pilot.press("S")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: "server:circle.json" in view._entries)
        stored = json.loads(engine.get("/userdata/workflows%2Fcircle.json")[1])
        assert stored == json.loads((own_folders / "circle.json").read_text())
    engine.call("DELETE", "/userdata/workflows%2Fcircle.json")


async def test_what_the_server_lacks_is_listed_with_what_is_near(engine: RunningEngine, own_folders: Path) -> None:
    graph = txt2img()
    graph["3"]["class_type"] = "KSamplr"
    graph["4"]["inputs"]["ckpt_name"] = "comfytui_demo.safetensors"
    (own_folders / "lacking.json").write_text(json.dumps(graph))
    async with workflows(engine, own_folders) as (pilot, app, view):
        await select(pilot, view, str(own_folders / "lacking.json"))
        await until(pilot, lambda: "6 of 7 nodes known" in said(app, "#workflows-about"))
        assert "near: KSampler" in said(app, "#workflows-about")
        await pilot.press("M")
        await until(pilot, lambda: "KSamplr" in screen_text(app) and "near: KSampler" in screen_text(app))
        await pilot.press("enter")  # on the node that is near
        await until(pilot, lambda: app.current == "nodes" and getattr(app.view, "node", None) is not None)
        await until(pilot, lambda: app.view.node.name == "KSampler")  # type: ignore[union-attr]


IMG2IMG: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "none-yet.png"}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "upload"}},
}


async def test_a_picture_is_uploaded_for_the_input_and_the_workflow_runs(
    engine: RunningEngine, own_folders: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "my cat.png"
    Image.effect_noise((640, 640), 80).save(picture)  # large enough to be sent in pieces
    async with workflows(engine, own_folders) as (pilot, app, view):
        await view.edit(Document("invert.json", IMG2IMG), seed_mode=SeedMode.FIXED)
        editor, place = view.editor, Place("1", "image")
        await until(pilot, lambda: editor._problems is not None)
        assert "server has no image" in said(app, "#editor-review")
        told: list[str] = []
        real = editor._show_notes
        editor._show_notes = lambda: (told.extend(editor._doing.values()), real())  # type: ignore[method-assign,func-returns-value]
        await pilot.press("f6")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = f"{tmp_path}/my"
        await until(pilot, lambda: "my cat.png" in screen_text(app), "the folder is listed")
        await pilot.press("tab")
        assert app.screen.query_one(Input).value == str(picture)
        await pilot.press("enter")
        await until(pilot, lambda: editor.draft.graph["1"]["inputs"]["image"] == "my cat.png", "taken")
        await until(pilot, lambda: editor._problems == [])
        assert any("uploading my cat.png" in text for text in told), "how far it is was told"
        assert (engine.base / "input" / "my cat.png").read_bytes() == picture.read_bytes()
        assert editor._lines[place].text(place) == "my cat.png"
        state = app.session.state
        assert state is not None and state.object_info is not None
        assert "my cat.png" in str(state.object_info["LoadImage"]), "the catalogue offers it from now on"
        await pilot.press("f5")
        await until(pilot, lambda: app.current == "live")


@pytest.mark.parametrize(("kind", "said_of"), [("empty", "empty"), ("gone", "Check the path")])
async def test_a_file_that_cannot_be_sent_says_why(
    engine: RunningEngine, own_folders: Path, tmp_path: Path, kind: str, said_of: str
) -> None:
    path = tmp_path / "x.png"
    if kind == "empty":
        path.touch()
    async with workflows(engine, own_folders) as (pilot, app, view):
        await view.edit(Document("invert.json", IMG2IMG))
        app.ask("upload", view.editor._upload(view.editor._fields[Place("1", "image")], path))
        await until(pilot, lambda: said_of in (app.last_error or ""))
        assert view.editor.draft.graph == IMG2IMG


async def test_what_the_engine_refuses_stands_at_the_input_wherever_that_is(
    engine: RunningEngine, own_folders: Path
) -> None:
    graph = txt2img()
    graph["4"]["inputs"]["ckpt_name"] = "comfytui-demo.safetensors"
    graph["5"]["inputs"]["width"] = 17  # not below its least; the engine wants steps of 8
    graph["10"] = {"class_type": "ImageScale", "inputs": {
        "image": ["8", 0], "upscale_method": "worst", "width": 64, "height": 64, "crop": "disabled"}}  # fmt: skip
    graph["9"]["inputs"]["images"] = ["10", 0]
    async with workflows(engine, own_folders) as (pilot, app, view):
        await view.edit(Document("refused.json", graph), seed_mode=SeedMode.FIXED)
        editor = view.editor
        await until(pilot, lambda: editor._problems is not None)
        await pilot.press("f5")
        await until(pilot, lambda: app.last_error)
        place = Place("10", "upscale_method")
        assert place in editor._refused and place not in editor._lines
        await until(pilot, lambda: editor.has_class("-more"), "it is among the other inputs, which are shown")
        assert "worst" in screen_text(app) and "✗" in screen_text(app)
        await pilot.press("f3")
        assert "the server refused" in said(app, "#editor-review")
        assert app.current == "workflows"


async def test_a_workflow_shows_the_picture_that_it_made_last_and_stands_on_top_from_then_on(
    engine: RunningEngine, own_folders: Path
) -> None:
    async with workflows(engine, own_folders) as (pilot, app, view):
        key = next(entry.key for entry in view.listed if entry.name == "trivial.json")
        assert view.listed[0].key != key
        await select(pilot, view, key)
        await pilot.press("r")
        await until(pilot, lambda: view.listed[0].key == key, "used last, so on top")
        state = app.session.state
        await until(pilot, lambda: (state := app.session.state) is not None and any(
            job.facts.name == "trivial" and job.outputs for job in state.jobs.values()))  # fmt: skip
        assert state is not None
        view._list.move_to(str(own_folders / "circle.json"))
        await pilot.pause()
        view._list.move_to(key)
        await until(pilot, lambda: view._preview.has_class("-pictured"), "the picture is below the text")
    async with workflows(engine, own_folders) as (_, _, view):
        assert view.listed[0].key == key, "also for the next run"
