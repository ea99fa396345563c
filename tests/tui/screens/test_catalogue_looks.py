"""Nodes and the editor as text, at the four sizes where their layout changes; without the line of tabs."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.tui.draft import SeedMode
from comfytui.tui.screens.editor import Editor, open_editor
from comfytui.tui.screens.nodes import NodesView
from comfytui.workflow.document import Document
from tests.tui.support import compare, settle

from .serving import GRAPH, own_folders, ready, screen_text, serve, until

__all__ = ["own_folders"]

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_how_it_looks(size: tuple[int, int], own_folders: Path) -> None:
    app, _ = serve()
    name = f"{size[0]}x{size[1]}"
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await until(pilot, lambda: app.query(NodesView) and app.query_one(NodesView)._list.keys)
        await pilot.press("slash", *"sam", "enter", "enter")
        await settle(pilot)
        compare(f"nodes-{name}", screen_text(app).partition("\n")[2])
        graph = {**GRAPH, "1": {**GRAPH["1"], "inputs": {"ckpt_name": "dmo.safetensors"}}}
        open_editor(app, Document("circle.json", graph), SeedMode.FIXED)
        await until(pilot, lambda: app.query(Editor) and app.query_one(Editor)._problems is not None)
        await settle(pilot)
        compare(f"editor-{name}", screen_text(app).partition("\n")[2])
