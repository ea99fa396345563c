"""The nodes of a job in the order in which they run, each with its state, progress and time."""

from __future__ import annotations

from rich.text import Text

from comfytui.state.model import Job, NodeRun, NodeState
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.wording import GLYPHS, bar, cut, cut_middle, model_name, one_line, took


class NodeList(LineList):
    """One line a node."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._runs: dict[str, NodeRun] = {}
        self._job: Job | None = None
        self._followed: str | None = None  # the running node that the cursor went along with

    def update(self, job: Job | None, now: float) -> None:
        """Show a job's nodes; None shows nothing."""
        self._job = job
        self._runs = {} if job is None else {node.id: node for node in job.nodes}
        active = next((n.id for n in self._runs.values() if n.state is NodeState.RUNNING), None)
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
        waiting = node.state is NodeState.WAITING
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
        palette = self.palette
        if node.state is NodeState.RUNNING:
            if node.maximum > 1:
                done, rest = bar(node.value / node.maximum, max(4, min(24, width // 4)))
                count = f"{node.value:g}/{node.maximum:g}"
                return Text.assemble((done, palette.running), (rest, palette.border), (f" {count}", palette.text))
            if node.started is not None and now - node.started >= 1:
                return Text(took(now - node.started), palette.running)
            return Text("…", palette.running)
        if node.state is NodeState.CACHED:
            return Text("cached", palette.cached)
        if node.state is NodeState.FAILED:
            return Text("failed", palette.failed)
        if node.started is not None and node.ended is not None:
            return Text(took(node.ended - node.started), palette.dim)
        return Text()
