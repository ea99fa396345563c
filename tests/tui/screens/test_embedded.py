"""A workflow of the web page, changed in the editor: what runs, what is embedded, and what is written hold the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textual.widgets import Input

from comfytui.client.messages import Submitted
from comfytui.tui.screens.workflows import WorkflowsView
from comfytui.workflow.convert import to_api, to_ui

from .serving import CATALOGUE, GRAPH, own_folders, ready, serve, until

__all__ = ["own_folders"]


async def test_the_browsers_form_is_kept_up_with_what_is_typed(own_folders: Path) -> None:
    page = {**to_ui(GRAPH, CATALOGUE).workflow, "mystery": [1]}
    (own_folders / "circle.json").write_text(json.dumps(page))
    app, server = serve(workflow_folders=(str(own_folders),))
    sent: list[tuple[dict[str, Any], Any]] = []

    async def submit(graph: dict[str, Any], workflow: Any = None, **_: Any) -> Submitted:
        sent.append((graph, workflow))
        return Submitted(f"id{len(sent)}")

    server.submit = submit  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("5")
        await until(pilot, lambda: pilot.app.query(WorkflowsView) and pilot.app.query_one(WorkflowsView)._entries)
        view = app.query_one(WorkflowsView)
        view._list.move_to(str(own_folders / "circle.json"))
        await until(pilot, lambda: view.entry is not None and view.entry.form == "ui")
        await pilot.press("enter")
        await until(pilot, lambda: view.editing and view._editor._lines)
        await until(pilot, lambda: view._editor.has_focus_within)
        await pilot.press(*"big ", "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        target = own_folders / "new.json"
        app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("f5")
        await until(pilot, lambda: sent)
    written = json.loads(target.read_text())
    assert written["mystery"] == [1]
    assert to_api(written, CATALOGUE).graph["2"]["inputs"]["text"] == "big a red circle"
    graph, workflow = sent[0]
    assert graph["2"]["inputs"]["text"] == "big a red circle"
    assert graph["5"]["inputs"]["seed"] == 42  # the page says fixed, and its word counts
    embedded = to_api(workflow, CATALOGUE).graph
    assert {each: node["inputs"] for each, node in embedded.items()} == {
        each: node["inputs"] for each, node in graph.items()
    }
