"""The LoRAs of a workflow in a dialog: weighed with the arrows, added from the server's list, taken out."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.tui import actions
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut_middle, one_line
from comfytui.workflow import loras
from comfytui.workflow.catalog import declared
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.loras import Lora, Spot

STEP = 0.05
EMPTY = "This workflow has no LoRA.\n\n a adds one."


class LoraDialog(ModalScreen[dict[str, Any]]):
    """Answers with the graph as it was left, the same one if nothing was changed."""

    BINDINGS: ClassVar = [*actions.bindings("dialog"), *actions.bindings("loras")]
    CSS = """
    LoraDialog .dialog { width: 80; max-width: 95%; height: 60%; max-height: 20; }
    LoraDialog LineList { scrollbar-size: 1 1; }
    LoraDialog Static { height: auto; }
    """

    def __init__(
        self, graph: dict[str, Any], info: Mapping[str, Any] | None, held: Container[str] = frozenset()
    ) -> None:
        """`info` is the server's catalogue, None if it is not known: then none can be added. `held` are ids that new
        nodes cannot have."""
        super().__init__()
        self._graph, self._info, self._held = graph, info, held
        self._loras: tuple[Lora, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            entitle(dialog, "LoRAs, in their order", "←→ weigh · a add · x take out · esc")
            yield LineList(empty=EMPTY)
            yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(LineList).focus()
        self._show()

    def _show(self, on: str = "") -> None:
        self._loras = loras.loras(self._graph)
        lines = self.query_one(LineList)
        lines.forget()
        lines.show([each.node_id for each in self._loras], self._draw)
        if on:
            lines.move_to(on)

    def _draw(self, key: str, width: int) -> Text:
        palette = self.query_one(LineList).palette
        lora = next(each for each in self._loras if each.node_id == key)
        weight = f"{lora.strength:g}" if lora.clip in (None, lora.strength) else f"{lora.strength:g} / {lora.clip:g}"
        room = max(8, width - 16)
        name = cut_middle(one_line(sanitize.line(lora.name)), room)
        return Text.assemble(
            (f" {name.ljust(room)}", palette.text),
            (f"{weight:>9}", palette.accent),
            (" model" if lora.clip is None else "", palette.dim),
        )

    def _say(self, text: str) -> None:
        self.query_one(Static).update(Text(sanitize.block(text)))

    @property
    def _here(self) -> str | None:
        return self.query_one(LineList).key

    def _change(self, graph: dict[str, Any], on: str = "") -> None:
        self._graph = graph
        self._say("")
        self._show(on)

    def action_weigh(self, by: int) -> None:
        """A step more or less."""
        if (here := self._here) is None:
            return
        try:
            self._change(loras.weigh(self._graph, here, by * STEP), here)
        except WorkflowError as error:
            self._say(str(error))

    def action_remove(self) -> None:
        if (here := self._here) is None:
            return
        try:
            self._change(loras.remove(self._graph, here))
        except WorkflowError as error:
            self._say(str(error))

    def action_add(self) -> None:
        """Ask which one, and where if the workflow has several models."""
        from comfytui.tui.widgets.pick import Pick

        names = names_of(self._info)
        spots = loras.spots(self._graph)
        if not names or not spots:
            if self._info is None:
                self._say("The server has not told its LoRAs yet.")
            else:
                self._say("The server has no LoRA." if not names else "It has no sampler whose model could be changed.")
            return

        def chosen(index: int | None) -> None:
            if index is None:
                return
            if len(spots) == 1:
                self._add(names[index], spots[0])
            else:
                titles = [one_line(sanitize.line(spot.title)) for spot in spots]
                self.app.push_screen(
                    Pick("To which model?", titles),
                    lambda which: None if which is None else self._add(names[index], spots[which]),
                )

        shown = [one_line(sanitize.line(name)) for name in names]
        self.app.push_screen(Pick("Add a LoRA", shown, does="adds it"), chosen)

    def _add(self, name: str, spot: Spot) -> None:
        try:
            graph, node_id = loras.add(self._graph, name, 1.0, spot, self._info, self._held)
            self._change(graph, node_id)
        except WorkflowError as error:
            self._say(str(error))

    def action_leave(self) -> None:
        self.dismiss(self._graph)


def names_of(info: Mapping[str, Any] | None) -> Sequence[str]:
    """The files of LoRAs that the server offers."""
    for class_type in (loras.BOTH, loras.MODEL_ONLY):
        known = declared(info, class_type).get("lora_name") if info is not None else None
        if known is not None:
            return [each for each in known.choices if isinstance(each, str)]
    return ()
