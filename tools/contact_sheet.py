"""Pictures of every screen at every size and in every theme, side by side, to be looked at: OUT/THEME-SIZE.png.

Drawn from states that tests use, on no server, so that a look costs seconds. With `--depth 16`, 256 or 0 as a terminal
of so many colours shows it (0: NO_COLOR). Needs Pillow and a monospaced font with box characters (`--font`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from msgspec.structs import replace
from PIL import Image, ImageDraw, ImageFont
from rich.color import Color, ColorSystem
from rich.terminal_theme import DIMMED_MONOKAI

if TYPE_CHECKING:
    from comfytui.state.model import ServerState

SIZES = ((60, 15), (80, 24), (120, 40), (200, 60))
FONTS = (
    "DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "LiberationMono-Regular.ttf",
    "Menlo.ttc",
)
DEPTHS = {
    "16": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "": ColorSystem.TRUECOLOR,
    "0": ColorSystem.TRUECOLOR,
}
TERMS = {
    "16": ("linux", ""),
    "256": ("xterm-256color", ""),
    "": ("xterm-256color", "truecolor"),
    "0": ("xterm", "truecolor"),
}
CELL = (8, 17)  # pixels
PATIENCE = 20.0  # seconds for one picture

Scene = tuple[Callable[[], "ServerState | None"], tuple[str, ...]]


def scenes() -> dict[str, Scene]:
    """What is shown: a state (None: no server at all), and the keys that lead there."""
    from comfytui.state.model import JobState, Link, Phase
    from comfytui.tui.actions import SCREENS
    from tests.tui import sample

    def linked(phase: Phase, error: str) -> Callable[[], ServerState]:
        link = Link("http://gpu-box-2:8188", phase, sample.NOW, error=error)
        return lambda: replace(sample.idle(0), link=link, history_loaded=False, stats=None, timeline=())

    def failed() -> ServerState:
        state = sample.idle()
        job = sample.finished(5, JobState.FAILED)
        return replace(state, jobs={**state.jobs, job.id: job}, history=(job.id, *state.history))

    key = {screen.id: screen.key for screen in SCREENS}
    busy, idle, empty = sample.busy, sample.idle, lambda: sample.idle(0)
    refused = linked(Phase.REFUSED, "gpu-box-2:8188 wants a token (401 Unauthorized). Give it in the settings.")
    found: dict[str, Scene] = {
        "live": (busy, ("1",)),
        "live-idle": (idle, ("1",)),
        "live-failed": (failed, ("1",)),
        "live-empty": (empty, ("1",)),
        "queue": (lambda: sample.crowded(paused=True), ("2", "j", "j")),
        "queue-empty": (empty, ("2",)),
        "history": (idle, ("3",)),
        "history-list": (idle, ("3", "v")),
        "history-empty": (empty, ("3",)),
        "nodes": (idle, ("4", "j")),
        "nodes-nothing": (idle, ("4", "slash", *"zzz")),
        "workflows": (idle, ("5",)),
        "editor": (idle, ("5", *"jjjjjjjjjjjj", "enter")),
        **{screen.id: (idle, (screen.key,)) for screen in SCREENS[5:]},
        "help": (busy, ("question_mark",)),
        "palette": (busy, ("ctrl+p",)),
        "confirm": (sample.crowded, ("2", "D")),
        "pick": (idle, (key["settings"], "j", "enter")),
        "first": (empty, ("1",)),
        "first-refused": (refused, ("1",)),
        "no-server": (lambda: None, ("1",)),
        "connecting": (linked(Phase.CONNECTING, ""), ("1",)),
        "refused": (refused, ("1",)),
        "reconnecting": (lambda: replace(busy(), link=refused().link), ("1",)),
        **{f"{screen.id}-refused": (refused, (screen.key,)) for screen in SCREENS[1:]},
    }
    return found


async def strips_of(scene: Scene, size: tuple[int, int], theme: str) -> list[Any]:
    """What is on the screen, as Textual's strips after every filter."""
    from tests.tui.screens.serving import serve
    from tests.tui.support import settle

    make, keys = scene
    state = make()
    app, _ = serve(None, state, theme=theme)
    if state is None:

        async def nothing(_: str | None = None) -> None:
            app.session.failures[""] = "http://127.0.0.1:8188: nobody listens there."
            app.session.changed()

        app.session.connect = nothing  # type: ignore[method-assign,assignment]
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            if key != "ctrl+p":  # the palette's search never rests
                await settle(pilot)
        for _ in range(12):
            await pilot.pause(0.02)
        strips = app.screen._compositor.render_strips()
        for each in app.get_line_filters():
            strips = [strip.apply_filter(each, app.screen.background_colors[1]) for strip in strips]
        return strips


