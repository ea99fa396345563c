"""The line above the footer that never moves: what runs, progress, time left, queue, memory."""

from __future__ import annotations

from rich.text import Text

from comfytui.state.model import Origin, Phase, ServerState, Stats
from comfytui.tui.messages import Message
from comfytui.tui.theme import Palette
from comfytui.tui.time_left import time_left
from comfytui.tui.widgets import message_line
from comfytui.tui.widgets.fixed_line import FixedLine, Piece
from comfytui.tui.wording import cut, of_total, one_line, rate, spark

SAMPLES = 5  # of memory, in the status line
RUNS = {Origin.OURS: "our job", Origin.OTHER: "another client's job", Origin.BROADCAST: "a broadcast job"}
NEWS = 0.02  # of all memory: a smaller change is no news while nothing runs, and costs no bytes


class StatusLine(FixedLine):
    """What runs on the left, in a field of its own width; queue and memory on the right."""

    gap = 3
    _stats: Stats | None = None
    _told: Message | None = None
    _key = ""
    _given: tuple[Palette, ServerState | None, float, str, str | None] | None = None

    def tell(self, message: Message | None, key: str) -> None:
        """What takes the whole line with the next `update`, None for nothing; `key` shows all messages."""
        self._told, self._key = message, key

    def update(
        self, palette: Palette, state: ServerState | None, now: float, engine: str = "", error: str | None = None
    ) -> None:
        """Show a state. `engine` tells what our own engine does while it starts; `error` what failed last."""
        self._given = (palette, state, now, engine, error)
        if self._told is not None:
            self.show(message_line.pieces(palette, self._told, self.content_size.width or 78, self._key))
            return
        doing = self._doing(palette, state, now, engine, error)
        tiny = self.screen.has_class("-tiny-w") or self.screen.has_class("-tiny-h")
        if tiny and state is not None and state.read_only:  # there are no tabs with the badge
            doing = Text.assemble(("read only ", palette.warning), doing)
        pieces = [Piece(doing)]
        if state is not None and state.link.phase is Phase.LIVE:
            pieces += self._badges(palette, state)
            if state.running and (ahead := len(state.waiting)):
                pieces.append(Piece(Text.assemble(("queue ", palette.dim), (str(ahead), palette.text)), 1, right=True))
            self._stats = settled(self._stats, state)
            pieces += memory(palette, state, self._stats)
        self.show(pieces)

    def on_resize(self) -> None:
        """More may fit now, or less; only after the layout is the room known."""
        if self._given is not None:
            self.update(*self._given)

    def _badges(self, palette: Palette, state: ServerState) -> list[Piece]:
        """What keeps jobs from running."""
        narrow = self.size.width < 64
        if state.paused:
            text = Text("paused" if narrow else "queue paused", palette.warning)
            text.append(f" · {len(state.held)}{'' if narrow else ' held here'}" if state.held else "")
            return [Piece(text, right=True)]
        if state.held:
            return [Piece(Text.assemble((str(len(state.held)), palette.text), (" held", palette.dim)), 1, right=True)]
        return []

    def _doing(self, palette: Palette, state: ServerState | None, now: float, engine: str, error: str | None) -> Text:
        if engine:
            return Text.assemble(("◌ ", palette.waiting), (engine, palette.text))
        if state is None:
            return Text("no server", palette.dim)
        if state.link.phase is not Phase.LIVE:
            return connection(palette, state, now)
        if error:
            return Text(f"✗ {cut(one_line(error), 70)}", palette.failed)
        return running(palette, state, now, brief=self.size.width < 56) or Text("idle", palette.dim)


def connection(palette: Palette, state: ServerState, now: float) -> Text:
    """What the connection does, when it is not live."""
    link = state.link
    if link.phase is Phase.RECONNECTING:
        # Whole seconds that have not passed yet; it is only rewritten with the next event, never by a clock.
        return Text(f"○ reconnecting · {cut(one_line(link.error or 'the connection was lost'), 60)}", palette.warning)
    if link.phase is Phase.REFUSED:
        return Text(f"✗ {cut(one_line(link.error or 'refused'), 70)}", palette.failed)
    if link.phase is Phase.CLOSED:
        return Text("○ closed", palette.dim)
    return Text(f"◌ connecting to {link.url}", palette.dim)


def running(palette: Palette, state: ServerState, now: float, brief: bool = False) -> Text | None:
    """The node that runs, its steps, speed (unless `brief`) and time left; None when nothing runs."""
    if not state.running:
        return None
    run = state.run
    job = state.jobs.get(run.prompt_id) if run is not None else None
    if run is None or not run.told:
        remaining = time_left(state, job, now)[0] if job is not None else ""
        whose = RUNS.get(job.origin if job is not None else Origin.UNKNOWN, "a job")
        said = f"▶ {whose} runs" + ("; the server tells no progress" if not remaining and not brief else "")
        return Text.assemble((said, palette.running), (f" · {remaining}" if remaining else "", palette.text))
    node = next((n for n in job.nodes if n.id == run.node_id), None) if job else None
    text = Text("▶ ", palette.running)
    text.append(cut(one_line((node.title or node.class_type) if node else run.node_id or "starting"), 24), palette.text)
    if run.maximum:
        text.append(f" {run.value:g}/{run.maximum:g}", palette.text)
    left = time_left(state, job, now)[0] if job is not None else ""
    for part in ("" if brief else rate(run.rate), left):
        if part:
            text.append(" · ", palette.dim)
            text.append(part, palette.text)
    return text


def settled(shown: Stats | None, state: ServerState) -> Stats | None:
    """The stats to show: the newest, or while nothing runs those that are shown, if they still are about true."""
    new = state.stats
    if shown is None or new is None or state.running or _differs(shown, new):
        return new
    return shown


def _differs(old: Stats, new: Stats) -> bool:
    was, now = _memories(old), _memories(new)
    return len(was) != len(now) or any(
        total != total_now or abs(free - free_now) > total * NEWS
        for (free, total), (free_now, total_now) in zip(was, now, strict=True)
    )


def _memories(stats: Stats) -> list[tuple[int, int]]:
    """(free, total) of the RAM and each device."""
    return [(stats.ram_free, stats.ram_total), *((d.vram_free, d.vram_total) for d in stats.devices)]


def memory(palette: Palette, state: ServerState, stats: Stats | None) -> list[Piece]:
    """VRAM (where there is a GPU) and RAM; with what they were, while something runs."""
    if stats is None:
        return []
    pieces = []
    if (used := vram(stats)) is not None:
        past = [v[0] for s in state.stats_history[-SAMPLES:] if (v := vram(s)) is not None]
        text = Text.assemble(("VRAM ", palette.dim), (of_total(*used), palette.text))
        if state.running and len(past) > 1:
            text.append(" " + spark([float(p) for p in past], float(used[1])), palette.graph)
        pieces.append(Piece(text, 2, right=True))
    if stats.ram_total:
        used_ram = of_total(stats.ram_total - stats.ram_free, stats.ram_total)
        pieces.append(Piece(Text.assemble(("RAM ", palette.dim), (used_ram, palette.text)), 3, right=True))
    return pieces


def vram(stats: Stats) -> tuple[int, int] | None:
    """Bytes used and there, over all GPUs; None without one (a CPU's memory is RAM)."""
    gpus = [d for d in stats.devices if d.type not in ("cpu", "") and d.vram_total]
    if not gpus:
        return None
    return sum(d.vram_total - d.vram_free for d in gpus), sum(d.vram_total for d in gpus)
