"""Servers: every server that is known with its state, latency, queue and load, and what is known of the selected one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from comfytui.tui import actions, server_details, server_list
from comfytui.tui.screens import servers_acts
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.server_table import ServerTable
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import cut, plural

if TYPE_CHECKING:
    from comfytui.tui.actions import Action, Situation
    from comfytui.tui.server_list import Row

EMPTY = """\
No server is known yet.

{add}          connects to an address
{settings}          Settings; or write into the settings file:

 [servers.my-box]
 url = "http://127.0.0.1:8188"
 ssh = "me@my-box"        opens a tunnel to it"""


class ServersView(ScreenView):
    """A table of servers; details of the selected one beside it, or below where the terminal is narrow."""

    screen_id = "servers"
    shows_stats = True
    shows_servers = True
    BINDINGS = [*actions.bindings("servers")]
    SCOPED_CSS = False  # the terminal's size is told by classes of the screen above
    DEFAULT_CSS = """
    ServersView { layout: vertical; }
    ServersView #servers-list { height: 1fr; }
    ServersView #servers-filter { display: none; }
    ServersView.-filter #servers-filter { display: block; }
    ServersView #servers-details { height: 10; }
    .-tall ServersView #servers-details { height: 18; }
    .-small-h ServersView #servers-details { display: none; }
    ServersView.-details #servers-details { display: block; height: 1fr; }
    .-small-h ServersView.-details #servers-details { display: block; }
    .-small-h ServersView.-details #servers-list, .-short ServersView.-details #servers-list { display: none; }
    ServersView #servers-details.-none { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, Row] = {}
        self._words = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="servers-list"):
            wanted = Input(placeholder="words: a name, an address, a state", id="servers-filter", select_on_focus=False)
            wanted.cursor_blink = False
            yield wanted
            yield ServerTable(id="servers-table", classes="pane")
        yield TextLines(id="servers-details", classes="pane")

    # What is shown

    @property
    def table(self) -> ServerTable:
        return self.query_one(ServerTable)

    @property
    def row(self) -> Row | None:
        """The selected server."""
        key = self.table.key if self.is_mounted else None
        return self._rows.get(key) if key is not None else None

    def situation(self) -> Situation:
        return dataclasses.replace(super().situation(), selected=self.row is not None)

    def name_of(self, action: Action) -> str:
        row = self.row
        if action.id == "servers.again" and row is not None and row.state is not None:
            return "reconnect"
        return action.name

    def on_session(self) -> None:
        if not self.shown:
            return
        known = server_list.rows(self.session)
        self._rows = {row.name: row for row in known if server_list.matches(row, self._words)}
        table = self.table
        table.say_empty(self._nothing(bool(known)))
        table.update(list(self._rows.values()), self.dashboard.clock())
        live = sum(server_list.standing(row)[1] == "live" for row in known)
        told = f"{live} of {plural(len(known), 'server')} connected"
        entitle(table, "Servers", f"{told} · filter: {cut(self._words, 20)}" if self._words else told)
        self._details()

    def on_shown(self) -> None:
        if not self.has_focus_within:  # not the filter, which is hidden, but comes first
            self.table.focus(scroll_visible=False)

    def _nothing(self, any_known: bool) -> str:
        keymap = self.dashboard.keymap
        if any_known:
            return f"No server matches {self._words!r}.\nesc  clears the filter"
        return EMPTY.format(add=actions.key_of("servers.add", keymap), settings=actions.key_of("app.settings", keymap))

    def _details(self) -> None:
        pane, row = self.query_one(TextLines), self.row
        pane.set_class(row is None, "-none")
        if row is None:
            return
        entitle(pane, row.name, "shown" if row.shown else "")
        profile = self.dashboard.settings.servers.get(row.name)
        pane.show(server_details.lines(self.dashboard.palette, row, profile, self.dashboard.clock()))

    def forget(self) -> None:
        super().forget()
        self.table.forget()

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._details()
        self.refresh_actions()

    def go_back(self) -> bool:
        if self.has_class("-details"):
            self.action_details()
            return True
        if self.has_class("-filter"):
            self.remove_class("-filter")
            self.query_one(Input).value = ""
            self.table.focus()
            return True
        return False

    # The filter

    def action_filter(self) -> None:
        self.add_class("-filter")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        self._words = message.value.strip()
        self.on_session()

    @on(Input.Submitted)
    def _typed_all(self) -> None:
        self.set_class(bool(self._words), "-filter")
        self.table.focus()

    # What is done

    @on(LineList.Opened)
    def _opened(self) -> None:
        self.action_show()

    def action_show(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("show", servers_acts.show(self.dashboard, row), group="servers")

    def action_details(self) -> None:
        self.toggle_class("-details")
        shown = self.query_one(TextLines) if self.has_class("-details") else self.table
        self.call_after_refresh(shown.focus)  # what was hidden takes no focus before the next layout

    def action_again(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("connect", servers_acts.connect(self.dashboard, row), group="servers")

    def action_leave(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("disconnect", servers_acts.disconnect(self.dashboard, row), group="servers")

    def action_add(self) -> None:
        self.dashboard.ask("add a server", servers_acts.add(self.dashboard), group="servers")

    def action_save(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("save the server", servers_acts.save(self.dashboard, row), group="servers")

    def action_edit(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("edit the server", servers_acts.edit(self.dashboard, row), group="servers")

    def action_delete(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.ask("forget the server", servers_acts.delete(self.dashboard, row), group="servers")

    def action_copy(self) -> None:
        if (row := self.row) is not None:
            self.dashboard.copy(row.address, "the address")
