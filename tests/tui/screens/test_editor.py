"""The editor: what is typed is what is submitted, and what is wrong stands where it was typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from comfytui.client.errors import NodeProblems, Problem, Refused
from comfytui.tui.app import Dashboard
from comfytui.tui.draft import SeedMode
from comfytui.tui.screens.editor import Editor, open_editor
from comfytui.tui.screens.workflows import WorkflowsView
from comfytui.tui.widgets.form import FormLine, ValueInput
from comfytui.tui.widgets.line_list import LineList
from comfytui.workflow.document import Document
from comfytui.workflow.graph import Place

from .serving import CATALOGUE, GRAPH, HOSTILE, own_folders, ready, said, screen_text, serve, until

__all__ = ["own_folders"]

SEED, STEPS, TEXT, MODEL = Place("5", "seed"), Place("5", "steps"), Place("2", "text"), Place("1", "ckpt_name")
DOCUMENT = Document("circle.json", GRAPH)


@pytest.fixture(autouse=True)
def _own(own_folders: Path) -> None:
    """Nobody's settings."""


def line(app: Dashboard, place: Place) -> FormLine:
    return next(each for each in app.query(FormLine) if each.editor(place) is not None)


def editor_of(app: Dashboard, place: Place) -> Any:
    return line(app, place).editor(place)


def note(app: Dashboard, place: Place) -> str:
    widget = line(app, place).query_one(".note")
    return str(widget.render()) if widget.has_class("-said") else ""


async def edit(pilot: Any, document: Document = DOCUMENT, mode: SeedMode | None = SeedMode.FIXED) -> Editor:
    await ready(pilot)
    open_editor(pilot.app, document, mode)
    await until(pilot, lambda: pilot.app.query(Editor) and pilot.app.query_one(Editor).draft.document is document)
    editor = pilot.app.query_one(Editor)
    await until(pilot, lambda: editor._problems is not None, "checked against the catalogue")
    return editor


async def test_what_is_typed_is_what_is_submitted() -> None:
    app, server = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        await until(pilot, lambda: isinstance(app.focused, TextArea), "the prompt has the focus")
        await pilot.press("end", *", big")
        editor_of(app, STEPS).value = "7"
        editor_of(app, SEED).value = "99"
        await pilot.pause()
        assert "3 changes" in screen_text(app)
        assert "20 → 7" in said(app, "#editor-review")
        await pilot.press("f5")
        await until(pilot, lambda: server.submitted)
        (graph,) = server.submitted
        assert graph["2"]["inputs"]["text"] == "a red circle, big"
        assert (graph["5"]["inputs"]["steps"], graph["5"]["inputs"]["seed"]) == (7, 99)
        assert graph["1"] == GRAPH["1"] and GRAPH["5"]["inputs"]["steps"] == 20
        await until(pilot, lambda: app.current == "live")
        assert editor.draft.graph["5"]["inputs"]["steps"] == 7, "coming back finds the form as it was left"


async def test_what_is_wrong_is_said_at_the_input_and_nothing_is_queued() -> None:
    app, server = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        editor_of(app, STEPS).value = "many"
        await pilot.pause()
        assert "whole number" in note(app, STEPS)
        await pilot.press("f5")
        await until(pilot, lambda: app.last_error)
        assert server.submitted == []
        assert app.focused is editor_of(app, STEPS)
        editor_of(app, STEPS).value = "20"
        await pilot.pause()
        assert note(app, STEPS) == "" and editor.draft.graph == GRAPH


async def test_what_the_server_refuses_is_said_at_the_input_that_caused_it() -> None:
    app, server = serve()
    problem = Problem("value_bigger_than_max", "Value 20 bigger than max", "steps", "steps")
    server.refuses = Refused(
        "Prompt outputs failed validation", node_errors={"5": NodeProblems("5", "KSampler", (problem,))}
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot)
        await pilot.press("f5")
        await until(pilot, lambda: app.last_error)
        assert "bigger than max" in note(app, STEPS)
        assert app.focused is editor_of(app, STEPS)
        assert app.current == "workflows"
        editor_of(app, STEPS).value = "5"
        await pilot.pause()
        assert note(app, STEPS) == "", "a new value has not been refused"


async def test_missing_models_and_nodes_are_named_with_what_is_near() -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["1"]["inputs"]["ckpt_name"] = "demo-v2.safetensors"
    graph["9"] = {"class_type": "KSamplr", "inputs": {}}
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot, Document("broken.json", graph))
        review = said(app, "#editor-review")
        assert "8 of 9 nodes known" in review
        assert "KSamplr" in review and "KSampler" in review
        assert "demo.safetensors" in note(app, MODEL)
        editor_of(app, MODEL).focus()
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert app.screen.query_one(LineList).key == "0", "what is near is selected"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert editor_of(app, MODEL).value == "demo.safetensors"
        await until(pilot, lambda: note(app, MODEL) == "")


