"""Takes a picture of every screen of the running program: docs/tour/NAME.svg, which docs/tour.md shows.

    python tools/tour.py [NAME…]   take them: a real engine, the demo model, the real dashboard
    python tools/tour.py --check   say what is missing: a screen without a picture or without a section in docs/tour.md
    python tools/tour.py --png DIR turn the pictures into PNG files, to look at them (needs cairosvg)

Pictures repeat: times, sizes and names of machines are given (`tools/posed.py`), pictures have seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from comfytui.state.connection import Connection
    from comfytui.state.model import Preview, ServerState
    from comfytui.tui.app import Dashboard

PAGE, PICTURES = ROOT / "docs" / "tour.md", ROOT / "docs" / "tour"
MAX_BYTES = 1_500_000  # of all pictures together
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
HOME = "/home/me/comfytui"
BOX = "http://gpu-box:8188"


@dataclass(frozen=True)
class Scene:
    """One picture: which screen (an id of actions.SCREENS, or "" for what is over all), how large, after which keys."""

    screen: str
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 34)
    state: str = "busy"  # busy | idle | failed | none
    workflow: str = ""  # opened, as with --workflow
    settings: Mapping[str, Any] = field(default_factory=dict)


SCENES: dict[str, Scene] = {
    "live": Scene("live", ("1",)),
    "live-small": Scene("live", ("1",), (60, 15)),
    "live-failed": Scene("live", ("1",), (120, 30), "failed"),
    "queue": Scene("queue", ("2", "j", "j"), (120, 26)),
    "history": Scene("history", ("3",), state="idle"),
    "compare": Scene("history", ("3", "space", "space", "c"), state="idle"),
    "nodes": Scene("nodes", ("4", "slash", *"ksampler", "enter"), (120, 30), "idle"),
    "workflows": Scene("workflows", ("5",), (120, 30), "idle"),
    "editor": Scene("workflows", (), (120, 30), "idle", "txt2img-demo.json"),
    "servers": Scene("servers", ("6",), (120, 26)),
    "logs": Scene("logs", ("7",), (120, 26), "idle"),
    "settings": Scene("settings", ("8",), (120, 34), "idle"),
    "models": Scene("models", ("9",), (120, 26), "idle"),
    "help": Scene("", ("2", "question_mark"), (120, 34)),
    "palette": Scene("", ("2", "ctrl+p", *"run"), (120, 26)),
    "first-run": Scene("", ("1",), (80, 24), "none"),
}


@dataclass
class Stage:
    """What pictures are taken of."""

    home: str
    real: Connection
    states: dict[str, ServerState]


async def until(pilot: Pilot[Any] | None, condition: Callable[[], object], what: str) -> None:
    """Return when the condition holds; the program goes on meanwhile. Ends the script after three minutes."""
    for _ in range(3600):
        if condition():
            return
        await (pilot.pause(0.05) if pilot is not None else asyncio.sleep(0.05))
    raise SystemExit(f"{what} did not happen; is the engine running?")


def graph(text: str, seed: int, steps: int = 20) -> dict[str, Any]:
    from comfytui.workflow import document, inputs

    made = dict(document.read(ROOT / "examples" / "txt2img-demo.json").graph)
    for node, name, value in (("Positive", "text", text), ("Sampler", "seed", seed), ("Sampler", "steps", steps)):
        made = dict(inputs.with_value(made, node, name, value, None))
    return made


async def prepare(url: str, home: str) -> Stage:
    """Run workflows on the engine; the states that pictures are taken of."""
    import posed

    from comfytui.client.target import Target
    from comfytui.state.connection import Connection

    real = Connection(Target.parse(url))
    task = asyncio.create_task(real.run())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await real.wait_live(60)
    await real.load_object_info()
    for number, text in enumerate(PROMPTS):
        await real.submit(graph(text, 7 + number), name="txt2img-demo", previews=False)
    await until(None, lambda: len(real.state.history) == len(PROMPTS) and not real.state.running, "the pictures")
    for key in real.state.history:
        await real.load_job(key)
    stop = real.log.follow(lambda: None)
    await until(None, lambda: len(real.log.log), "the log")
    idle = posed.posed(real.state, url=BOX)

    newest: list[Preview] = []  # of the last step, which repeats; those between come as time allows

    def look(state: ServerState) -> None:
        if state.preview is not None and state.run is not None and state.run.prompt_id == running.prompt_id:
            newest[:] = [state.preview]

    names = ("txt2img-demo", "stars", "txt2img-demo", "stars", "hearts")
    running = await real.submit(graph("a yellow star on a blue background", 11, 40), name="txt2img-demo")
    real.subscribe(look)
    for number, name in enumerate(names):
        await real.submit(graph(PROMPTS[number], 20 + number), name=name)
    await until(None, lambda: newest and len(real.state.waiting) == len(names), "the run")
    state = real.state
    await until(None, lambda: running.prompt_id not in real.state.running, "the end of the run")
    busy = posed.posed(state, url=BOX, running=running.prompt_id, preview=newest[0])
    stop()
    await real.clear_queue()
    await real.interrupt()
    return Stage(home, real, {"busy": busy, "idle": idle, "failed": posed.broken(idle), "none": idle})


async def take(stage: Stage, name: str, scene: Scene) -> str:
    """The picture, as the text of an SVG file."""
    import posed
    from svg_screen import svg

    from comfytui.settings.schema import Profile, Settings
    from comfytui.tui.app import Dashboard

    servers = {
        "gpu-box": Profile(url=BOX),
        "studio": Profile(url="https://studio.example.org/comfy", token="$STUDIO_TOKEN", connect=False),
        "attic": Profile(url="127.0.0.1:8188", ssh="me@attic", connect=False),
    }
    if scene.state == "none":
        servers = {}
    settings = Settings(images="truecolor", server="gpu-box", servers=servers, remember=False)
    workflow = Path(stage.home, "examples", scene.workflow) if scene.workflow else None
    app = Dashboard(settings, workflow=workflow, clock=lambda: posed.NOW)

    async def connect(_: str | None) -> None:
        session = app.session
        if scene.state == "none":
            address = "http://127.0.0.1:8188"
            session.attach(posed.Posed(posed.away(address), stage.real, address), address)  # type: ignore[arg-type]
            return
        session.attach(posed.Posed(stage.states["idle"], stage.real, servers["studio"].url), "studio")  # type: ignore[arg-type]
        session.attach(posed.Posed(posed.away("http://attic:8188"), stage.real, "attic:8188"), "attic")  # type: ignore[arg-type]
        session.attach(posed.Posed(stage.states[scene.state], stage.real, BOX), "gpu-box")  # type: ignore[arg-type]

    app.session.connect = connect  # type: ignore[method-assign]
    app.session.connect_others = _nothing  # type: ignore[method-assign]
    async with app.run_test(size=scene.size) as pilot:
        await settle(pilot)
        for key in scene.keys:
            await pilot.press(key)
            await settle(pilot)
        await still(pilot)
        strips = [_elsewhere(strip, stage.home) for strip in app.screen._compositor.render_strips()]
        for each in app.get_line_filters():
            strips = [strip.apply_filter(each, app.screen.background_colors[1]) for strip in strips]
        paper = app.palette.theme.roles.background
        picture = svg(strips, f"comfytui: {name}", paper)
        text = "\n".join("".join(segment.text for segment in strip) for strip in strips)
    if told := private(text):
        raise SystemExit(f"{name} shows {', '.join(told)}:\n{text}")
    return picture


def _elsewhere(strip: Any, home: str) -> Any:
    """The line with HOME for the folder of this run."""
    from rich.segment import Segment
    from textual.strip import Strip

    return Strip([Segment(each.text.replace(home, HOME), each.style) for each in strip], strip.cell_length)


async def _nothing() -> None:
    """No server but those that are posed."""


async def settle(pilot: Pilot[Any]) -> None:
    """Return when nothing that somebody waits for is on its way."""
    app: Dashboard = pilot.app  # type: ignore[assignment]
    calm = 0
    while calm < 4:
        await pilot.pause(0.02)
        dialog = len(app.screen_stack) > 1
        busy = any(not w.is_finished and w.group not in ("session", "waiting") and not dialog for w in app.workers)
        calm = calm + 1 if app.session.quiet and app.pictures.quiet and not busy else 0


async def still(pilot: Pilot[Any]) -> None:
    """Return when the screen has not changed for a while: pictures and texts come when they are ready."""
    from textual.widgets import Input, TextArea

    for typed in (*pilot.app.screen.query(Input), *pilot.app.screen.query(TextArea)):
        typed.cursor_blink = False
    last, same = "", 0
    for _ in range(200):
        await pilot.pause(0.05)
        strips = pilot.app.screen._compositor.render_strips()
        shown = str([[(s.text, s.style) for s in strip] for strip in strips])
        last, same = shown, same + 1 if shown == last else 0
        if same >= 12:
            return
    raise SystemExit(f"the screen never stands still:\n{last}")


def private(text: str) -> list[str]:
    """What a picture must not show: this machine's name, its user, its folders."""
    words = {str(ROOT), str(Path.home()), tempfile.gettempdir() + "/", socket.gethostname()}
    if (user := getpass.getuser()) != "root":
        words.add(user)
    return sorted(word for word in words if len(word) > 3 and word in text)


