"""Both directions of the conversion against ComfyUI's own web front end, in a browser, on the real engine."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from comfytui.workflow.convert import to_api, to_ui
from tests.engine.test_frontend import _READY, ROOT, TOKEN, drop, enter, graph
from tests.support.browser import PROGRAM, Page, browser
from tests.support.engine import RunningEngine, start_engine

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium"),
    pytest.mark.skipif(ROOT is None, reason="the front end is not installed: make clients"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    running = start_engine(tmp_path_factory.mktemp("front"), "--front-end-root", str(ROOT), "--token-file", str(token))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def page(served: RunningEngine) -> Iterator[Page]:
    with browser() as opened:
        enter(opened, served)
        opened.wait(_READY, 180)
        yield opened


def catalogue(served: RunningEngine) -> dict[str, Any]:
    asked = urllib.request.Request(served.url + "/object_info", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=60) as response:
        found: dict[str, Any] = json.load(response)
    return found


def nested() -> dict[str, Any]:
    """The example, but with the text encoders and the sampler within subgraphs, as they are named after flattening."""
    inner = {"CLIPTextEncode": "70:", "KSampler": "70:80:"}
    given = graph()
    names = {node_id: inner.get(node["class_type"], "") + node_id for node_id, node in given.items()}
    return {
        names[node_id]: {
            **node,
            "inputs": {
                key: [names[value[0]], value[1]] if isinstance(value, list) else value
                for key, value in node["inputs"].items()
            },
        }
        for node_id, node in given.items()
    }


@pytest.mark.parametrize("made", [graph(), nested()], ids=["flat", "nested"])
def test_a_drawn_workflow_opens_and_is_the_same_and_what_the_browser_saves_converts(
    served: RunningEngine, page: Page, made: dict[str, Any]
) -> None:
    info = catalogue(served)
    drop(page, to_ui(made, info).workflow)
    nodes = len({node_id.split(":")[0] for node_id in made})
    page.wait(f"app.graph._nodes.length == {nodes}")
    theirs = json.loads(page.evaluate("app.graphToPrompt().then(made => JSON.stringify(made))"))
    assert values(theirs["output"]) == values(made)
    assert values(to_api(theirs["workflow"], info).graph) == values(made)


def values(made: dict[str, Any]) -> dict[str, Any]:
    return {node_id: (node["class_type"], node["inputs"]) for node_id, node in made.items()}
