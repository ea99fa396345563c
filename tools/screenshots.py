"""Makes the pictures in docs/images/ from the running program: a real engine, the demo model, the real dashboard.

    python tools/screenshots.py [NAME…]

Each is an SVG that Textual exports, so it shows exactly what a terminal of that size would.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from comfytui.state.model import ServerState
    from comfytui.tui.app import Dashboard

IMAGES = ROOT / "docs" / "images"
SIZES = {
    "live": (120, 36),
    "history": (120, 36),
    "nodes": (120, 36),
    "editor": (120, 30),
    "queue": (120, 30),
    "small": (80, 24),
}
PROMPTS = (
    "a yellow star on a black background",
    "a red heart on a white background",
    "a blue square on a yellow background",
    "a green ring on a pink background",
    "a white circle on a purple background",
    "a pink cross on a cyan background",
    "a red house on green hills under a blue sky",
    "an orange diamond on a blue background",
)


async def _until(pilot: Pilot[Any], condition: Callable[[], bool], seconds: float = 180) -> None:
    for _ in range(int(seconds * 20)):
        if condition():
            return
        await pilot.pause(0.05)
    raise SystemExit("the dashboard did not get there; is the engine running?")


def _graph(text: str, seed: int, steps: int = 20) -> dict[str, Any]:
    from comfytui.workflow import document, inputs

    graph = dict(document.read(ROOT / "examples" / "txt2img-demo.json").graph)
    for node, name, value in (("Positive", "text", text), ("Sampler", "seed", seed), ("Sampler", "steps", steps)):
        graph = dict(inputs.with_value(graph, node, name, value, None))
    return graph


async def _take(app: Dashboard, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.svg").write_text(app.export_screenshot(title="comfytui"), encoding="utf-8")
    print(f"docs/images/{name}.svg", flush=True)


async def _shoot(url: str, name: str) -> None:
    from comfytui.settings.schema import Settings
    from comfytui.tui.app import Dashboard

    app = Dashboard(Settings(), server=url)
    async with app.run_test(size=SIZES[name]) as pilot:
        await _until(pilot, lambda: app.session.state is not None and app.session.state.link.phase == "live")
        connection = app.session.connection
        assert connection is not None
        if name in ("live", "small"):
            await connection.submit(_graph("a yellow star on a blue background", 11, 40), name="txt2img-demo")
            await _until(pilot, lambda: (run := connection.state.run) is not None and run.value >= 24)
        elif name == "queue":
            await connection.submit(_graph("a green ring on a white background", 1, 400), name="txt2img-demo")
            for i, text in enumerate(PROMPTS[:5]):
                await connection.submit(_graph(text, 20 + i), name="txt2img-demo")
            await pilot.press("2")
            await _until(pilot, lambda: (run := connection.state.run) is not None and run.value >= 20)
        elif name == "history":
            await pilot.press("3")
        elif name == "nodes":
            await pilot.press("4")
            await _until(pilot, lambda: connection.state.object_info is not None)
            await pilot.press("slash", *"ksam")
        elif name == "editor":
            await pilot.press("5")
            await pilot.pause(1)
            for _ in range(10):
                await pilot.press("j")
            await pilot.press("enter")
        for _ in range(30):
            await pilot.pause(0.05)
        await _take(app, name)
        if name == "queue":
            await connection.clear_queue()
        await connection.interrupt()


async def _fill(url: str) -> None:
    """Something for the history to show."""
    from comfytui.client.target import Target
    from comfytui.state.connection import Connection

    connection = Connection(Target.parse(url))
    task = asyncio.create_task(connection.run())
    await connection.wait_live(60)
    ids = [
        (await connection.submit(_graph(text, 7), name="txt2img-demo", previews=False)).prompt_id for text in PROMPTS
    ]
    done = asyncio.Event()

    def look(state: ServerState) -> None:
        if all((job := state.jobs.get(i)) is not None and job.ended is not None for i in ids):
            done.set()

    connection.subscribe(look)
    await asyncio.wait_for(done.wait(), 300)
    await connection.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def main() -> int:
    from benchmarks.server import engine

    names = sys.argv[1:] or list(SIZES)
    if unknown := [n for n in names if n not in SIZES]:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(SIZES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as home, engine("--preview-method", "latent2rgb") as url:
        # The pictures show a good terminal, whatever this one is.
        os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
        os.environ |= {"COMFYTUI_CONFIG_DIR": home, "COMFYTUI_STATE_DIR": home}
        asyncio.run(_fill(url))
        for name in names:
            asyncio.run(_shoot(url, name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
