"""A bar of the whole job that runs; with the status line it is all that a very small terminal shows."""

from __future__ import annotations

from rich.text import Text

from comfytui.state.model import Job, NodeState, Run, ServerState
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import FixedLine, Piece
from comfytui.tui.wording import bar

FINISHED = (NodeState.DONE, NodeState.CACHED)


def overall(job: Job, run: Run | None) -> float:
    """How much of a job is done, 0 to 1: its nodes, the running one counted by its steps.

    Steps weigh as much as all other nodes together, because sampling is where the time goes.
    """
    if not job.nodes:
        return 0.0
    weights = [10.0 if node.maximum > 1 else 1.0 for node in job.nodes]
    done = 0.0
    for node, weight in zip(job.nodes, weights, strict=True):
        if node.state in FINISHED:
            done += weight
        elif node.state is NodeState.RUNNING and node.maximum:
            done += weight * min(1.0, node.value / node.maximum)
    return done / sum(weights)


class RunningBar(FixedLine):
    """The bar and its percentage, or that nothing runs."""

    def update(self, palette: Palette, state: ServerState | None) -> None:
        job = state.jobs.get(state.running[0]) if state is not None and state.running else None
        if state is None or job is None:
            self.show([Piece(Text("nothing runs", palette.dim))])
            return
        fraction = overall(job, state.run)
        done, rest = bar(fraction, max(8, (self.content_size.width or 40) - 5))
        self.show([Piece(Text.assemble((done, palette.running), (rest, palette.border), f" {fraction:3.0%}"))])
