"""What a server lacks of a workflow, as a list in a dialog: each missing node and file with what is near to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from comfytui.client import sanitize
from comfytui.fetching.place import is_local
from comfytui.tui import actions
from comfytui.tui.library import Entry
from comfytui.tui.runnable import lacking
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut, one_line, plural
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.lacks import Lack
from comfytui.workflow.near_files import ALIKE, ELSEWHERE, PRECISION
from comfytui.workflow.told_models import ToldModel, fetch_command, told_models, told_of
from comfytui.workflow.uploads import uploads

if TYPE_CHECKING:
    from comfytui.tui.app import Dashboard
    from comfytui.tui.screens.workflows import WorkflowsView
    from comfytui.workflow.document import Document


HOW = {ELSEWHERE: "other folder", PRECISION: "other precision"}


class _Line(msgspec.Struct, frozen=True):
    """One line of the list. `command` is what enter copies, `model` what it fetches."""

    lack: Lack
    said: str
    near: str = ""
    command: str = ""
    helps: bool = False
    model: ToldModel | None = None


def _lines(
    lack: Lack, models: Sequence[ToldModel], here: Mapping[str, Path], how_far: Callable[[str], str] | None
) -> list[_Line]:
    how = dict(zip(lack.near, lack.how, strict=False))
    found = [_Line(lack, f"{HOW.get(how.get(near, ALIKE), 'near')}: {near}", near) for near in lack.near]
    if lack.kind == "file":
        if (path := here.get(lack.name)) is not None:
            found.append(_Line(lack, f"lies here: {path}", helps=True))
        if (model := told_of(lack.name, models)) is not None:
            if how_far is not None and model.url:
                coming = how_far(model.url)
                said = f"comes: {coming}; enter stops it" if coming else f"enter fetches it: {model.url}"
                found.append(_Line(lack, said, helps=True, model=model))
            try:
                command = fetch_command(model)
                found.append(_Line(lack, f"enter copies how to get it: {model.url}", command=command))
            except WorkflowError as error:
                found.append(_Line(lack, error.problem))
    return found or [_Line(lack, "nothing near" if lack.kind == "file" else "install it")]


class LacksDialog(ModalScreen["str | ToldModel | None"]):
    """Answers with the node class to show, the model to fetch, None when it was left."""

    BINDINGS: ClassVar = [*actions.bindings("dialog")]
    CSS = """
    LacksDialog .dialog { width: 90; max-width: 95%; height: 70%; max-height: 24; }
    LacksDialog LineList { scrollbar-size: 1 1; }
    """

    def __init__(
        self,
        name: str,
        server: str,
        found: Sequence[Lack],
        models: Sequence[ToldModel] = (),
        here: Mapping[str, Path] | None = None,
        how_far: Callable[[str], str] | None = None,
    ) -> None:
        """`models` are those that the workflow tells of, `here` the files of this disk by the value that names them.

        `how_far` tells of an address how far it is fetched; None where this server's models cannot be fetched by us.
        """
        super().__init__()
        self._name, self._server = name, server
        self._lines = [line for lack in found for line in _lines(lack, models, here or {}, how_far)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            missing = len({id(line.lack) for line in self._lines})
            entitle(
                dialog,
                f"{self._name}: {plural(missing, 'thing')} missing",
                "enter shows a node, copies or fetches · esc",
            )
            yield LineList(empty=f"{self._server} has every node and every file of {self._name}.")

    def on_mount(self) -> None:
        lines = self.query_one(LineList)
        lines.show([str(place) for place in range(len(self._lines))], self._draw)
        lines.focus()

    def _draw(self, key: str, width: int) -> Text:
        shown = self._lines[int(key)]
        palette = self.query_one(LineList).palette
        first = key == "0" or self._lines[int(key) - 1].lack is not shown.lack
        half = width * 2 // 5
        what = one_line(sanitize.line(shown.lack.name)) if first else ""
        kind = ("node" if shown.lack.kind == "node" else "file") if first else ""
        line = Text.assemble((f" {'✗' if first else ' '} ", palette.failed), (kind.ljust(5), palette.dim))
        line.append(cut(what, half - 8).ljust(half - 8), palette.text)
        helps = shown.near or shown.command or shown.helps
        line.append(
            cut(f" {sanitize.line(shown.said)}", width - line.cell_len), palette.accent if helps else palette.dim
        )
        return line

    @on(LineList.Opened)
    def _opened(self, message: LineList.Opened) -> None:
        shown = self._lines[int(message.key)]
        if shown.near and shown.lack.kind == "node":
            self.dismiss(shown.near)
        elif shown.near:
            cast("Dashboard", self.app).copy(shown.near, "its name")
        elif shown.model is not None:
            self.dismiss(shown.model)
        elif shown.command:
            cast("Dashboard", self.app).copy(shown.command, "the command that fetches it")

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
    models = told_models(document.workflow)
    here = {} if entry.on_server else await asyncio.to_thread(_here, document, info, entry.path.parent)
    connection = dashboard.session.connection
    ours = connection is not None and not connection.read_only and is_local(connection.target)
    how_far = dashboard.fetches.how_far if ours else None
    answer = await dashboard.push_screen_wait(LacksDialog(Path(entry.name).stem, server, found, models, here, how_far))
    if isinstance(answer, ToldModel):
        await dashboard.fetches.ask(answer)
        return None
    return answer


def _here(document: Document, info: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """The files beside the workflow that the server could be given, by the value that names them."""
    found = uploads(document.graph, info, folder)
    return {each.value: each.path for each in found if each.path is not None and not each.refused}


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
