"""Models: what the folders hold, what a file says of itself, who uses it; asked for when it is looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from comfytui.tui.app import Dashboard
from comfytui.tui.screens.models import ModelsView
from comfytui.tui.widgets.line_list import LineList
from tests.tui import sample
from tests.tui.support import compare, running, text, until


async def loaded(pilot: Pilot[Any]) -> ModelsView:
    app = pilot.app
    assert isinstance(app, Dashboard)
    view = app.default_screen.query_one(ModelsView)
    await until(pilot, lambda: not view._loading and bool(view._files), "the models")
    return view


def files(view: ModelsView) -> list[str]:
    return [view._files[key].base for key in view.query_one("#models-list", LineList).keys]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_how_it_looks(size: tuple[int, int]) -> None:
    async with running(sample.idle(), size, "9") as (pilot, app, _):
        await loaded(pilot)
        await pilot.press("j", "j")
        if size[0] >= 120:
            await until(pilot, lambda: "stable-diffusion-xl" in text(app), "what the file says")
        await until(pilot, lambda: app.stage.of("workflows") is not None, "the workflows")
        await pilot.pause()
        compare(f"models-{size[0]}x{size[1]}", text(app))


async def test_folders_tell_how_much_they_hold() -> None:
    async with running(sample.idle(), (120, 40), "9") as (pilot, app, _):
        await loaded(pilot)
        shown = text(app)
        for words in ("all folders          5 29.0 GB", "checkpoints          3 28.4 GB", "upscale_models       0"):
            assert words in shown


async def test_what_a_file_says_is_asked_when_it_is_looked_at_and_once() -> None:
    async with running(sample.idle(), (80, 24), "9") as (pilot, app, connection):
        view = await loaded(pilot)
        await pilot.press("j", "j", "j")
        assert not [each for each in connection.routes.asked if each.startswith("/view_metadata")]
        await pilot.press("enter")
        await until(pilot, lambda: "film grain, kodak" in text(app), "the trigger words")
        assert "14," in text(app), "the jobs that used it"
        await pilot.press("G")
        await until(pilot, lambda: "night 44" in text(app), "the tags of its training")
        await pilot.press("escape", "enter")
        await until(pilot, lambda: "film grain, kodak" in text(app), "the card")
        assert connection.routes.asked.count("/view_metadata/loras?film_grain.safetensors") == 1
        assert view.file is not None


async def test_a_picture_is_shown_where_there_is_one() -> None:
    async with running(sample.idle(), (120, 40), "9") as (pilot, _, connection):
        view = await loaded(pilot)
        path = "/experiment/models/preview/loras/0/film_grain.safetensors"
        connection.routes.answers[path] = sample.picture()
        await pilot.press("j", "j", "j")
        await until(pilot, lambda: view.has_class("-picture"), "the picture")
        await pilot.press("j")
        await until(pilot, lambda: not view.has_class("-picture"), "no picture")


async def test_the_list_is_filtered_and_sorted() -> None:
    async with running(sample.idle(), (80, 24), "9") as (pilot, app, _):
        view = await loaded(pilot)
        await pilot.press("o")
        assert files(view)[0] == "flux1-dev-fp8.safetensors" and files(view)[-1] == "film_grain.safetensors"
        await pilot.press("o")
        assert files(view)[0] == "film_grain.safetensors"
        await pilot.press("slash", *"sdxl", "enter")
        assert files(view) == ["sdxl_base_1.0.safetensors"]
        assert "1 of 5" in text(app)
        await pilot.press("escape")
        assert len(files(view)) == 5


async def test_the_name_is_copied_as_a_node_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(sample.idle(), (80, 24), "9") as (pilot, app, _):
        await loaded(pilot)
        copied: list[str] = []
        monkeypatch.setattr(app, "copy", lambda text, what="": copied.append(text))
        await pilot.press("y")
        assert copied == ["flux/flux1-dev-fp8.safetensors"]


async def test_who_uses_a_model_is_shown(tmp_path: Path) -> None:
    graph = sample.graph()
    (tmp_path / "mine.json").write_text(json.dumps(graph))
    async with running(sample.idle(), (120, 40), "9", workflow_folders=(str(tmp_path),)) as (pilot, app, _):
        view = await loaded(pilot)
        await pilot.press("j", "j")
        await until(pilot, lambda: "1: mine.json" in text(app), "the workflow on the card")
        await pilot.press("u")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the choice")
        assert "Workflows: 1 file" in text(app) and "History: 14 jobs" in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.current == "workflows" and "mine.json" in text(app), "the workflows")
        await pilot.press("9", "u")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the choice")
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current == "history" and "model:sdxl_base_1.0" in text(app), "the history")
        assert view.file is not None


async def test_a_folder_that_cannot_be_listed_says_why_and_may_be_asked_again() -> None:
    state = sample.idle()
    async with running(state, (120, 40)) as (pilot, app, connection):
        del connection.routes.answers["/experiment/models/loras"]
        await pilot.press("9")
        await loaded(pilot)
        await pilot.press("v", "j", "j")
        await until(pilot, lambda: "loras (any more)" in text(app), "why")
        connection.routes.answers["/experiment/models/loras"] = [{"name": "new.safetensors", "pathIndex": 0, "size": 5}]
        await pilot.press("f5")
        await until(pilot, lambda: "new.safetensors" in text(app), "the file")


async def test_on_a_slow_link_only_what_is_looked_at_is_asked_for() -> None:
    state = sample.idle()
    slow = replace(state, link=replace(state.link, latency=0.4))
    async with running(slow, (120, 40), "9") as (pilot, app, connection):
        await loaded(pilot)
        assert "v1-5-pruned" in text(app)
        asked = [each for each in connection.routes.asked if each.startswith("/experiment/models/")]
        assert [each for each in asked if "/preview/" not in each] == ["/experiment/models/checkpoints"]
        await pilot.press("v", "j")
        await until(pilot, lambda: "film_grain" in text(app), "the folder that is looked at")
        assert "/experiment/models/vae" not in connection.routes.asked
        await pilot.press("g")
        await until(pilot, lambda: "/experiment/models/vae" in connection.routes.asked, "all of them")


async def test_a_hidden_screen_asks_nothing() -> None:
    async with running(sample.idle(), (120, 40), "9", "1") as (pilot, _, connection):
        connection.model_files.forget()
        connection.routes.asked.clear()
        connection.become(replace(connection.state, stats=replace(sample.stats(), version="0.4.0")))
        connection.become(sample.busy())
        await pilot.pause(0.3)
        assert not [each for each in connection.routes.asked if "models" in each]


async def test_ten_thousand_files_are_listed() -> None:
    async with running(sample.idle(), (80, 24)) as (pilot, _, connection):
        connection.routes.answers["/experiment/models/loras"] = [
            {"name": f"set/{n:05}.safetensors", "pathIndex": 0, "size": 1000, "modified": 1.0} for n in range(10_000)
        ]
        await pilot.press("9")
        view = await loaded(pilot)
        assert len(files(view)) == 10_004
        await pilot.press("G", "k", "slash", *"00042", "enter")
        assert files(view) == ["00042.safetensors"]
