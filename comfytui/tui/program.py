"""What the keys of the program do, wherever they are pressed."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, cast

from comfytui.state.model import Phase
from comfytui.tui.actions import SCREENS
from comfytui.tui.actions.situation import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from textual.screen import ModalScreen

    from comfytui.tui.app import Dashboard


class ProgramActions:
    """The methods of `actions/program.py`; a part of the dashboard, which Textual wants them to be methods of."""

    @property
    def _me(self) -> Dashboard:
        return cast("Dashboard", self)

    async def action_back(self) -> None:
        me = self._me
        if (view := me.view) is not None and not view.go_back() and me.current != SCREENS[0].id:
            await me.action_show(SCREENS[0].id)

    def action_help(self) -> None:
        self._open("comfytui.tui.screens.help", "HelpScreen")

    def action_jump(self) -> None:
        from comfytui.tui.screens.jump import JumpScreen

        if not isinstance(self._me.screen, JumpScreen):
            self._me.push_screen(JumpScreen())

    def action_messages(self) -> None:
        from comfytui.tui.messages import page
        from comfytui.tui.widgets.text_dialog import TextDialog
        from comfytui.tui.wording import at

        self._me.push_screen(TextDialog("messages", page(self._me.messages.told, at)))

    def action_engine_log(self) -> None:
        from comfytui.tui.widgets.text_dialog import TextDialog

        log = "\n".join(self._me.session.engine_log)
        self._me.push_screen(
            TextDialog("engine log", log or "No engine of ours runs: comfytui --local starts one.", end=True)
        )

    def action_server(self) -> None:
        self._me.ask("go to server", self._go_to_server(), group="servers")

    async def _go_to_server(self) -> None:
        """Choose among the servers that are known; the screen stays the same one."""
        from comfytui.tui import server_list
        from comfytui.tui.screens import servers_acts
        from comfytui.tui.widgets.pick import Pick

        rows = server_list.rows(self._me.session)
        lines = [server_list.line(row) for row in rows]
        here = next((line for line, row in zip(lines, rows, strict=True) if row.shown), "")
        chosen = await self._me.push_screen_wait(Pick("go to server", lines, here))
        if chosen is not None:
            await servers_acts.switch(self._me, rows[chosen].name)

    def action_reconnect(self) -> None:
        if (connection := self._me.session.connection) is not None:
            connection.retry_now()
        else:
            self._me.connect()

    def action_start_engine(self) -> None:
        """Only where no server answers: starting it again would end what it does."""
        me = self._me
        if me.session.state is not None and me.session.state.link.phase is Phase.LIVE:
            me.say(f"{me.session.state.link.url} answers: no engine was started")
        else:
            me.run_worker(me.action_show("live"), name="show")
            me.restart_engine()

    def action_read_only(self) -> None:
        if self._me.session.connection is not None:
            self._me.ask("read only", self._read_only())

    async def _read_only(self) -> None:
        """On at once; off only when it is meant, for somebody has turned it on to be safe."""
        me = self._me
        connection = me.session.connection
        if connection is None:
            return
        if not connection.read_only:
            me.session.set_read_only(True)
            me.say("read only: nothing is sent that would change the server")
        elif await me.confirm(f"Allow changes to {connection.target.label} again?", "allow them", "stay read only"):
            me.session.set_read_only(False)
            me.say("changes are allowed again")

    def action_free(self) -> None:
        me = self._me
        if me.session.state is not None and me.session.state.read_only:
            me.refuse(READ_ONLY)
        elif (connection := me.session.connection) is not None:
            me.ask("free memory", self._free(connection.free()))

    async def _free(self, freeing: Awaitable[None]) -> None:
        await freeing
        self._me.say("models unloaded")

    def action_leave(self) -> None:
        self._me.run_worker(self._me.leave(), name="leave", group="leave", exclusive=True)

    def action_next_theme(self) -> None:
        self._me.ask("theme", self._next_theme())

    async def _next_theme(self) -> None:
        from comfytui.settings.files import change

        name = await self._me.theming.next()
        try:
            self._me.settings = await asyncio.to_thread(change, "theme", name)
        except (OSError, ValueError) as error:
            self._me.report(f"the theme is not kept: {error}")
        else:
            self._me.say(f"theme {name}")

    def _open(self, module: str, name: str) -> None:
        self._me.push_screen(cast("ModalScreen[None]", getattr(importlib.import_module(module), name)()))
