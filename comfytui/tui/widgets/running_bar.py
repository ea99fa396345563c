"""A bar of the whole job that runs; with the status line it is all that a very small terminal shows."""

from __future__ import annotations

from rich.text import Text

from comfytui.state import times
from comfytui.state.model import ServerState
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import FixedLine, Piece
from comfytui.tui.wording import bar


class RunningBar(FixedLine):
    """The bar and its percentage, or that nothing runs."""

    def update(self, palette: Palette, state: ServerState | None, now: float) -> None:
        job = state.jobs.get(state.running[0]) if state is not None and state.running else None
        if state is None or job is None:
            self.show([Piece(Text("nothing runs", palette.dim))])
            return
        if state.run is None or not state.run.told:
            self.show([Piece(Text("runs; its progress is not told", palette.dim))])
            return
        fraction = times.progress(state, job, now).fraction
        done, rest = bar(fraction, max(8, (self.content_size.width or 40) - 5))
        self.show([Piece(Text.assemble((done, palette.running), (rest, palette.border), f" {fraction:3.0%}"))])
