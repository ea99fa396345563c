"""The nodes of a job in the order in which they run, each with its state, progress, time, and what it took last time."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from comfytui.state.model import EMPTY, Job, JobState, NodeRun, NodeState
from comfytui.tui.job_nodes import in_a_gap, left_out
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.wording import GLYPHS, bar, clock, cut, cut_middle, model_name, one_line, took

WANTED = (NodeState.RUNNING, NodeState.FAILED, NodeState.INTERRUPTED)  # the cursor is on the first of these
LAST = 11  # cells of "last 1:02:03", its own column where there is room
ROOMY = 50  # cells from which it has one; below, only nodes that wait say how long they should take


class NodeList(LineList):
    """One line a node."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._runs: dict[str, NodeRun] = {}
        self._job: Job | None = None
        self._last: Mapping[str, float] = EMPTY
        self._left_out: Mapping[str, str] = EMPTY
        self._silent = False  # there is no connection: what runs is not known to run
        self._followed: str | None = None  # the node that runs or stopped the job: the cursor goes along

    def update(self, job: Job | None, now: float, last: Mapping[str, float] = EMPTY, *, connected: bool = True) -> None:
        """Show a job's nodes; None shows nothing. `last`: seconds that nodes took the last times, by id."""
        if job is not self._job:
            self._left_out = EMPTY if job is None else left_out(job)
        self._job, self._silent = job, not connected
        self._runs = {} if job is None else {node.id: node for node in job.nodes}
        # Of an ended job they hold its own times already.
        self._last = last if job is not None and job.state in (JobState.RUNNING, JobState.WAITING) else EMPTY
        active = next((n.id for n in self._runs.values() if n.state in WANTED), None)
        follows = self.key is None or self.key == self._followed or self.key not in self._runs
        self.show(list(self._runs), lambda key, width: self._line(self._runs[key], width, now))
        if active is not None and active != self._followed:
            # Unless the user has gone elsewhere, the cursor stays on what runs, so that it is never scrolled away.
            if follows or self._followed is None:
                self.move_to(active)
            self._followed = active

    def _line(self, node: NodeRun, width: int, now: float) -> Text:
        palette = self.palette
        glyph, role = GLYPHS.get(node.state, (" ", "dim"))
        right = self._right(node, width, now)
        room = max(4, width - right.cell_len - 4)
        waiting = node.state is NodeState.WAITING or node.id in self._left_out
        glyph = " " if waiting else glyph
        name = cut_middle(one_line(node.title or node.class_type), min(room, 28))
        line = Text.assemble((f"{glyph} ", palette.style(role)), (name, palette.dim if waiting else palette.text))
        said = self._said(node)
        if said and (left := room - line.cell_len) > 8:
            line.append("  " + cut(said, left), palette.dim)
        line.append(" " * max(1, width - line.cell_len - right.cell_len - 1))
        return line.append_text(right)

    def _said(self, node: NodeRun) -> str:
        """What tells this node from others of its kind: a file's name, or the text that it encodes."""
        if node.title and node.title != node.class_type:
            return node.class_type
        entry = self._job.graph.get(node.id) if self._job is not None else None
        inputs = entry.get("inputs") if isinstance(entry, dict) else None
        if not isinstance(inputs, dict):
            return ""
        texts = [value for value in inputs.values() if isinstance(value, str) and value]
        if not texts:
            return ""
        text = one_line(texts[0])
        return f"“{text}”" if "text" in inputs else model_name(text)

    def _right(self, node: NodeRun, width: int, now: float) -> Text:
        """What the node does or did, and in a column of its own what it took last time."""
        text = self._now(node, width, now)
        last = self._last.get(node.id)
        if not self._last or (width < ROOMY and node.state is not NodeState.WAITING):
            return text
        if width < ROOMY:
            return text if last is None or text else Text(f"~{took(last)}", self.palette.dim)
        if node.state is NodeState.CACHED:
            last = None
        return text.append(f"{'' if last is None else 'last ' + took(last):>{LAST}}", self.palette.dim)

    def _now(self, node: NodeRun, width: int, now: float) -> Text:
        palette = self.palette
        gap = Text("gap ", palette.warning) if self._job is not None and in_a_gap(self._job, node) else Text()
        if (why := self._left_out.get(node.id)) is not None:
            return Text(why, palette.dim)
        match node.state:
            case NodeState.RUNNING if self._silent:
                return Text("no news", palette.warning)
            case NodeState.RUNNING:
                return gap.append_text(self._moving(node, width, now))
            case NodeState.CACHED:
                return Text("cached", palette.cached)
            case NodeState.FAILED | NodeState.INTERRUPTED:
                failed = node.state is NodeState.FAILED
                return gap.append_text(
                    self._with_time(node, Text(node.state, palette.failed if failed else palette.warning))
                )
            case NodeState.WAITING:
                return Text()
            case _:
                return gap.append_text(self._with_time(node, Text()))

    def _with_time(self, node: NodeRun, text: Text) -> Text:
        if node.started is not None and node.ended is not None:
            text.append((" after " if text else "") + took(max(0.0, node.ended - node.started)), self.palette.dim)
        return text

    def _moving(self, node: NodeRun, width: int, now: float) -> Text:
        """The steps of what runs, and how long it has run."""
        palette = self.palette
        passed = None if node.started is None else now - node.started
        if node.maximum > 1:
            done, rest = bar(node.value / node.maximum, max(4, min(24, width // 5)))
            text = Text.assemble((done, palette.running), (rest, palette.border))
            text.append(f" {node.value:g}/{node.maximum:g}", palette.text)
            return text if passed is None or width < ROOMY else text.append(f" {clock(passed):>5}", palette.running)
        return Text("…" if passed is None or passed < 1 else took(passed), palette.running)
