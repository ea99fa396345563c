"""The Nodes screen: search, categories, cards, and who takes what."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.widgets import Input

from comfytui.state.model import Link, Phase, ServerState
from comfytui.tui.screens.nodes import NodesView
from comfytui.tui.widgets.line_list import LineList

from .serving import CATALOGUE, HOSTILE, own_folders, ready, screen_text, serve, until

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recordings" / "object_info.json"
__all__ = ["own_folders"]
pytestmark = pytest.mark.usefixtures("own_folders")


async def opened(pilot) -> NodesView:
    await ready(pilot)
    await pilot.press("4")
    await until(pilot, lambda: pilot.app.query("#nodes-list") and pilot.app.query_one("#nodes-list", LineList).keys)
    return pilot.app.query_one(NodesView)


async def test_it_lists_what_the_server_has() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        text = screen_text(app)
        assert "8 nodes" in text
        assert "Load Checkpoint" in text and "LATENT" in text


async def test_search_narrows_and_escape_brings_all_back() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"ksam", "enter")
        assert app.query_one("#nodes-list", LineList).keys == ("KSampler",)
        assert view.node is not None and view.node.name == "KSampler"
        text = screen_text(app)
        assert "Denoises a latent." in text
        assert "2⁶⁴−1" in text, "a range is readable"
        assert "2 choices" in text and "euler" in text
        await pilot.press("escape")
        assert len(app.query_one("#nodes-list", LineList).keys) == len(CATALOGUE)


async def test_a_category_filters_and_opens() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        tree = app.query_one("#nodes-tree", LineList)
        tree.focus()
        tree.move_to("image")
        await pilot.pause()
        assert set(app.query_one("#nodes-list", LineList).keys) == {"Fancy", "OldScale", "SaveImage"}
        assert "image/fancy" not in tree.keys
        await pilot.press("enter")
        assert "image/fancy" in tree.keys


async def test_enter_on_an_output_lists_the_nodes_that_take_it() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"vaedecode", "enter", "enter")
        card = app.query_one("#nodes-card", LineList)
        assert card.has_focus
        await pilot.press("G", "enter")
        assert app.query_one("#nodes-query", Input).value == "takes:IMAGE"
        assert set(app.query_one("#nodes-list", LineList).keys) == {"Fancy", "OldScale", "SaveImage"}


async def test_m_asks_which_input_and_lists_its_makers_and_escape_comes_back() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"vaedecode", "enter", "m")
        await until(pilot, lambda: len(app.screen_stack) == 2, "asked")
        await pilot.pause()
        assert "LATENT · samples · 2 make it" in screen_text(app) and "VAE · vae · 1 make it" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: set(view._list.keys) == {"KSampler", "EmptyLatentImage"})
        await pilot.press("t")  # one output, so nothing is asked
        assert view.query_one(Input).value == "takes:LATENT"
        await pilot.press("escape")
        assert view.query_one(Input).value == "makes:LATENT"
        await pilot.press("escape")
        assert view.query_one(Input).value == "vaedecode" and view.node is not None and view.node.name == "VAEDecode"


async def test_the_tooltip_of_the_selected_input_is_shown() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"ksampler", "enter", "enter")
        for _ in range(8):
            if "The model that denoises." in screen_text(app):
                break
            await pilot.press("j")
        assert "The model that denoises." in screen_text(app)


async def test_badges_and_hostile_titles_are_text() -> None:
    app, _ = serve()
    async with app.run_test(size=(160, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"fancy", "enter")
        text = screen_text(app)
        assert HOSTILE in text
        assert "experimental" in text and "custom" in text
        assert view.node is not None and view.node.package == "fancy"


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (40, 10), (120, 40), (200, 60)])
async def test_every_size_has_a_list_and_a_card(size: tuple[int, int]) -> None:
    app, _ = serve()
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await pilot.press("escape", "v", "v", "v")
        await pilot.resize_terminal(100, 30)
        await pilot.press("enter")
        assert "in " in screen_text(app)


async def test_without_a_server_it_teaches_how_to_get_one() -> None:
    down = ServerState(link=Link("http://gone:8188", Phase.RECONNECTING, error="connection refused"))
    app, server = serve(state=down)
    async with app.run_test(size=(120, 30)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await pilot.pause()
        text = screen_text(app)
        assert "connection refused" in text
        assert "ssh -L 8188:127.0.0.1:8188" in text and "comfytui --local" in text
        assert ("load_object_info",) not in server.asked


@pytest.mark.skipif(not RECORDED.exists(), reason="no recordings here")
async def test_five_thousand_nodes_scroll() -> None:
    real = msgspec.json.decode(RECORDED.read_bytes())
    many = {f"{name}{copy}": info for copy in range(12) for name, info in real.items()}
    app, _ = serve(many)
    async with app.run_test(size=(120, 40)) as pilot:
        view = await opened(pilot)
        await pilot.press("G")
        assert view.node is not None
        await pilot.press("pageup", "j", "slash", *"vae", "enter")
        assert 0 < len(app.query_one("#nodes-list", LineList).keys) < 2000


async def test_badges_packages_and_exclusions_are_words_of_the_search() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"from:fancy", "enter")
        assert view._list.keys == ("Fancy",)
        await pilot.press("escape", "slash", *"is:nonsense")
        assert "is:core, is:deprecated" in screen_text(app), "a wrong word says what there is"


async def test_the_letters_that_were_meant_stand_out_without_colour_too() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"vdec", "enter")
        line = view._draw_node("VAEDecode", 60)
        underlined = "".join(
            line.plain[span.start : span.end] for span in line.spans if getattr(span.style, "underline", 0)
        )
        assert "".join(underlined).startswith("V") and "Dec" in underlined


async def test_no_match_says_what_is_near_and_what_to_press() -> None:
    app, _ = serve()
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"saveimmage")
        text = screen_text(app)
        assert "No node matches" in text and "near: SaveImage" in text and "esc" in text


async def test_the_choices_of_an_input_can_be_read_searched_and_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = serve()
    copied: list[str] = []
    monkeypatch.setattr(app, "copy", lambda text, what="": copied.append(text))
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"ksampler", "enter", "enter")
        place = next(n for n, line in enumerate(view._card) if line.name == "scheduler")
        view._card_list.cursor = place
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.pause()
        assert "scheduler · 2 choices" in screen_text(app)
        await pilot.press(*"krs", "enter")
        await until(pilot, lambda: copied == ["karras"])


async def test_w_lists_the_workflows_that_use_a_node_and_escape_comes_back(own_folders: Path) -> None:
    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"fancy", "enter", "w")
        await until(pilot, lambda: app.current == "workflows" and "circle" in screen_text(app))
        assert "txt2img-demo" not in screen_text(app), "the examples know no such node"
        await until(pilot, lambda: app.view is not None and app.view.has_focus_within)
        await pilot.press("escape")
        await until(pilot, lambda: app.current == "nodes")


async def test_missing_asks_for_a_workflow_and_shows_what_is_near(own_folders: Path) -> None:
    import json

    from .serving import GRAPH

    graph = json.loads(json.dumps(GRAPH)) | {"9": {"class_type": "SaveImagee", "inputs": {}}}
    (own_folders / "odd.json").write_text(json.dumps(graph))
    app, _ = serve(workflow_folders=(str(own_folders),))
    async with app.run_test(size=(140, 30)) as pilot:
        view = await opened(pilot)
        await pilot.press("M")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"odd", "enter")
        await until(pilot, lambda: "SaveImagee" in screen_text(app) and "near: SaveImage" in screen_text(app))
        await pilot.press("enter")
        await until(
            pilot, lambda: len(app.screen_stack) == 1 and view.node is not None and view.node.name == "SaveImage"
        )


async def test_a_catalogue_that_cannot_be_had_says_so_and_f5_asks_again() -> None:
    from comfytui.client.errors import BadAnswer

    app, server = serve()
    real = server.load_object_info

    async def broken(force: bool = False) -> dict:
        raise BadAnswer("it is a web page")

    server.load_object_info = broken  # type: ignore[method-assign]
    async with app.run_test(size=(140, 30)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "did not tell its nodes: it is a web page" in screen_text(app))
        server.load_object_info = real  # type: ignore[method-assign]
        await pilot.press("f5")
        await until(pilot, lambda: "8 nodes" in screen_text(app))
