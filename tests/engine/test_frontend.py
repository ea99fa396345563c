"""ComfyUI's own web front end, in a browser, on the real engine: it loads, queues, shows progress and the picture."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.options import parse
from engine.server import frontend
from tests.support.browser import PROGRAM, Page, browser
from tests.support.engine import REPOSITORY, RunningEngine, start_engine

ROOT = frontend.find(parse([]))
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium"),
    pytest.mark.skipif(ROOT is None, reason=f"{frontend.PACKAGE} is not installed: make clients"),
]
TOKEN = "a-token-for-the-browser-0123456789"
_READY = (
    "!!(window.app?.graph && document.querySelector('canvas') && document.querySelector('[data-testid=queue-button]'))"
)
_PICTURE = "app.graph._nodes.find(node => node.type == 'SaveImage')"


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


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


def graph() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((REPOSITORY / "examples/txt2img-demo.json").read_text(encoding="utf-8"))
    for node in made.values():
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"] |= {"width": 64, "height": 64, "batch_size": 1}
    return made


def enter(page: Page, served: RunningEngine) -> None:
    """Give the token to the page that asks for it, as a person does; not for the first time, which opens a tour."""
    settings = json.dumps({"Comfy.TutorialCompleted": True}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    asked = urllib.request.Request(served.url + "/settings", data=settings, headers=headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as response:
        assert response.status == 200
    page.open(served.url + "/")
    page.wait("!!document.querySelector('input[name=token]')")
    page.evaluate(f"document.querySelector('input[name=token]').value = {json.dumps(TOKEN)}; 1")
    page.evaluate("document.querySelector('button').click()")


def test_a_workflow_from_the_browser(served: RunningEngine, page: Page, tmp_path: Path) -> None:
    enter(page, served)
    try:
        page.wait(_READY, 180)
        nodes = page.evaluate("Object.keys(LiteGraph.registered_node_types)")
        assert {"KSampler", "CheckpointLoaderSimple", "SaveImage"} <= set(nodes)
        titles_of(page)
        drop(page, graph())
        page.wait(f"app.graph._nodes.length == {len(graph())}")
        choices = page.evaluate(
            "app.graph._nodes.find(n => n.type == 'CheckpointLoaderSimple').widgets[0].options.values"
        )
        assert "comfytui-demo.safetensors" in choices
        press(page, "[data-testid=queue-button]")
        # A node draws its picture when it is in sight.
        page.evaluate(f"app.canvas.centerOnNode({_PICTURE}); app.canvas.setDirty(true, true); 1")
        page.wait(f"{_PICTURE}.imgs?.[0]?.naturalWidth", 180)
        assert page.evaluate(f"[{_PICTURE}.imgs[0].naturalWidth, {_PICTURE}.imgs[0].naturalHeight]") == [64, 64]
        titles = page.evaluate("window.titlesSeen")
        assert any("KSampler" in title and "%" in title for title in titles), titles
        page.wait("!document.title.includes('%')")
        assert (served.base / "output/demo").is_dir()
    finally:
        page.screenshot(tmp_path / "page.png")
    assert wrong(page, served.url) == []
    assert page.errors == []


def titles_of(page: Page) -> None:
    """Keep every title that the page has had: it counts the steps there."""
    page.evaluate(
        "window.titlesSeen = []; new MutationObserver(() => window.titlesSeen.push(document.title))"
        ".observe(document.querySelector('title'), {childList: true, characterData: true, subtree: true})"
    )


def drop(page: Page, made: dict[str, Any]) -> None:
    """Open a workflow file, as dropping it on the canvas does."""
    file = f"new File([{json.dumps(json.dumps(made))}], 'demo.json', {{type: 'application/json'}})"
    page.evaluate(f"app.handleFile({file}).then(() => 1)")


def press(page: Page, selector: str) -> None:
    """Click the middle of an element once nothing lies over it."""
    middle = (
        f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
        "const b = e.getBoundingClientRect(), x = b.x + b.width / 3, y = b.y + b.height / 2;"
        "return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null })()"
    )
    x, y = page.wait(middle)
    page.click(x, y)


def wrong(page: Page, url: str) -> list[str]:
    """Answers of the API that are a page or a refusal, but for files that a user may not have yet."""
    found = []
    for request, status, kind in page.answers:
        method, _, address = request.partition(" ")
        path = urlsplit(address).path
        if not address.startswith(url) or not path.startswith(("/api/", "/internal/", "/templates/")):
            continue
        absent = status == 404 and path.startswith("/api/userdata") and method == "GET"
        if not absent and (status >= 400 or kind == "text/html"):
            found.append(f"{request}: {status} {kind}")
    return found


def test_a_second_visit_shows_what_was_made(served: RunningEngine, page: Page) -> None:
    enter(page, served)
    page.wait(_READY, 180)
    listed = page.evaluate("fetch('/api/history?max_items=64').then(answer => answer.json())")
    assert [entry["status"]["status_str"] for entry in listed.values()] == ["success"]
    end = time.monotonic() + 60
    while not any("/api/history" in name or "/api/jobs" in name for name, _, _ in page.answers):
        assert time.monotonic() < end
        page.evaluate("1")
    assert wrong(page, served.url) == []
