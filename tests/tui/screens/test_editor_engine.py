"""The editor on the real engine: the picture holds the values that made it, in both forms, and what they came from."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from comfytui.tui.draft import SeedMode
from comfytui.workflow import convert, queueing
from comfytui.workflow.document import parse
from tests.support.engine import RunningEngine
from tests.support.samples import txt2img

from .serving import own_folders, until
from .test_with_engine import select, workflows

__all__ = ["own_folders"]


async def test_the_picture_holds_what_was_changed_in_both_forms(engine: RunningEngine, own_folders: Path) -> None:
    info = json.loads(engine.get("/object_info")[1])
    graph = txt2img(text="a red circle")
    loader = next(each for each in graph.values() if "ckpt_name" in each["inputs"])
    loader["inputs"]["ckpt_name"] = "comfytui-demo.safetensors"
    page = own_folders / "page.json"
    page.write_text(json.dumps(convert.to_ui(graph, info).workflow))
    async with workflows(engine, own_folders) as (pilot, app, view):
        await select(pilot, view, str(page))
        await pilot.press("e")
        await until(pilot, lambda: view.editing and view.editor.has_focus_within)
        editor = view.editor
        before = editor.draft.graph
        words = next(each for each in before if before[each]["inputs"].get("text") == "a red circle")
        sampler = next(each for each in before if "sampler_name" in before[each]["inputs"])
        save = next(each for each in before if "filename_prefix" in before[each]["inputs"])
        template = "a {green|green} circle // soon"
        for place, text in (
            ((words, "text"), template),
            ((sampler, "steps"), "2"),
            ((save, "filename_prefix"), "n_%KSampler.steps%"),
        ):
            found = next(each for each in editor._fields if each == place)
            assert editor._take(found, text), editor._typed
            editor._put(found)
        editor._use_seed_mode(SeedMode.RANDOM)
        connection = app.session.connection
        assert connection is not None
        known = set(connection.state.jobs)
        await pilot.press("f5")

        def outputs() -> list[object]:
            return [out for key, job in connection.state.jobs.items() if key not in known for out in job.outputs]

        await until(pilot, outputs, "a picture")
        (picture,) = outputs()
        name = {"filename": picture.filename, "subfolder": picture.subfolder, "type": picture.type}  # type: ignore[attr-defined]
    assert name["filename"].startswith("n_2_")
    status, data = engine.get(f"/view?{urlencode(name)}")
    assert status == 200
    made = parse(data, "picture")
    assert made.graph[words]["inputs"]["text"] == "a green circle "
    assert made.graph[sampler]["inputs"]["seed"] != before[sampler]["inputs"]["seed"]
    assert made.workflow is not None
    page_of = convert.to_api(made.workflow, info).graph
    assert page_of[words]["inputs"]["text"] == template, "the browser opens what was written"
    assert page_of[sampler]["inputs"]["steps"] == 2
    assert page_of[sampler]["inputs"]["seed"] == made.graph[sampler]["inputs"]["seed"], "with the seed that made it"
    assert made.templates == {words: {"text": template}, save: {"filename_prefix": "n_%KSampler.steps%"}}
    assert queueing.with_templates(made)[words]["inputs"]["text"] == template