def sections(page: str) -> set[str]:
    """The pictures that a page shows."""
    return set(re.findall(r"\]\(tour/([\w-]+)\.svg\)", page))


def missing() -> list[str]:
    """What the tour lacks, in words."""
    from comfytui.tui.actions import SCREENS

    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    shown, found = sections(page), []
    for screen in SCREENS:
        mine = [name for name, scene in SCENES.items() if scene.screen == screen.id]
        if not mine:
            found.append(f"{screen.title}: no scene in tools/tour.py")
        if not re.search(rf"^## {screen.title}\b", page, flags=re.M):
            found.append(f"{screen.title}: no section in docs/tour.md")
    found += [f"{name}: docs/tour.md does not show it" for name in SCENES if name not in shown]
    found += [f"{name}: docs/tour.md shows it, and no scene makes it" for name in shown if name not in SCENES]
    found += [f"{name}: no picture; python tools/tour.py {name}" for name in SCENES if not _path(name).exists()]
    files = {path.stem for path in PICTURES.glob("*.svg")}
    found += [f"{name}: a picture that no scene makes" for name in sorted(files - set(SCENES))]
    total = sum(path.stat().st_size for path in PICTURES.glob("*.svg"))
    if total > MAX_BYTES:
        found.append(f"the pictures have {total:,} bytes, more than {MAX_BYTES:,}")
    return found


