"""The editor beside values: LoRAs, weights, completion, favourites, the difference to the file, and what is queued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from comfytui.client.messages import Submitted
from comfytui.tui.completion import completions, location, offset
from comfytui.tui.screens.editor_acts import difference
from comfytui.workflow.document import Document

from .serving import CATALOGUE, GRAPH, _node, own_folders, said, screen_text, serve, until
from .test_editor import STEPS, TEXT, edit, editor_of

__all__ = ["own_folders"]

WITH_LORAS: dict[str, Any] = {
    **CATALOGUE,
    "CLIPTextEncode": _node(
        "conditioning", {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP"]}, ["CONDITIONING"]
    ),
    "LoraLoader": _node(
        "loaders",
        {"model": ["MODEL"], "clip": ["CLIP"], "lora_name": [["film.safetensors", "toon.safetensors"]],
         "strength_model": ["FLOAT", {"min": -100.0, "max": 100.0, "step": 0.01}],
         "strength_clip": ["FLOAT", {"min": -100.0, "max": 100.0, "step": 0.01}]},
        ["MODEL", "CLIP"],
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own(own_folders: Path) -> None:
    """Nobody's settings."""


async def test_a_lora_is_added_weighed_and_taken_out_with_one_undo_each_time() -> None:
    app, server = serve(WITH_LORAS)
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        await pilot.press("f7")
        await until(pilot, lambda: "This workflow has no LoRA" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: "toon.safetensors" in screen_text(app))
        await pilot.press(*"toon", "enter")
        await until(pilot, lambda: "take out" in screen_text(app))
        await pilot.press("left", "left", "right", "escape")
        await until(pilot, lambda: "9" in editor.draft.graph and "toon.safetensors" in said(app, "#editor-review"))
        added = editor.draft.graph["9"]
        assert added["inputs"] | {"model": 0, "clip": 0} == {
            "model": 0, "clip": 0, "lora_name": "toon.safetensors", "strength_model": 0.95, "strength_clip": 0.95,
        }  # fmt: skip
        await until(pilot, lambda: [p for p in editor._lines if p.node_id == "9"], "its fields on the form")
        await pilot.press("f7")
        await until(pilot, lambda: "take out" in screen_text(app))
        await pilot.press("x", "escape")
        await until(pilot, lambda: editor.draft.graph == GRAPH)
        editor.action_undo()
        assert "9" in editor.draft.graph, "undo brings it back"
        await until(pilot, lambda: [p for p in editor._lines if p.node_id == "9"])
        await pilot.press("f5")
        await until(pilot, lambda: server.submitted)
        assert server.submitted[0]["5"]["inputs"]["model"] == ["9", 0]
        assert server.submitted[0]["2"]["inputs"]["clip"] == ["9", 1]


async def test_weights_favourites_and_the_difference(own_folders: Path) -> None:
    app, _ = serve(WITH_LORAS)
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        area = editor_of(app, TEXT)
        area.focus()
        area.move_cursor((0, 4))
        await pilot.press("ctrl+up", "ctrl+up")
        assert area.text == "a (red:1.1) circle"
        await pilot.press("alt+down")
        await until(pilot, lambda: editor.draft.graph["2"]["inputs"]["text"] == "a (red:1.05) circle")
        await pilot.press("f9")
        await until(pilot, lambda: '+      "text": "a (red:1.05) circle"' in screen_text(app))
        assert '-      "text": "a red circle"' in screen_text(app)
        await pilot.press("escape")

        editor_of(app, STEPS).focus()
        await pilot.press("f12")
        await until(pilot, lambda: "favourite" in screen_text(app))
        app.screen.query_one(Input).value = "Quality"
        await pilot.press("enter")
        await until(pilot, lambda: next(iter(editor._lines)) == STEPS, "the favourite stands first")
        assert "Quality" in screen_text(app)

        other = Document(
            "other name.json", {**GRAPH, "5": {**GRAPH["5"], "inputs": {**GRAPH["5"]["inputs"], "seed": 7}}}
        )
        await edit(pilot, other)
        await until(pilot, lambda: next(iter(editor._lines)) == STEPS, "the same workflow with another seed has it too")
        editor_of(app, STEPS).focus()
        await pilot.press("f12")
        await until(pilot, lambda: "favourite" in screen_text(app))
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: next(iter(editor._lines)) == TEXT)


async def test_an_embedding_is_completed_and_what_is_sent_is_expanded(own_folders: Path) -> None:
    (own_folders / "cards").mkdir()
    (own_folders / "cards" / "colour.txt").write_text("green\n")
    app, server = serve(WITH_LORAS, wildcard_folders=(str(own_folders / "cards"),))
    told: list[Any] = []

    async def submit(graph: dict[str, Any], **more: Any) -> Submitted:
        server.submitted.append(graph)
        told.append(more)
        return Submitted("id1")

    async def embeddings() -> tuple[str, ...]:
        return ("easynegative", "other")

    server.submit, server.embeddings = submit, embeddings  # type: ignore[method-assign, attr-defined]
    async with app.run_test(size=(120, 40)) as pilot:
        editor = await edit(pilot)
        area = editor_of(app, TEXT)
        area.text = "__shape__"
        await pilot.press("f5")
        await until(pilot, lambda: app.last_error)
        assert "there is no shape.txt" in (app.last_error or "")
        assert not server.submitted
        area.text = "a {__colour__} circle // mine\nembedding:ea"
        area.focus()
        area.move_cursor((1, 12))
        await pilot.press("ctrl+@")
        await until(pilot, lambda: "embedding:easynegative" in screen_text(app))
        await pilot.press("enter")
        template = "a {__colour__} circle // mine\nembedding:easynegative"
        await until(pilot, lambda: editor.draft.graph["2"]["inputs"]["text"] == template)
        await pilot.press("f5")
        await until(pilot, lambda: server.submitted)
        assert server.submitted[0]["2"]["inputs"]["text"] == "a green circle \nembedding:easynegative"
        assert told[0]["templates"] == {"2": {"text": template}}
        assert editor.draft.graph["2"]["inputs"]["text"] == template, "the form keeps what was written"


def test_what_can_be_completed() -> None:
    names, files = ("Easy", "other"), ("animals/cats", "colour")
    everything = ("embedding:Easy", "embedding:other", "__animals/cats__", "__colour__")
    assert completions("a cat ", 6, names, files) == (6, everything)
    assert completions("embedding:ea", 12, names, files) == (0, ("embedding:Easy",))
    assert completions("x, (embedding:", 14, names, files) == (4, everything[:2])
    assert completions("a __an", 6, names, files) == (2, ("__animals/cats__",))
    assert completions("nothing__x", 10, names, files) == (10, everything)
    text = "ab\n\ncde"
    assert [location(text, at) for at in (0, 2, 3, 4, 7)] == [(0, 0), (0, 2), (1, 0), (2, 0), (2, 3)]
    assert [offset(text.split("\n"), *location(text, at)) for at in range(8)] == list(range(8))


def test_a_difference_reads_like_one_of_files() -> None:
    assert difference(GRAPH, GRAPH, "x") == ""
    assert '-      "ckpt_name": "demo.safetensors"' in difference(GRAPH, {}, "x").replace("'", '"')
    assert difference({"1": 2}, {"1": 3}, "x").splitlines()[:2] == ["--- x", "+++ x, changed"]
