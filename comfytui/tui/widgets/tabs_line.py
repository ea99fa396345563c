"""The first line: the screens by number, and on the right the server with its latency."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.message import Message

from comfytui.state.model import Phase, ServerState
from comfytui.tui.actions import SCREENS
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.fixed_line import FixedLine, Piece
from comfytui.tui.wording import cut_middle, milliseconds, settled_latency

PHASES = {
    Phase.LIVE: ("●", "done"),
    Phase.CONNECTING: ("○", "waiting"),
    Phase.RECONNECTING: ("○", "warning"),
    Phase.REFUSED: ("○", "failed"),
    Phase.CLOSED: ("○", "waiting"),
}


class TabsLine(FixedLine):
    """Tabs that shrink to numbers where the names do not fit."""

    _latency: float | None = None
    _given: tuple[Palette, str, ServerState | None, str, str, tuple[int, int]] | None = None
    _spans: Sequence[tuple[int, int, str]] = ()

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, screen_id: str) -> None:
            super().__init__()
            self.screen_id = screen_id

    def update(
        self,
        palette: Palette,
        current: str,
        state: ServerState | None,
        nothing: str,
        name: str = "",
        others: tuple[int, int] = (0, 0),
    ) -> None:
        """Show the current screen and the server; `nothing` is said when there is no server.

        `name` is the server's in the settings; `others` tells how many more are connected, of how many.
        """
        self._given = (palette, current, state, nothing, name, others)
        server, latency = self._server(palette, state, nothing, name, others), self._delay(palette, state)
        badge = Text("read only", palette.warning) if state is not None and state.read_only else Text()
        right = sum(piece.cell_len + 2 for piece in (badge, server, latency) if piece)
        width = self.content_size.width or 80
        tabs = self._tabs(palette, current, state, named=True)
        if tabs.cell_len > width - right:
            tabs = self._tabs(palette, current, state, named=False)
        needed = sum(piece.cell_len + 2 for piece in (badge, server) if piece)
        if tabs.cell_len > width - needed:  # which server it is matters more than the room between the tabs
            tabs = self._tabs(palette, current, state, named=False, gap=1)
        self.show([Piece(tabs), Piece(badge, right=True), Piece(server, 1, right=True), Piece(latency, 2, right=True)])

    def on_resize(self) -> None:
        """Names may fit now, or no longer; only after the layout is the room known."""
        if self._given is not None:
            self.update(*self._given)

    def _tabs(self, palette: Palette, current: str, state: ServerState | None, named: bool, gap: int = 2) -> Text:
        line = Text()
        spans = []
        for spec in SCREENS:
            start = line.cell_len
            here = spec.id == current
            line.append(spec.key, palette.key if here else palette.dim)
            if named or here:
                line.append(f" {spec.title}", palette.style("accent" if here else "text", bold=here))
            if spec.id == "queue" and state is not None and (count := len(state.waiting) + len(state.running)):
                line.append(f" {count}", palette.running)
            spans.append((start, line.cell_len, spec.id))
            line.append(" " * gap)
        line.rstrip()
        self._spans = spans
        return line

    def _server(
        self, palette: Palette, state: ServerState | None, nothing: str, name: str, others: tuple[int, int]
    ) -> Text:
        if state is None:
            return Text(nothing, palette.dim)
        glyph, role = PHASES[state.link.phase]
        text = Text(f"{glyph} ", palette.style(role))
        text.append(cut_middle(name or state.link.url.partition("://")[2], 32), palette.text)
        if others[1]:
            text.append(f" +{others[0]}" if others[0] == others[1] else f" +{others[0]}/{others[1]}", palette.dim)
        return text

    def _delay(self, palette: Palette, state: ServerState | None) -> Text:
        """How long the server takes to answer."""
        if state is None or state.link.phase is not Phase.LIVE or (new := state.link.latency) is None:
            return Text()
        self._latency = settled_latency(self._latency, new)
        return Text(milliseconds(self._latency), palette.dim)

    @property
    def tabs(self) -> Sequence[tuple[int, int, str]]:
        """(first cell, cell behind it, screen) of each."""
        return self._spans

    def on_click(self, event: events.Click) -> None:
        x = event.x - self.styles.padding.left
        for start, end, screen_id in self._spans:
            if start <= x < end:
                self.post_message(self.Chosen(screen_id))
