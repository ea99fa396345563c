"""How a model is drawn: a folder and a file as one line each, and the card as paragraphs. Plain functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from comfytui.client.model_files import ModelFile, ModelFolder
from comfytui.tui.model_card import ModelFacts
from comfytui.tui.model_order import total
from comfytui.tui.theme import Palette
from comfytui.tui.wording import at, cut, cut_middle, file_size, one_line

LABEL = 13  # cells
DATES = 60  # cells from which a file's line has its date
SIZE = 8
DATE = 10


def folder_line(palette: Palette, name: str, files: Sequence[ModelFile] | None, problem: str, width: int) -> Text:
    """A folder: how many files, and how much they weigh; nothing while nobody has looked."""
    if problem:
        right = Text("✗", palette.failed)
    elif files is None:
        right = Text("·", palette.dim)
    else:
        size = total(files)
        weight = file_size(size).rjust(SIZE) if size else " " * SIZE
        right = Text(f"{len(files):,}{weight if width >= 26 else ''}", palette.dim)
    empty = files is not None and not files
    line = Text(" " + cut(name, width - right.cell_len - 3), palette.dim if empty else palette.text)
    line.append(" " * max(1, width - line.cell_len - right.cell_len - 1))
    return line.append_text(right)


def file_line(palette: Palette, file: ModelFile, width: int, all_folders: bool) -> Text:
    """A file: its name, the folder below, the size and the day."""
    right = Text()
    if file.size is not None:
        right.append(file_size(file.size).rjust(SIZE), palette.text)
    if file.modified is not None and width >= DATES:
        right.append(f"  {at(file.modified)[:DATE]}", palette.dim)
    room = width - right.cell_len - 2
    line = Text(" " + cut_middle(file.base, room), palette.text)
    where = "/".join(part for part in (file.folder if all_folders else "", file.below) if part)
    if where and room - line.cell_len > 6:
        line.append("  " + cut_middle(one_line(where), room - line.cell_len - 2), palette.dim)
    line.append(" " * max(1, width - line.cell_len - right.cell_len - 1))
    return line.append_text(right)


def card(
    palette: Palette,
    file: ModelFile,
    folder: ModelFolder | None,
    facts: ModelFacts | None,
    uses: Sequence[tuple[str, str]],
    width: int,
) -> list[Text]:
    """All about a file, in lines of `width` cells. `facts` None: not asked for yet; `uses`: rows of who uses it."""
    lines = [*_file(palette, file, folder), *_rows(palette, "used by", uses), *_facts(palette, facts)]
    return [piece for line in lines for piece in _hung(line, width)]


def _file(palette: Palette, file: ModelFile, folder: ModelFolder | None) -> Iterator[Text]:
    yield _row(palette, "name", file.name)
    yield _row(palette, "folder", file.folder)
    if folder is not None and file.place is not None and file.place < len(folder.paths):
        yield _row(palette, "path", f"{folder.paths[file.place].rstrip('/')}/{file.name}")
    if file.size is not None:
        yield _row(palette, "size", f"{file_size(file.size)}  ({file.size:,} bytes)")
    else:
        yield _row(palette, "size", "this server does not tell", "dim")
    if file.modified is not None:
        yield _row(palette, "changed", at(file.modified))


def _facts(palette: Palette, facts: ModelFacts | None) -> Iterator[Text]:
    yield Text("")
    if facts is None:
        yield Text("Asking what it says of itself …", palette.dim)
        return
    if facts == ModelFacts():
        yield Text("It says nothing of itself (only safetensors can).", palette.dim)
        return
    if facts.family:
        yield _row(palette, "family", facts.family, "accent")
    if facts.title:
        yield _row(palette, "title", facts.title)
    if facts.words:
        yield _row(palette, "trigger words", ", ".join(facts.words), "accent")
    for name, value in facts.about:
        yield _row(palette, name, cut(value, 1500))
    yield from _rows(palette, "training", facts.training)
    if facts.tags:
        yield _row(palette, "its tags", ", ".join(f"{tag} {count}" for tag, count in facts.tags))


def _rows(palette: Palette, title: str, rows: Sequence[tuple[str, str]]) -> Iterator[Text]:
    if rows:
        yield Text("")
        yield Text(title, palette.style("text", bold=True))
        for name, value in rows:
            yield _row(palette, name, value)


def _row(palette: Palette, label: str, value: str, role: str = "text") -> Text:
    return Text.assemble((f"{label:<{LABEL}} ", palette.dim), (one_line(value), palette.style(role)))


def _hung(line: Text, width: int) -> Iterator[Text]:
    """A row in lines of its own, of which the second and later ones begin under the value; paths have no blanks."""
    text, room = line.plain, width - LABEL - 1
    if line.cell_len <= width or room < 8:
        yield line
        return
    labelled = len(text) > LABEL and text[LABEL] == " " and len(line.spans) > 1
    start = 0
    while start < len(text):
        indent = LABEL + 1 if start and labelled else 0
        end = min(len(text), start + max(8, width - indent))
        while cell_len(text[start:end]) > width - indent:
            end -= 1
        if (
            end < len(text)
            and (blank := text.rfind(" ", start + (0 if start else LABEL + 1), end + 1)) > end - room // 2
        ):
            end = blank
        yield Text.assemble(" " * indent, line[start:end])
        start = end + (text[end : end + 1] == " ")


def everything(metadata: Mapping[str, str]) -> str:
    """All of the metadata as text."""
    return "\n\n".join(f"{key}\n  {value}" for key, value in metadata.items())