async def test_more_inputs_are_one_key_away_and_can_be_changed() -> None:
    app, server = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        await pilot.press("f3")
        text = screen_text(app)
        assert "more inputs" in text and "Fancy · strength" in text
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        value = app.screen.query_one(ValueInput)
        value.value = "5"
        await pilot.press("enter")
        assert len(app.screen_stack) == 2, "out of range is not accepted"
        value.value = "1,5"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert editor.draft.graph["7"]["inputs"]["strength"] == 1.5
        await pilot.press("f3", "f5")
        await until(pilot, lambda: server.submitted)
        assert server.submitted[0]["7"]["inputs"]["strength"] == 1.5


async def test_several_runs_with_counting_seeds() -> None:
    app, server = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        await pilot.press("f4", "f4")  # fixed → random → increment
        assert editor.draft.seed_mode is SeedMode.INCREMENT
        await pilot.press("ctrl+n")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one(Input).value = "3"
        await pilot.press("enter")
        await until(pilot, lambda: len(server.submitted) == 3)
        assert [graph["5"]["inputs"]["seed"] for graph in server.submitted] == [42, 43, 44]
        await until(pilot, lambda: app.current == "live")
        assert editor.draft.graph["5"]["inputs"]["seed"] == 45


async def test_undo_takes_back_one_change() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        editor_of(app, STEPS).value = "7"
        editor_of(app, Place("5", "cfg")).value = "2.5"
        await pilot.pause()
        editor_of(app, STEPS).focus()
        await pilot.press("ctrl+z")
        assert editor.draft.graph["5"]["inputs"]["cfg"] == 6.0
        assert editor_of(app, Place("5", "cfg")).value == "6.0"
        assert editor.draft.graph["5"]["inputs"]["steps"] == 7


async def test_numbers_step_with_ctrl_and_arrows_within_their_range() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        editor_of(app, Place("4", "width")).focus()
        await pilot.press("ctrl+up", "ctrl+up")
        assert editor.draft.graph["4"]["inputs"]["width"] == 80
        editor_of(app, Place("4", "batch_size")).focus()
        await pilot.press("ctrl+down", "ctrl+down")
        assert editor.draft.graph["4"]["inputs"]["batch_size"] == 1


async def test_hostile_text_is_harmless_and_submitted_as_it_was() -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["2"]["inputs"]["text"] = "a\x1b]0;owned\x07b " + HOSTILE
    graph["5"]["_meta"] = {"title": "\x1b[2J" + HOSTILE}
    app, server = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot, Document("\x1b[31mevil" + HOSTILE, graph))
        text = screen_text(app)
        assert "\x1b" not in text and HOSTILE in text
        editor_of(app, STEPS).value = "3"
        await pilot.press("f5")
        await until(pilot, lambda: server.submitted)
        assert server.submitted[0]["2"]["inputs"]["text"] == graph["2"]["inputs"]["text"]


async def test_a_workflow_of_a_thousand_nodes_opens() -> None:
    graph: dict[str, Any] = dict(GRAPH)
    for n in range(1000):
        graph[f"x{n}"] = {"class_type": "Fancy", "inputs": {"image": ["6", 0], "strength": 0.5}}
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot, Document("large.json", graph))
        assert len(app.query(FormLine)) < 30
        await pilot.press("f3", "G")
        assert "1,00" in screen_text(app) or "strength" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (40, 10), (200, 60)])
async def test_every_size_opens_runs_and_closes(size: tuple[int, int]) -> None:
    app, server = serve()
    async with app.run_test(size=size) as pilot:
        await edit(pilot)
        await pilot.press("f2", "escape", "f3", "escape")
        await pilot.resize_terminal(100, 30)
        await pilot.press("f5")
        await until(pilot, lambda: server.submitted)


async def test_leaving_goes_back_to_where_it_was_opened_and_keeps_the_changes() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await app.action_show("history")
        editor = await edit(pilot)
        editor_of(app, STEPS).value = "7"
        await pilot.press("escape")
        await until(pilot, lambda: app.current == "history")
        view = app.stage.of("workflows")
        assert isinstance(view, WorkflowsView) and not view.editing
        await edit(pilot)
        assert editor.draft.graph["5"]["inputs"]["steps"] == 7


