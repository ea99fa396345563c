"""The Workflows screen: files with their facts, bad ones with their reason, run as they are or edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from comfytui.settings.memory import recall
from comfytui.tui.screens.workflows import WorkflowsView
from comfytui.tui.widgets.line_list import LineList

from .serving import GRAPH, own_folders, ready, said, screen_text, serve, until

__all__ = ["own_folders"]


async def opened(pilot, folder: Path) -> WorkflowsView:
    await ready(pilot)
    await pilot.press("5")
    await until(pilot, lambda: pilot.app.query(WorkflowsView) and pilot.app.query_one(WorkflowsView)._entries)
    view = pilot.app.query_one(WorkflowsView)
    view._list.move_to(str(folder / "circle.json"))
    await until(pilot, lambda: view.entry is not None and "nodes known" in said(pilot.app, "#workflows-about"))
    return view


async def test_files_are_listed_with_what_they_are_about(own_folders: Path) -> None:
    (own_folders / "broken.json").write_text("{")
    app, _ = serve(workflow_folders=(str(own_folders), "/nowhere/at/all"))
    async with app.run_test(size=(160, 40)) as pilot:
        await opened(pilot, own_folders)
        text = screen_text(app)
        assert "circle" in text and "64×64" in text and "a red circle" in text
        assert "broken.json" in text and "incomplete" in text
        assert "1 not usable" in text and "no such folder" in text
        assert "txt2img-demo" in text, "the examples are there from the start"
        about = said(app, "#workflows-about")
        assert "KSampler" in about and "8 of 8 nodes known" in about


async def test_r_queues_it_with_another_seed_and_remembers_it(own_folders: Path) -> None:
    app, server = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, own_folders)
        await pilot.press("r")
        await until(pilot, lambda: server.submitted and recall().recent_workflows)
        (graph,) = server.submitted
        assert graph["2"] == GRAPH["2"] and graph["5"]["inputs"]["seed"] != 42
        assert recall().recent_workflows == (str(own_folders / "circle.json"),)


async def test_enter_edits_and_writing_keeps_the_original(own_folders: Path) -> None:
    from comfytui.workflow import document

    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        await pilot.press("enter")
        await until(pilot, lambda: view.editing and view._editor._lines)
        await until(pilot, lambda: view._editor.has_focus_within)
        await pilot.press(*"big ", "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        target = own_folders / "new.json"
        app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        assert document.read(target).graph["2"]["inputs"]["text"] == "big a red circle"
        assert document.read(own_folders / "circle.json").graph == GRAPH


async def test_a_path_is_opened_and_a_bad_one_says_why(own_folders: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone.json"
    lone.write_text((own_folders / "circle.json").read_text())
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        await pilot.press("o")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = str(tmp_path / "gone.json")
        await pilot.press("enter")
        await until(pilot, lambda: "There is no file" in screen_text(app))
        app.screen.query_one(Input).value = str(bad)
        await pilot.press("enter")
        await until(pilot, lambda: app.last_error)
        assert "bad.json" in (app.last_error or "") and not view.editing
        await pilot.press("o")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = str(lone)
        await pilot.press("enter")
        await until(pilot, lambda: view.editing)
        assert view.editor.source == str(lone)


async def test_the_workflow_of_the_command_line_is_opened_first(own_folders: Path) -> None:
    app, _ = serve(workflow=own_folders / "circle.json")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.query(WorkflowsView) and app.query_one(WorkflowsView)._editor._lines)
        assert app.query_one(WorkflowsView)._editor.draft.graph == GRAPH


async def test_the_filter_looks_into_prompts_and_models(own_folders: Path) -> None:
    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot, own_folders)
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"red circ")
        await until(pilot, lambda: view._query == "red circ")
        assert str(own_folders / "circle.json") in view._entries
        assert all("red" in entry.facts.positive for entry in view._entries.values())
        await pilot.press(*"zzz")
        await until(pilot, lambda: not view._entries)
        assert "No file matches" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (40, 10)])
async def test_small_terminals_have_a_list_and_a_preview(own_folders: Path, size: tuple[int, int]) -> None:
    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=size) as pilot:
        view = await opened(pilot, own_folders)
        await pilot.press("v", "v", "e")
        await until(pilot, lambda: view.editing)
        await pilot.press("escape")
        await until(pilot, lambda: not view.editing)
        assert isinstance(view._list, LineList)
