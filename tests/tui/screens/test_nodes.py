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
