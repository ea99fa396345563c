"""Where the fields of a form stand: how many side by side, and how wide, so that they lie in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comfytui.client import sanitize
from comfytui.tui.wording import cut_middle
from comfytui.workflow.inputs import Field

LABEL = 15  # cells; longer labels are cut in the middle
FIRST = LABEL + 1  # cells of the first label of a line, with the sign of a change
AROUND = 3  # cells around a later label: two before it, and the sign behind
SHORTEST = {3: 12, 2: 11, 1: 0}  # cells of an editor: where three do not get as much, two stand side by side
SEED_MODES = 32  # cells of the three words beside a seed
# Roles whose editors are short, and share a line with their neighbours.
SHARED = (("steps", "cfg", "denoise"), ("sampler", "scheduler"), ("width", "height", "batch"))
LORA = {"lora_name": "LoRA", "strength_model": "on model", "strength_clip": "on CLIP"}

Cells = tuple[int, int | None]  # of a label, and of the editor behind it; None: all that is left


@dataclass(frozen=True)
class Grid:
    """lines: the fields of each. labels: the same, as they are called. columns: editors side by side at most.
    later: cells of the labels in the second and third column. editor: cells of an editor in a column."""

    lines: tuple[tuple[Field, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    columns: int = 1
    later: tuple[int, ...] = ()
    editor: int = 0

    def cells(self, line: Sequence[Field]) -> tuple[Cells, ...]:
        """Of each field of a line. Of two fields among columns of three, the first has the room of two."""
        if len(line) < 2:
            return ((FIRST, None),)
        first = self.editor + sum(self.later[: self.columns - len(line)]) + self.editor * (self.columns - len(line))
        labels = (FIRST, *self.later[self.columns - len(line) :])
        editors = (first, *([self.editor] * (len(line) - 2)), None)
        return tuple(zip(labels, editors, strict=True))

    def seed(self, width: int) -> int | None:
        """Cells of the editor of a seed, with its modes at a column if there is room for that, or else at the edge."""
        rest = width - FIRST - SEED_MODES
        wide = self.editor * (self.columns - 1) + sum(self.later[: self.columns - 2])
        return next((each for each in (wide, self.editor) if self.columns > 1 and LABEL < each <= rest), None)


def label_of(field: Field, twice: bool = False) -> str:
    """What a field is called; with the node's title if its role appears twice."""
    if field.name:
        return sanitize.line(field.name)
    if field.role in ("lora", "strength"):  # each strength stands below the name of its own
        return LORA.get(field.input, "strength")
    if not field.role:
        return sanitize.line(field.input.replace("_", " "))
    name = "CFG" if field.role == "cfg" else field.role.capitalize()
    return sanitize.line(f"{name} {field.title}") if twice else name


def grid_of(fields: Sequence[Field], width: int = 1000, most: int | None = None) -> Grid:
    """The form of those fields, `width` cells wide and with at most so many lines."""
    roles = [field.role for field in fields]
    names = {f.place: cut_middle(label_of(f, twice=roles.count(f.role) > 1), LABEL) for f in fields}
    for columns in sorted(SHORTEST, reverse=True):
        lines = _lines(fields, columns)[:most]
        labels = tuple(tuple(names[field.place] for field in line) for line in lines)
        if max(map(len, lines), default=1) < columns:
            continue
        later = tuple(
            max((len(line[at - columns]) for line in labels if len(line) - columns + at > 0), default=0) + AROUND
            for at in range(1, columns)
        )
        editor = (width - FIRST - sum(later)) // columns
        if editor >= SHORTEST[columns]:
            return Grid(tuple(lines), labels, columns, later, max(0, editor))
    return Grid(tuple(lines), labels)


def _lines(fields: Sequence[Field], columns: int) -> list[tuple[Field, ...]]:
    """Fields in the lines of a form: short ones of one sampler side by side."""
    lines: list[list[Field]] = []
    for field in fields:
        group = next((group for group in SHARED if field.role in group), None)
        line = next((line for line in lines if group and len(line) < columns and _fits(line, group, field)), None)
        if line is None:
            lines.append([field])
        else:
            line.append(field)
    return [tuple(line) for line in lines]


def _fits(line: Sequence[Field], group: Sequence[str], field: Field) -> bool:
    return all(each.role in group and each.role != field.role for each in line)