async def test_before_a_server_is_there_the_form_works_and_running_says_why_not() -> None:
    from comfytui.state.model import Link, Phase, ServerState

    app, server = serve(state=ServerState(link=Link("http://gone:8188", Phase.RECONNECTING, error="refused")))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        open_editor(app, DOCUMENT)
        await until(pilot, lambda: app.query(FormLine))
        assert "not connected" in said(app, "#editor-review")
        await pilot.press("f5")
        await until(pilot, lambda: "refused" in (app.last_error or ""))
        assert "changes are kept" in str(app.last_error)
        assert server.submitted == []
        live = serve()[1].state
        server.become(live)
        await server.load_object_info()
        await until(pilot, lambda: "nodes known" in said(app, "#editor-review"))
        assert editor_of(app, MODEL).field.choices == tuple(
            CATALOGUE["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
        )


async def test_the_title_counts_what_is_wrong_and_the_hint_tells_what_a_field_accepts() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot)
        editor_of(app, STEPS).focus()
        await until(pilot, lambda: "1 … 10,000" in said(app, "#editor-hint"))
        assert "default 20" in said(app, "#editor-hint") and "shift+↑↓" in said(app, "#editor-hint")
        editor_of(app, STEPS).value = "0"
        await until(pilot, lambda: "1 wrong" in screen_text(app))
        editor_of(app, STEPS).value = "3"
        await until(pilot, lambda: "wrong" not in screen_text(app))


async def test_numbers_step_within_their_bounds() -> None:
    app, _ = serve()
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        editor_of(app, STEPS).focus()
        await pilot.press("shift+up", "pageup")
        await until(pilot, lambda: editor.draft.graph["5"]["inputs"]["steps"] == 31)
        await pilot.press("pagedown", "pagedown", "pagedown", "pagedown", "ctrl+down")
        await until(pilot, lambda: editor.draft.graph["5"]["inputs"]["steps"] == 1)


async def test_space_turns_a_yes_into_a_no() -> None:
    catalogue = {**CATALOGUE, "Fancy": {**CATALOGUE["Fancy"], "input": {"required": {
        "image": ["IMAGE"], "strength": ["BOOLEAN", {"default": True}]}}}}  # fmt: skip
    graph = {**GRAPH, "7": {"class_type": "Fancy", "inputs": {"image": ["6", 0], "strength": True}}}
    app, _ = serve(catalogue)
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot, Document("yes.json", graph))
        await pilot.press("f3")
        lines = app.query_one("#editor-more LineList", LineList)
        await until(pilot, lambda: lines.has_focus)
        rest = [field.place for field in editor._rest()]
        lines.move_to(str(rest.index(Place("7", "strength"))))
        await pilot.press("enter")
        assert editor.draft.graph["7"]["inputs"]["strength"] is False
        await pilot.press("u")
        assert editor.draft.graph["7"]["inputs"]["strength"] is True, "u takes it back"


async def test_a_refusal_of_a_link_is_said_beside_the_form() -> None:
    app, server = serve()
    problem = Problem("return_type_mismatch", "Return type mismatch between linked nodes", "model", "model")
    server.refuses = Refused("Failed", node_errors={"5": NodeProblems("5", "KSampler", (problem,))})
    async with app.run_test(size=(120, 40)) as pilot:
        await edit(pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "the server refused" in said(app, "#editor-review"))
        assert "KSampler · model: Return type mismatch" in said(app, "#editor-review").replace("\n", " ")


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 40), (200, 60)])
async def test_fields_lie_in_columns_and_what_is_changed_has_a_sign(size: tuple[int, int]) -> None:
    app, _ = serve()
    async with app.run_test(size=size) as pilot:
        editor = await edit(pilot)
        lines = [each for each in editor.query(FormLine) if len(each.fields) > 1]

        def in_columns() -> bool:
            """They are placed with the first layout, which comes when the machine has time for it."""
            inputs = [[each.editor(field.place).region for field in each.fields] for each in lines]
            columns = {tuple(region.x for region in each) for each in inputs}
            longest = max(columns, key=len)
            aligned = all(set(each) <= set(longest) for each in columns)
            ends = len({each[-1].right for each in inputs}) == 1
            return aligned and ends and all(region.width >= 11 for each in inputs for region in each)

        await until(pilot, in_columns, "the columns")
        editor_of(app, STEPS).value = "7"
        await until(pilot, lambda: "Steps•" in screen_text(app), "the sign")
        await pilot.resize_terminal(size[0] + 7, size[1])
        await until(pilot, lambda: "Steps•" in screen_text(app), "the sign, in the new layout")
        editor_of(app, STEPS).value = "20"
        await until(pilot, lambda: "Steps•" not in screen_text(app), "no sign")
