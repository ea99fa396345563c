"""The part of Settings that is about the server: its own settings, its users, its memory; everything checked, then asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import work

from comfytui.client.errors import ClientError
from comfytui.tui import setting_values
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.setting_values import BadValue
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from comfytui.client.account import Users
    from comfytui.state.connection import Connection


class ServerSettings(ScreenView):
    """What is known of the server's settings and users, and how they are changed. A screen calls and draws it."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Connection | None = None  # whose answers these are
        self._theirs: Mapping[str, Any] = {}
        self._theirs_problem = ""  # why there are none
        self._users: Users | None = None
        self._system: Mapping[str, str] = {}

    def draw_server(self) -> None:
        """Something of the server is known now that was not."""
        raise NotImplementedError

    @property
    def user(self) -> str:
        """The id of the user that we are."""
        return self._asked.account.user if self._asked is not None else ""

    def ask_server(self, *, again: bool = False) -> None:
        """Ask the server that is shown, once for each time that it is connected."""
        connection = self.session.connection
        if connection is self._asked and not again:
            return
        if connection is not self._asked:
            self._theirs, self._theirs_problem, self._users, self._system = {}, "", None, {}
        self._asked = connection
        if connection is not None:
            self._load(connection)

    @work(name="server settings", group="server settings", exclusive=True)
    async def _load(self, connection: Connection) -> None:
        users: Users | None = None
        system: Mapping[str, str] = {}
        theirs: Mapping[str, Any] = {}
        problem = ""
        try:
            users = await connection.account.users()
            system = await connection.account.system()
        except ClientError as error:
            system = {"not known": str(error)}
        try:
            theirs = await connection.server_settings()
        except ClientError as error:
            problem = str(error)
        if connection is self._asked and self.is_mounted:
            self._users, self._system, self._theirs, self._theirs_problem = users, system, theirs, problem
            self.draw_server()

    def leave_server(self) -> None:
        self._asked = None
        self._theirs, self._theirs_problem, self._users, self._system = {}, "", None, {}
        super().leave_server()

    def draw_their(self, key: str, width: int) -> Text:
        """The line of one of its settings."""
        palette, name = self.dashboard.palette, max(16, width * 3 // 5)
        line = Text(" " + cut(key, name - 1).ljust(name), palette.text)
        return line.append(cut(setting_values.shown(self._theirs.get(key)), width - name - 2), palette.accent)

    # Changes

    def edit_their(self, key: str) -> None:
        """Ask for another value of a setting of the server."""
        if self._asked is None or key not in self._theirs:
            return
        value = self._theirs[key]
        if not setting_values.whole(key, value):
            self.dashboard.report(f"{key} holds what cannot be shown here: change it in the server's web interface")
        elif isinstance(value, bool):
            self.dashboard.ask("server setting", self._set_their(self._asked, key, value, not value))
        else:
            self._type_their(self._asked, key, value)

    def _type_their(self, connection: Connection, key: str, value: Any) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        def answered(text: str | None) -> None:
            if text is None:
                return
            try:
                new = setting_values.read(text, value)
            except BadValue as error:
                self.dashboard.report(f"nothing was sent: {key} {error}")
                return
            self.dashboard.ask("server setting", self._set_their(connection, key, value, new))

        hint = f"{setting_values.kind_of(value)}; on {connection.target.label}"
        typed = setting_values.as_typed(value)
        self.app.push_screen(TextInputDialog(key, typed, hint, may_be_empty=isinstance(value, str)), answered)

    async def _set_their(self, connection: Connection, key: str, old: Any, new: Any) -> None:
        label = connection.target.label
        if new == old and type(new) is type(old):
            self.dashboard.say(f"{key} is {setting_values.shown(old)} already")
            return
        shown = cut(setting_values.shown(new), 60) or "empty"
        who = "your account's" if self._users is not None and self._users.multi else "everybody's"
        detail = f"It is {cut(setting_values.shown(old), 60) or 'empty'} now. It is a setting of {who} web interface."
        if not await self.dashboard.confirm(f"Set {key} to {shown} on {label}?", "set it", "leave it", detail):
            return
        await connection.set_server_setting(key, new)
        if connection is self._asked:
            self._theirs = await connection.server_settings()
            self.draw_server()
        self.dashboard.say(f"{key} is {shown} on {label}")

    def action_add_user(self) -> None:
        if self._asked is None or self._users is None or not self._users.multi:
            self.dashboard.say("This server has one user for all: its flag --multi-user gives each an account.")
        elif self.session.state is not None and self.session.state.read_only:
            self.dashboard.refuse("Read only: nothing is sent that would change the server.")
        else:
            self._ask_user(self._asked, self._users)

    def _ask_user(self, connection: Connection, users: Users) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        label = connection.target.label

        def answered(name: str | None) -> None:
            if name is not None:
                self.dashboard.ask("add user", self._add_user(connection, users, name))

        self.app.push_screen(TextInputDialog(f"A new user on {label}", "", "a name"), answered)

    async def _add_user(self, connection: Connection, users: Users, name: str) -> None:
        from comfytui.client.account import checked

        name, label = checked(name, users), connection.target.label
        if not await self.dashboard.confirm(f"Add the user {name} to {label}?", "add", "do not add"):
            return
        made = await connection.account.add(name, users)
        self._users = await connection.account.users()
        self.draw_server()
        self.dashboard.say(f"{name} is {made} on {label}")

    def action_choose_user(self) -> None:
        if self._asked is None or self._users is None or not self._users.multi:
            self.dashboard.say("This server has one user for all: its flag --multi-user gives each an account.")
        else:
            self._pick_user(self._asked, self._users)

    def _pick_user(self, connection: Connection, users: Users) -> None:
        from comfytui.tui.widgets.pick import Pick

        ids = list(users.names)
        names = [users.names[each] for each in ids]

        def picked(place: int | None) -> None:
            if place is None:
                return
            connection.account.use(ids[place])
            self.ask_server(again=True)
            self.dashboard.say(f"{names[place]} on {connection.target.label}, until the program ends")

        current = users.names.get(connection.account.user, "")
        self.app.push_screen(Pick(f"who are you on {connection.target.label}", names, current), picked)

    def action_unload(self) -> None:
        self.dashboard.ask("unload models", self._free(everything=False))

    def action_free(self) -> None:
        self.dashboard.ask("free memory", self._free(everything=True))

    async def _free(self, *, everything: bool) -> None:
        connection = self.session.connection
        if connection is None:
            return
        await connection.free(unload_models=True, free_memory=everything)
        await connection.refresh_stats()
        what = "models are unloaded, cached results forgotten" if everything else "models are unloaded"
        later = ", as soon as the running job has ended" if connection.state.running else ""
        self.dashboard.say(f"{connection.target.label}: {what}{later}")