def _path(name: str) -> Path:
    return PICTURES / f"{name}.svg"


def _examples(folder: Path) -> None:
    """The examples where the pictures find them, all written at one time."""
    import posed

    from comfytui.settings import files

    shutil.copytree(ROOT / "examples", folder)
    for path in folder.iterdir():
        os.utime(path, (posed.NOW - 86400, posed.NOW - 86400))
    real = files.data_dir
    files.data_dir = lambda kind: folder if kind == folder.name else real(kind)


def _model(folder: Path) -> None:
    """The demo model where one of the user's own would lie."""
    import posed

    folder.mkdir(parents=True)
    copy = Path(shutil.copy(ROOT / "engine/data/models/checkpoints/comfytui-demo.safetensors", folder))
    os.utime(copy, (posed.NOW - 9 * 86400, posed.NOW - 9 * 86400))


async def _take_all(url: str, names: list[str], home: str) -> None:
    stage = await prepare(url, home)
    PICTURES.mkdir(exist_ok=True)
    for name in names:
        os.environ["COMFYTUI_STATE_DIR"] = f"{home}/state/{name}"  # nothing of the picture before is remembered
        text = await take(stage, name, SCENES[name])
        _path(name).write_text(text, encoding="utf-8")
        print(f"docs/tour/{name}.svg  {len(text) / 1000:.0f} kB", flush=True)
    await stage.real.close()


def _png(folder: Path) -> None:
    import cairosvg

    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(PICTURES.glob("*.svg")):
        cairosvg.svg2png(url=str(path), write_to=str(folder / f"{path.stem}.png"), scale=1.5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of pictures; all by default: {', '.join(SCENES)}")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--png", type=Path, metavar="DIR")
    given = parser.parse_args()
    if given.check:
        lacks = missing()
        for each in lacks:
            print(each, file=sys.stderr)
        return bool(lacks)
    if given.png:
        _png(given.png)
        return 0
    if unknown := [name for name in given.names if name not in SCENES]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(SCENES)}")
    from benchmarks.server import running

    # Its name is as long as HOME, which stands for it in the pictures: lines break alike.
    home = tempfile.mkdtemp(prefix="tour", dir="/tmp")
    assert len(home) == len(HOME), home
    flags = ("--preview-method", "latent2rgb", "--preview-size", "128")
    try:
        _examples(Path(home, "examples"))
        _model(Path(home, "data", "models", "checkpoints"))
        with running(*flags, base=f"{home}/data") as engine:
            # A good terminal and nobody's settings, whatever this one is.
            os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color", "TZ": "UTC"}
            os.environ |= {"COMFYTUI_CONFIG_DIR": f"{home}/config", "COMFYTUI_STATE_DIR": f"{home}/state"}
            for name in ("NO_COLOR", "COMFYTUI_SERVER", "COMFYTUI_TOKEN", "TMUX", "SSH_CONNECTION"):
                os.environ.pop(name, None)
            asyncio.run(_take_all(engine.url, given.names or list(SCENES), home))
    finally:
        shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
