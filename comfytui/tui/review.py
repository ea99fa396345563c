"""What will happen when a draft runs, as text: what changes, what this server lacks, how long it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from comfytui.client import sanitize
from comfytui.state.model import JobState, ServerState
from comfytui.tui.draft import Draft, SeedMode, changes
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.wording import clock, cut, one_line, plural
from comfytui.workflow.check import Problem
from comfytui.workflow.graph import Place, class_type, title
from comfytui.workflow.summary import Facts, facts

SEEDS = {
    SeedMode.RANDOM: "a new one for each run",
    SeedMode.INCREMENT: "one more with each run",
    SeedMode.DECREMENT: "one less with each run",
}
WIDTH = 60  # cells of a value in the list of changes
LISTED = 12  # problems; the rest are counted


def changed(draft: Draft, palette: Palette) -> RenderableType:
    """One line for each input that differs from the document, and what becomes of the seed."""
    rows: list[tuple[Text, Text]] = []
    for change in changes(draft):
        value = Text()
        if change.before is not None:
            value.append(f"{_value(change.before)} → ", palette.dim)
        value.append("taken out" if change.after is None else _value(change.after), palette.accent)
        rows.append((Text(sanitize.line(change.label), palette.dim), value))
    if draft.has_seed and draft.seed_mode is not SeedMode.FIXED:
        each = SEEDS[draft.seed_mode]
        rows.append((Text("seed", palette.dim), Text(each, palette.accent)))
    return pairs(rows) if rows else Text("nothing: it runs as it is in the file", palette.dim)


def server(
    draft: Draft, palette: Palette, problems: Sequence[Problem] | None, object_info: Mapping[str, Any] | None
) -> RenderableType:
    """What the server has and lacks of it. `problems` None: not checked yet."""
    if object_info is None:
        return Text("not connected: what it lacks shows when it is", palette.dim)
    known = sum(class_type(draft.graph, node_id) in object_info for node_id in draft.graph)
    total = len(draft.graph)
    rows = [(_sign(known == total, palette), Text(f"{known} of {plural(total, 'node')} known", palette.text))]
    if problems is None:
        rows.append((Text("◌", palette.dim), Text("checking its inputs …", palette.dim)))
    for problem in (problems or ())[:LISTED]:
        where = f"{problem.title} · {problem.input}: " if problem.input else ""
        text = Text(sanitize.line(where + problem.text), palette.text)
        text.append(f"\n{sanitize.line(problem.fix)}", palette.dim)
        rows.append((_sign(False, palette), text))
    if problems is not None and len(problems) > LISTED:
        rows.append((Text(), Text(f"and {len(problems) - LISTED} more", palette.dim)))
    if problems == []:
        rows.append((_sign(True, palette), Text("every model, choice and link is there", palette.text)))
    return pairs(rows, 1)


def refused(draft: Draft, palette: Palette, said: Mapping[Place, str]) -> RenderableType:
    """What the server refused when it was last asked, at whatever input, and also of a node as a whole."""
    if not said:
        return Text()
    rows = []
    for place, text in list(said.items())[:LISTED]:
        name = title(draft.graph, place.node_id) if place.node_id in draft.graph else f"node {place.node_id}"
        where = sanitize.line(" · ".join(part for part in (name, place.input) if part))
        rows.append((_sign(False, palette), Text.assemble((f"{where}: ", palette.dim), (text, palette.text))))
    return Group(Text("\nthe server refused", palette.style("text", bold=True)), pairs(rows, 1))


def _sign(good: bool, palette: Palette) -> Text:
    return Text("✓", palette.done) if good else Text("✗", palette.failed)


def expected_seconds(draft: Draft, state: ServerState | None) -> float | None:
    """Seconds that such a job took lately on this server, scaled by its steps; None without a like one."""
    if state is None:
        return None
    wanted = facts(sanitize.json_value(draft.graph))
    scale = wanted.steps or 1
    times = [
        job.seconds * scale / (job.facts.steps or 1)
        for job in state.jobs.values()
        if job.state is JobState.DONE and job.seconds and _alike(job.facts, wanted)
    ]
    return median(times) if times else None


def took(seconds: float | None, palette: Palette) -> Text:
    """~0:24 a run, or nothing."""
    return Text("" if seconds is None else f"~{clock(seconds)} a run", palette.dim)


def _alike(a: Facts, b: Facts) -> bool:
    return bool(a.model) and (a.model, a.width, a.height, a.batch) == (b.model, b.width, b.height, b.batch)


def _value(value: Any) -> str:
    text = one_line(sanitize.line(value if isinstance(value, str) else str(value)))
    return cut(text, WIDTH) or "(empty)"
