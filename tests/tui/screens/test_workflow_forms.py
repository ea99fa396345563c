"""Workflows as the web page saves them, and those that a link names, open in the editor like all others."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from textual.widgets import Input

from comfytui.client.target import Target
from tests.workflow.embedded import carriers

from .serving import GRAPH, own_folders, screen_text, serve, until
from .test_workflows import opened

__all__ = ["own_folders"]

PAGE: dict[str, Any] = {
    "version": 0.4,
    "links": [[1, 1, 0, 2, 0, "LATENT"], [2, 1, 0, 2, 0, "IMAGE"]],
    "nodes": [
        {"id": 1, "type": "EmptyLatentImage", "widgets_values": [256, 128, 2], "outputs": [{"name": "LATENT", "type": "LATENT", "links": [1]}]},
        {"id": 2, "type": "SaveImage", "widgets_values": ["page"], "inputs": [{"name": "images", "type": "LATENT", "link": 1}]},
    ],
}  # fmt: skip


async def test_what_the_web_page_saved_is_edited_and_run(own_folders: Path) -> None:
    (own_folders / "page.json").write_text(json.dumps(PAGE))
    app, server = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        view._list.move_to(str(own_folders / "page.json"))
        await until(pilot, lambda: view.entry is not None and view.entry.name == "page.json")
        await pilot.press("r")
        await until(pilot, lambda: server.submitted)
        assert server.submitted[0]["1"]["inputs"] == {"width": 256, "height": 128, "batch_size": 2}
        await pilot.press("enter")
        await until(pilot, lambda: view.editing)
        assert view._editor.draft.graph["2"]["inputs"]["filename_prefix"] == "page"
        assert view._editor.draft.document.workflow == PAGE


async def test_a_page_with_nodes_that_nobody_knows_says_which(own_folders: Path) -> None:
    strange = json.loads(json.dumps(PAGE).replace("EmptyLatentImage", "StrangeLatent"))
    (own_folders / "strange.json").write_text(json.dumps(strange))
    app, server = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        view._list.move_to(str(own_folders / "strange.json"))
        await until(pilot, lambda: "no node StrangeLatent" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.last_error)
        assert "StrangeLatent" in (app.last_error or "") and not view.editing and not server.submitted


async def test_a_link_of_the_server_is_opened_and_no_other(own_folders: Path) -> None:
    app, server = serve(workflow_folders=(str(own_folders),))
    asked: list[tuple[str, ...]] = []

    async def file(*names: str) -> bytes:
        asked.append(names)
        return carriers.png({"prompt": json.dumps(GRAPH)})

    server.served = SimpleNamespace(file=file)
    server.target = Target.parse("http://gpu:8188")
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        for link in ("http://elsewhere/view?filename=a.png", "http://gpu:8188/view?filename=a.png&subfolder=s"):
            await pilot.press("o")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            app.screen.query_one(Input).value = link
            await pilot.press("enter")
            await until(pilot, lambda: app.last_error or view.editing)
            if "elsewhere" in link:
                assert "is on elsewhere" in (app.last_error or "") and not asked and not view.editing
                app.last_error = None
        await until(pilot, lambda: view.editing)
        assert asked == [("a.png", "s", "output")]
        assert view._editor.draft.graph == GRAPH


async def test_what_is_missing_tells_where_it_lies_and_where_to_get_it(own_folders: Path) -> None:
    url = "https://huggingface.co/a/b/resolve/main/demo-fp16.safetensors"
    told = {"name": "demo-fp16.safetensors", "url": url, "directory": "checkpoints"}
    graph = {**GRAPH, "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo-fp16.safetensors"}}}
    page = {"nodes": [{"id": 1, "type": "X", "properties": {"models": [told]}}], "links": []}
    (own_folders / "told.json").write_text(json.dumps({"prompt": graph, "workflow": page}))
    app, _ = serve(workflow_folders=(str(own_folders),))
    copied: list[str] = []
    app.copy = lambda text, what="": copied.append(text)  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        view._list.move_to(str(own_folders / "told.json"))
        await until(pilot, lambda: view.entry is not None and view.entry.name == "told.json")
        await pilot.press("M")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await until(pilot, lambda: "other precision: demo.safetensors" in screen_text(app))
        assert "how to get it: https://hugging" in screen_text(app)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: copied)
        assert copied[0].startswith("mkdir -p -- models/checkpoints && curl ") and url in copied[0]
