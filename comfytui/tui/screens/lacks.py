"""What a server lacks of a workflow, as a list in a dialog: each missing node and file with what is near to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from comfytui.client import sanitize
from comfytui.tui import actions
from comfytui.tui.library import Entry
from comfytui.tui.runnable import lacking
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut, one_line, plural
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.lacks import Lack

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.workflows import WorkflowsView
    from comfytui.workflow.document import Document


class LacksDialog(ModalScreen[str | None]):
    """Answers with the node class to show, None when it was left."""

    BINDINGS: ClassVar = [*actions.bindings("dialog")]
    CSS = """
    LacksDialog .dialog { width: 90; max-width: 95%; height: 70%; max-height: 24; }
    LacksDialog LineList { scrollbar-size: 1 1; }
    """

    def __init__(self, name: str, server: str, found: Sequence[Lack]) -> None:
        super().__init__()
        self._name, self._server = name, server
        self._lines = [(lack, near) for lack in found for near in (lack.near or ("",))]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            missing = len({id(lack) for lack, _ in self._lines})
            entitle(dialog, f"{self._name}: {plural(missing, 'thing')} missing", "enter shows a near node · esc")
            yield LineList(empty=f"{self._server} has every node and every file of {self._name}.")

    def on_mount(self) -> None:
        lines = self.query_one(LineList)
        lines.show([str(place) for place in range(len(self._lines))], self._draw)
        lines.focus()

    def _draw(self, key: str, width: int) -> Text:
        lack, near = self._lines[int(key)]
        palette = self.query_one(LineList).palette
        first = key == "0" or self._lines[int(key) - 1][0] is not lack
        half = width // 2
        what = one_line(sanitize.line(lack.name)) if first else ""
        kind = ("node" if lack.kind == "node" else "file") if first else ""
        line = Text.assemble((f" {'✗' if first else ' '} ", palette.failed), (kind.ljust(5), palette.dim))
        line.append(cut(what, half - 8).ljust(half - 8), palette.text)
        said = f" near: {sanitize.line(near)}" if near else " nothing near" if lack.kind == "file" else " install it"
        line.append(cut(said, width - line.cell_len), palette.accent if near else palette.dim)
        return line

    @on(LineList.Opened)
    def _opened(self, message: LineList.Opened) -> None:
        lack, near = self._lines[int(message.key)]
        if lack.kind == "node" and near:
            self.dismiss(near)

    def action_leave(self) -> None:
        self.dismiss(None)


async def show_lacks(dashboard: Dashboard, entry: Entry, document: Document, info: Mapping[str, Any]) -> str | None:
    """Show what is missing; the node class near to it that was chosen. Only from a worker."""
    try:
        found = await asyncio.to_thread(lacking, document, info)
    except WorkflowError as error:
        dashboard.report(sanitize.line(str(error)))
        return None
    state = dashboard.session.state
    server = state.link.url if state is not None else "The server"
    return await dashboard.push_screen_wait(LacksDialog(Path(entry.name).stem, server, found))


async def lacks_of_chosen(dashboard: Dashboard, info: Mapping[str, Any] | None) -> str | None:
    """Let a workflow be chosen, and show what is missing of it. Only from a worker."""
    from comfytui.tui.widgets.pick import Pick

    if info is None:
        dashboard.report("the server's nodes are not known yet")
        return None
    view = await _workflows(dashboard)
    entries = [entry for entry in view.listed if entry.form or entry.unread]
    place = await dashboard.push_screen_wait(Pick("of which workflow?", [entry.name for entry in entries]))
    if place is None:
        return None
    document = await dashboard.ask("read", view.found(entries[place])).wait()
    return None if document is None else await show_lacks(dashboard, entries[place], document, info)


async def _workflows(dashboard: Dashboard) -> WorkflowsView:
    """The screen that knows the files, which is made by showing it once."""
    back = dashboard.current
    if dashboard.stage.of("workflows") is None:
        await dashboard.action_show("workflows")
        await dashboard.action_show(back)
    view = cast("WorkflowsView", dashboard.stage.of("workflows"))
    await view.wait_found()
    return view
