"""What will happen when a draft runs, as text: what changes, what this server lacks, how long it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.text import Text

from comfytui.client import sanitize
from comfytui.state.model import JobState, ServerState
from comfytui.tui.draft import Draft, SeedMode, changes
from comfytui.tui.theme import Palette
from comfytui.tui.wording import clock, cut, one_line, plural
from comfytui.workflow.check import Problem
from comfytui.workflow.graph import class_type
from comfytui.workflow.summary import Facts, facts

WIDTH = 30  # cells of a value in the list of changes
LISTED = 12  # problems; the rest are counted


def changed(draft: Draft, palette: Palette) -> Text:
    """One line for each input that differs from the document, and what becomes of the seed."""
    text = Text()
    found = changes(draft)
    for change in found:
        text.append(f"{cut(sanitize.line(change.label), 24):<10} ", palette.dim)
        if change.before is not None:
            text.append(_value(change.before), palette.dim)
            text.append(" → ", palette.dim)
        text.append(_value(change.after) + "\n", palette.accent)
    if draft.has_seed and draft.seed_mode is not SeedMode.FIXED:
        text.append(f"{'seed':<10} ", palette.dim)
        each = "a new one for each run" if draft.seed_mode is SeedMode.RANDOM else "one more with each run"
        text.append(f"{each}\n", palette.accent)
    if not text:
        text.append("nothing: the same picture again, if the server has not changed\n", palette.dim)
    return text


def server(
    draft: Draft, palette: Palette, problems: Sequence[Problem] | None, object_info: Mapping[str, Any] | None
) -> Text:
    """What the server has and lacks of it. `problems` None: not checked yet."""
    if object_info is None:
        return Text("not connected: what it lacks shows when it is", palette.dim)
    text = Text()
    classes = {class_type(draft.graph, node_id) for node_id in draft.graph}
    known = sum(class_type(draft.graph, node_id) in object_info for node_id in draft.graph)
    total = len(draft.graph)
    good = known == total
    text.append("✓ " if good else "✗ ", palette.done if good else palette.failed)
    text.append(f"{known} of {plural(total, 'node')}, {plural(len(classes), 'kind')}\n", palette.text)
    if problems is None:
        return text.append("◌ checking its inputs …\n", palette.dim)
    for problem in problems[:LISTED]:
        where = f"{problem.title} · {problem.input}: " if problem.input else ""
        text.append("✗ ", palette.failed)
        text.append(sanitize.line(where + problem.text) + "\n", palette.text)
        text.append(f"  {sanitize.line(problem.fix)}\n", palette.dim)
    if len(problems) > LISTED:
        text.append(f"  and {len(problems) - LISTED} more\n", palette.dim)
    if not problems:
        text.append("✓ every model, choice and link it names is there\n", palette.done)
    return text


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