async def _in_time(scene: Scene, size: tuple[int, int], theme: str) -> list[Any]:
    return await asyncio.wait_for(strips_of(scene, size, theme), PATIENCE)


def drawn(strips: list[Any], font: ImageFont.FreeTypeFont, depth: str) -> Image.Image:
    """The cells as pixels."""
    width, height = CELL
    cells = max((strip.cell_length for strip in strips), default=1)
    picture = Image.new("RGB", (cells * width, len(strips) * height), "#101010")
    pen = ImageDraw.Draw(picture)
    for row, strip in enumerate(strips):
        column = 0
        for segment in strip:
            style = segment.style
            ink = _pixel(style.color if style else None, depth, True)
            paper = _pixel(style.bgcolor if style else None, depth, False)
            if style and style.reverse:
                ink, paper = paper, ink
            for character in segment.text:
                box = (column * width, row * height, (column + 1) * width - 1, (row + 1) * height - 1)
                pen.rectangle(box, fill=paper)
                if character != " ":
                    pen.text((box[0], box[1]), character, fill=ink, font=font, stroke_width=0)
                    if style and style.bold:
                        pen.text((box[0] + 0.6, box[1]), character, fill=ink, font=font)
                if style and style.underline:
                    pen.line((box[0], box[3], box[2], box[3]), fill=ink)
                column += 1
    return picture


def _pixel(colour: Color | None, depth: str, ink: bool) -> tuple[int, int, int]:
    if colour is None or colour.is_default:
        return (217, 217, 217) if ink else (16, 16, 16)
    red, green, blue = colour.downgrade(DEPTHS[depth]).get_truecolor(DIMMED_MONOKAI, foreground=ink)
    return red, green, blue


def sheet(pictures: dict[str, Image.Image], columns: int, font: ImageFont.FreeTypeFont) -> Image.Image:
    """Pictures in rows, each under its name."""
    wide, tall = max(p.width for p in pictures.values()) + 8, max(p.height for p in pictures.values()) + 24
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * wide, rows * tall), "#404048")
    pen = ImageDraw.Draw(whole)
    for place, (name, picture) in enumerate(pictures.items()):
        x, y = place % columns * wide, place // columns * tall
        pen.text((x + 4, y + 2), name, fill="white", font=font)
        whole.paste(picture, (x + 4, y + 20))
    return whole


def _font(given: str) -> ImageFont.FreeTypeFont:
    for name in (given, *FONTS) if given else FONTS:
        try:
            return ImageFont.truetype(name, 13)
        except OSError:
            continue
    raise SystemExit("no monospaced font was found: give one with --font FILE")


def _sizes(text: str) -> Iterator[tuple[int, int]]:
    for part in text.split(","):
        width, _, height = part.partition("x")
        yield int(width), int(height)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of scenes; all by default")
    parser.add_argument("--out", type=Path, default=Path("contact"))
    parser.add_argument("--themes", default="")
    parser.add_argument("--sizes", default=",".join(f"{w}x{h}" for w, h in SIZES))
    parser.add_argument("--depth", choices=tuple(DEPTHS), default="")
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--font", default="")
    given = parser.parse_args()
    from comfytui.tui.theme import available

    font = _font(given.font)
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["TERM"], os.environ["COLORTERM"] = TERMS[given.depth]
    every = scenes()
    wanted = {name: every[name] for name in given.names or every}
    for theme in given.themes.split(",") if given.themes else available():
        for size in _sizes(given.sizes):
            pictures = {}
            for name, scene in wanted.items():
                with tempfile.TemporaryDirectory() as home:
                    os.environ |= {"COMFYTUI_CONFIG_DIR": home, "COMFYTUI_STATE_DIR": home, "TZ": "UTC"}
                    if not name.startswith("first"):
                        (Path(home) / "memory.json").write_text("{}", "utf-8")
                    if given.depth == "0":
                        os.environ["NO_COLOR"] = "1"
                    try:
                        pictures[name] = drawn(asyncio.run(_in_time(scene, size, theme)), font, given.depth)
                    except Exception as error:  # a screen that cannot be drawn is told in its place
                        print(f"{name} {size}: {error!r}"[:2000], file=sys.stderr)
            path = given.out / f"{Path(theme).stem}{given.depth and '-' + given.depth}-{size[0]}x{size[1]}.png"
            sheet(pictures, given.columns, font).save(path)
            print(path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
