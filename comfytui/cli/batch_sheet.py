"""The results of a batch side by side: a contact sheet with labelled axes, and a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfytui.cli.batch_report import Planned
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.client import downloads
from comfytui.client.sanitize import line
from comfytui.state.batch.ledger import End
from comfytui.workflow.variations import Variation

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

CELL, LEAST, SMALLEST = 256, 96, 32  # pixels of a picture's longer side: at most, as a rule at least, with very many
SAMPLE = 50  # pictures that are measured
MAX_PIXELS = 64_000_000  # of a sheet; pictures are drawn smaller where there are many
MAX_SOURCE = 256_000_000  # pixels of a result that is still opened
MARGIN, TEXT, LINES = 8, 14, 4
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "LiberationSans-Regular.ttf")
PAPER, INK, FAINT, BAD = "#ffffff", "#202020", "#d8d8d8", "#b02020"

Cell = tuple[Variation, End | None]


def write_table(path: Path, planned: Planned) -> None:
    """One line a job, with a column for each swept input. Raises Failed."""
    names = list(dict.fromkeys(name for job in planned.jobs for name, _ in job.labels))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "workflow", *names, "state", "seconds", "server", "prompt_id", "files", "error"])
    for number, job in enumerate(planned.jobs, 1):
        values, end = dict(job.labels), planned.ends.get(job.key)
        row = [number, job.source.name, *(values.get(name, "") for name in names)]
        if end is None:
            row += ["left", "", "", "", "", ""]
        else:
            seconds = "" if end.seconds is None else round(end.seconds, 3)
            row += [end.state, seconds, end.server, end.id, " ".join(end.files), end.error]
        writer.writerow(row)
    _write(path, text.getvalue().encode("utf-8", "replace"))


def write_sheet(path: Path, planned: Planned) -> None:
    """A PNG: for a grid its last axis across and all others down, else the jobs one after the other. Raises Failed."""
    cells = [(job, planned.ends.get(job.key)) for job in planned.jobs]
    grid = _gridded(cells) if cells and all(job.across is not None for job, _ in cells) else None
    sheet = _grid_sheet(*grid) if grid is not None else _flow_sheet(cells)
    data = io.BytesIO()
    sheet.save(data, "PNG")
    _write(path, data.getvalue())


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        downloads.replace(path, data)
    except OSError as error:
        raise Failed(Exit.FILES, f"{path} cannot be written: {error.strerror or error}") from error


# Layout --------------------------------------------------------------------------------------------------------------


def _gridded(cells: Sequence[Cell]) -> tuple[list[str], list[str], Mapping[tuple[int, int], Cell]]:
    """Labels across, labels down, and what is where."""
    across: dict[str, int] = {}
    down: dict[tuple[Any, ...], int] = {}
    labels: list[str] = []
    placed: dict[tuple[int, int], Cell] = {}
    several = len({(job.part, job.source.name) for job, _ in cells}) > 1
    for job, end in cells:
        name, value = job.across or ("", "")
        column = across.setdefault(f"{name}={_short(value)}", len(across))
        row_key = (job.part, job.source.name, repr(job.down), job.repeat)
        if row_key not in down:
            down[row_key] = len(down)
            parts = [job.source.name] if several else []
            parts += [f"{each}={_short(of)}" for each, of in job.down]
            parts += [f"no. {job.repeat + 1}"] if job.repeat else []
            labels.append("\n".join(parts))
        placed[down[row_key], column] = (job, end)
    return list(across), labels, placed


def _grid_sheet(across: Sequence[str], down: Sequence[str], placed: Mapping[tuple[int, int], Cell]) -> Image.Image:
    size = _size(len(across) * len(down), list(placed.values()))
    left = MARGIN + (max(110, size // 2) if any(down) else 0)
    top = MARGIN + TEXT * 2
    sheet, draw, font = _sheet(left + len(across) * (size + MARGIN), top + len(down) * (size + MARGIN))
    for column, label in enumerate(across):
        _text(draw, font, (left + column * (size + MARGIN), MARGIN), label, size, 1)
    for row, label in enumerate(down):
        _text(draw, font, (MARGIN, top + row * (size + MARGIN)), label, left - 2 * MARGIN, size // (TEXT + 2))
    for (row, column), (job, end) in placed.items():
        _draw(sheet, draw, font, (left + column * (size + MARGIN), top + row * (size + MARGIN)), size, job, end)
    return sheet


def _flow_sheet(cells: Sequence[Cell]) -> Image.Image:
    size = _size(len(cells), cells)
    columns = max(1, math.ceil(math.sqrt(len(cells))))
    caption = LINES * (TEXT + 2)
    rows = math.ceil(len(cells) / columns)
    sheet, draw, font = _sheet(MARGIN + columns * (size + MARGIN), MARGIN + rows * (size + caption + MARGIN))
    for index, (job, end) in enumerate(cells):
        x = MARGIN + index % columns * (size + MARGIN)
        y = MARGIN + index // columns * (size + caption + MARGIN)
        _draw(sheet, draw, font, (x, y), size, job, end)
        label = "\n".join([f"#{index + 1}", *(f"{name}={_short(value)}" for name, value in job.labels)])
        _text(draw, font, (x, y + size + 2), label, size, LINES)
    return sheet


def _size(count: int, cells: Sequence[Cell]) -> int:
    """Pixels of a picture's longer side, so that all fit on one sheet, and none is given room that it does not fill.

    Raises Failed if there are too many.
    """
    room = int(math.sqrt(MAX_PIXELS / max(1, count))) - MARGIN - TEXT
    sides = [max(found.size) for _, end in cells[:SAMPLE] if (found := _picture(end, CELL)) is not None]
    size = min(CELL, room, max(LEAST, *sides) if sides else CELL)
    if size < SMALLEST:
        fix = "--table has them all; or sweep fewer values at once"
        raise Failed(Exit.USAGE, f"{count:,} pictures are too many for one sheet. {fix}")
    return size


# Drawing -------------------------------------------------------------------------------------------------------------


def _sheet(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw, Any]:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (width, height), PAPER)
    return sheet, ImageDraw.Draw(sheet), _font()


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    for name in FONTS:  # they have more letters than Pillow's own
        try:
            return ImageFont.truetype(name, TEXT)
        except OSError:
            continue
    return ImageFont.load_default(TEXT)


def _draw(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, font: Any, at: tuple[int, int], size: int, job: Variation, end: End | None
) -> None:  # fmt: skip
    picture = _picture(end, size)
    if picture is not None:
        sheet.paste(picture, (at[0] + (size - picture.width) // 2, at[1] + (size - picture.height) // 2))
        return
    draw.rectangle((*at, at[0] + size - 1, at[1] + size - 1), outline=FAINT)
    told = "left" if end is None else end.state if end.state != "done" else "no picture"
    text = told if end is None or not end.error else f"{told}\n{end.error}"
    colour = BAD if end is not None and end.state == "failed" else INK
    _text(draw, font, (at[0] + 4, at[1] + 4), text, size - 8, max(1, size // (TEXT + 2) - 1), colour)


def _picture(end: End | None, size: int) -> Image.Image | None:
    """The first picture of a job, small; None if it has none that can be opened."""
    from PIL import Image

    for path in end.files if end is not None and end.state == "done" else ():
        try:
            with Image.open(path) as found:
                if found.width * found.height > MAX_SOURCE:
                    continue
                found.thumbnail((size, size))
                return found.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # a film, a text, a file that has gone
            continue
    return None


def _text(
    draw: ImageDraw.ImageDraw, font: Any, at: tuple[int, int], text: str, width: int, lines: int, fill: str = INK
) -> None:
    """Text in a box; what does not fit ends with an ellipsis."""
    shown = [line(each, 400) for each in text.split("\n")]
    if len(shown) > lines:
        shown = [*shown[: max(0, lines - 1)], "…"]
    for index, each in enumerate(shown):
        cut = each
        while cut and draw.textlength(cut if cut == each else cut + "…", font=font) > width:
            cut = cut[: max(0, min(len(cut) - 1, int(len(cut) * 0.9)))]
        draw.text((at[0], at[1] + index * (TEXT + 2)), cut if cut == each else cut + "…", fill=fill, font=font)


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 120 else text[:119] + "…"
