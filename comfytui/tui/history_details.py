"""All that is known of a finished job as lines of text: note, parameters, outputs, then node by node what each was given and took."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from comfytui.state.model import Job, Mark, NodeState
from comfytui.tui import job_details, parameters
from comfytui.tui.theme import Palette
from comfytui.tui.wording import GLYPHS, STAR, cut, one_line, took

VALUE = 400  # characters of a node's input; a prompt stands above in full


def lines(palette: Palette, job: Job, mark: Mark, traceback: bool = False, loading: str = "") -> list[Text]:
    """`loading`: what is said in place of the nodes while the graph is not here."""
    return [*_mark(palette, mark), *job_details.lines(palette, job, traceback), *_nodes(palette, job, loading)]


def _mark(palette: Palette, mark: Mark) -> Iterator[Text]:
    if mark.star or mark.note:
        star = f"{STAR} " if mark.star else ""
        yield Text.assemble((star, palette.accent), (mark.note, palette.accent))
        yield Text("")


def _nodes(palette: Palette, job: Job, loading: str) -> Iterator[Text]:
    if not job.graph:
        if loading:
            yield Text("")
            yield Text(loading, palette.dim)
        return
    runs = {node.id: node for node in job.nodes}
    yield Text("")
    yield Text("what each node was given, and how long it took", palette.dim)
    for node_id, title, values in parameters.of_nodes(job.graph):
        run = runs.get(node_id)
        line = Text(f"{cut(one_line(title), 40)} ", palette.accent)
        line.append(node_id, palette.dim)
        if run is not None and run.state is NodeState.CACHED:
            line.append(f"  {GLYPHS[NodeState.CACHED][0]} cached", palette.cached)
        elif run is not None and run.started is not None and run.ended is not None:
            line.append(f"  {took(run.ended - run.started)}", palette.text)
        yield line
        for name, value in values:
            yield Text.assemble((f"  {one_line(name)} ", palette.dim), (cut(one_line(value), VALUE), palette.text))
