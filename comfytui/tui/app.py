"""The dashboard put together: the fixed lines, the screens, and the session behind them."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.containers import Container
from textual.worker import Worker

from comfytui.tui import actions, warming
from comfytui.tui.actions import APP
from comfytui.tui.messages import Messages
from comfytui.tui.program import ProgramActions
from comfytui.tui.session import Session
from comfytui.tui.stage import Stage
from comfytui.tui.telling import Telling
from comfytui.tui.terminal.link import Link
from comfytui.tui.theming import Theming
from comfytui.tui.widgets.footer_line import FooterLine
from comfytui.tui.widgets.running_bar import RunningBar
from comfytui.tui.widgets.status_line import StatusLine
from comfytui.tui.widgets.tabs_line import TabsLine

if TYPE_CHECKING:
    from rich.text import Text
    from textual.app import ComposeResult
    from textual.command import Provider
    from textual.driver import Driver
    from textual.filter import LineFilter

    from comfytui.settings.schema import Settings
    from comfytui.tui.engine_control import EngineControl
    from comfytui.tui.model_fetching import Fetches
    from comfytui.tui.notify import Notifier
    from comfytui.tui.picture_store import PictureStore
    from comfytui.tui.screens.view import ScreenView
    from comfytui.tui.terminal.graphics import Graphics
    from comfytui.tui.theme import Palette


def _actions() -> type[Provider]:
    """Imported when the palette is first opened."""
    from comfytui.tui.palette import ActionProvider

    return ActionProvider


def _driver_class() -> type[Driver] | None:
    """Ours where there are terminals as POSIX knows them; None is Textual's own."""
    if sys.platform == "win32":
        return None
    from comfytui.tui.terminal.driver import PacedDriver

    return PacedDriver


class Dashboard(Telling, ProgramActions, App[int]):
    """Composition only: what is on the screen, which screen is shown, and who is told what is new."""

    TITLE = "comfytui"
    CSS_PATH = "app.tcss"
    BINDINGS = [*actions.bindings(APP)]
    COMMAND_PALETTE_BINDING = "f24"  # ours is in the registry of actions
    COMMANDS = {_actions}  # instead of Textual's own commands, which know other themes and a maximizing of widgets
    # Two panes from 120 columns; the footer goes first, then the borders, then all but the status and the bar.
    HORIZONTAL_BREAKPOINTS = [
        (0, "-tiny-w"),
        (48, "-small-w"),
        (64, "-one"),
        (120, "-two"),
    ]
    VERTICAL_BREAKPOINTS = [
        (0, "-tiny-h"),
        (12, "-small-h"),
        (18, "-short"),
        (34, "-tall"),
    ]

    def __init__(
        self,
        settings: Settings,
        server: str | None = None,
        local: bool = False,
        workflow: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(driver_class=_driver_class())
        self.settings = settings
        self.clock = clock
        self.workflow = workflow  # given on the command line: Workflows opens it first
        self.session = Session(lambda: self.settings, self._news)
        self.session.on_switch = self._switched
        self.link = Link(self)  # how fast the terminal drains; previews ask it
        self.graphics: Graphics | None = None  # pictures of pixels; after the first frame
        self.stage = Stage(self)
        self._pictures: PictureStore | None = None
        self._fetches: Fetches | None = None
        self._engine: EngineControl | None = None
        self.messages = Messages(clock, self.messages_changed, self.set_timer)
        self._server, self._local = server, local
        self._crash: Text | None = None  # what is said after the screen is gone
        self.keys_by_action = actions.keymap(settings.keys)
        self.theming = Theming(self, settings.theme)
        self.set_keymap(self.keys_by_action)
        if not settings.previews:
            self.animation_level = "none"

    @cached_property
    def notifier(self) -> Notifier:
        """Who tells that a job has ended."""
        from comfytui.tui.notify import Notifier

        return Notifier(self)

    @property
    def keymap(self) -> dict[str, str]:
        """The user's own keys by action id."""
        return self.keys_by_action

    @property
    def images(self) -> str:
        """How pictures are drawn, as the settings say."""
        return self.settings.images

    # What is on the screen

    def compose(self) -> ComposeResult:
        yield TabsLine(id="tabs")
        yield Container(id="screens")
        yield RunningBar(id="running-bar")
        yield StatusLine(id="status")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        self._draw_lines()
        # After the first frame: neither the network nor the import of a screen may delay it.
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        from comfytui.tui import keeping

        if self.view is None:  # no key has chosen a screen meanwhile
            await self.action_show(self.current if self._local else keeping.first_screen(self.settings))
        self._ask_for_pixels()
        self.theming.begin()
        self.tell_wrong_keys()
        self.session.watch(self.notifier.heard)
        if self._local:
            self.restart_engine()
        else:
            self.connect()
        if self.workflow is not None:
            self.run_worker(self.action_show("workflows"), name="show workflows")
        warming.begin(self)

    async def on_unmount(self) -> None:
        if self._fetches is not None:
            await self._fetches.close()
        await self.session.detach()

    @property
    def current(self) -> str:
        """The id of the screen that is shown."""
        return self.stage.current

    @property
    def view(self) -> ScreenView | None:
        """The screen that is shown."""
        return self.stage.view

    @property
    def palette(self) -> Palette:
        """The styles of the theme, for widgets that draw their own lines."""
        return self.theming.palette

    @property
    def default_screen(self) -> Any:
        return self.screen_stack[0]

    async def action_show(self, screen_id: str) -> None:
        """Show a screen."""
        with self.batch_update():  # painted once, not after each of these
            if await self.stage.show(screen_id) and (view := self.view) is not None:
                view.on_shown()
                view.draw(self.session.state)
                view.on_session()
                self._draw_lines()

    def on_tabs_line_chosen(self, message: TabsLine.Chosen) -> None:
        self.run_worker(self.action_show(message.screen_id), name="show")

    # News

    def _news(self) -> None:
        """The session changed: draw what is shown. At most once a frame; hidden screens draw when they are shown."""
        if not self.is_running or not self.screen_stack:
            return
        self._draw_lines()
        if (view := self.view) is not None:
            view.draw(self.session.state)
            view.on_session()

    def _switched(self) -> None:
        """Another server is shown: nothing of the one before may stay on any screen."""
        for view in self.stage.views if self.is_running else ():
            view.leave_server()
        if not self._local:
            from comfytui.tui import keeping

            keeping.keep_server(self)

    def _draw_lines(self) -> None:
        state, palette, screen = self.session.state, self.palette, self.default_screen
        starts = self._local and not self.session.engine_stopped
        nothing = "starting the engine" if starts else "no server"
        name = self.session.name if self.session.name in self.settings.servers else ""
        screen.query_one(TabsLine).update(palette, self.current, state, nothing, name, self.session.others)
        self.draw_status()
        screen.query_one(RunningBar).update(palette, state, self.clock())
        self.refresh_footer()
        self._attend()

    def draw_status(self) -> None:
        """The status line: what runs, or for a while what is told."""
        line = self.default_screen.query_one(StatusLine)
        line.tell(self.messages.shown, actions.key_of("app.messages", self.keys_by_action))
        line.update(self.palette, self.session.state, self.clock(), self.session.notice, self.last_error)

    def _attend(self) -> None:
        """Memory and load are asked for often only while they are looked at: on some screens, and while a job runs."""
        view = self.view
        for name, connection in self.session.fleet.connections.items():
            seen = view is not None and (view.shows_servers or (view.shows_stats and name == self.session.name))
            connection.attention = seen or (name == self.session.name and bool(connection.state.running))

    def refresh_footer(self) -> None:
        """Other keys may be allowed now."""
        if not self.is_running or not self.screen_stack:
            return
        view = self.view
        keys = []
        if view is not None:
            now = view.situation()
            keys = [(a, view.name_of(a)) for a in actions.of(view.screen_id) if a.footer and a.allowed(now)]
        keys += [(a, a.name) for a in actions.of(APP) if a.footer]
        shown = [(actions.shown_keys(a, self.keys_by_action)[0], name) for a, name in keys]
        self.default_screen.query_one(FooterLine).update(self.palette, shown)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, or what takes every colour away."""
        return self.theming.filters(super().get_line_filters())

    def on_resize(self) -> None:
        # Here and not when the news comes: until now the old layout may have been drawn on the new screen.
        if self.link.driver is not None:
            self.link.driver.forget_screen()
        self.call_after_refresh(self._draw_lines)

    # Asking for things

    def ask(self, name: str, work: Coroutine[Any, Any, Any], group: str = "actions") -> Worker[Any]:
        """Do something with the server in a named worker; what goes wrong is shown and kept as the last error."""
        return self.run_worker(self._guarded(name, work), name=name, group=group, exclusive=False)

    async def _guarded(self, name: str, work: Awaitable[Any]) -> Any:
        from comfytui.client.errors import ClientError
        from comfytui.settings.schema import SettingsError
        from comfytui.workflow.errors import WorkflowError

        try:
            return await work
        except (ClientError, WorkflowError, SettingsError, OSError) as error:
            self.report(f"{name}: {error}")
            return None

    async def confirm(self, question: str, yes: str, no: str = "no", detail: str = "") -> bool | None:
        """Ask; None if it was left without an answer. Only from a worker."""
        from comfytui.tui.widgets.confirm import Confirm

        return await self.push_screen_wait(Confirm(question, yes, no, detail))

    @property
    def pictures(self) -> PictureStore:
        """The pictures of jobs, fetched when they are wanted."""
        if self._pictures is None:
            from comfytui.tui.picture_store import PictureStore

            self._pictures = PictureStore()
        return self._pictures

    @property
    def fetches(self) -> Fetches:
        """The models that are being fetched for a server on this machine."""
        if self._fetches is None:
            from comfytui.tui.model_fetching import Fetches

            self._fetches = Fetches(self)
        return self._fetches

    def show_node(self, class_type: str) -> None:
        """Show a node class in Nodes."""
        self.run_worker(self._show_node(class_type), name="show node")

    async def _show_node(self, class_type: str) -> None:
        from comfytui.tui.screens.nodes import NodesView

        await self.action_show("nodes")
        if isinstance(view := self.view, NodesView):
            view.reveal(class_type)

    def new_run(self) -> None:
        """Choose a workflow to run."""
        self.run_worker(self.action_show("workflows"), name="show workflows")

    def connect(self) -> None:
        """Connect to the server that the command line or the settings name."""
        self.run_worker(self._connect(), name="connect", group="session", exclusive=True)

    async def _connect(self) -> None:
        from comfytui.tui import keeping

        await self.session.connect(self._server or keeping.last_server(self.settings))
        await self.session.connect_others()

    def restart_engine(self) -> None:
        """Start our own engine, or start it again."""
        if self._engine is None:
            from comfytui.tui.engine_control import EngineControl

            self._engine = EngineControl(self)
            self.run_worker(self._engine.start(), name="start engine", group="engine", exclusive=True)
        else:
            self.run_worker(self._engine.restart(), name="restart engine", group="engine", exclusive=True)

    # The terminal

    def terminal_ready(self, driver: object) -> None:
        """The terminal's driver is about to write its first byte."""
        self.link.attach(driver)

    def post_display_hook(self) -> None:
        """Textual calls it after each drawing."""
        self.link.displayed()
        if self.graphics is not None:
            self.graphics.check()

    def _ask_for_pixels(self) -> None:
        from comfytui.tui.terminal.graphics import Graphics

        self.graphics = Graphics(self, self.link, lambda: self.images)
        self.link.again = self.graphics.lost
        self.graphics.ask()

    def copy(self, text: str, what: str = "") -> None:
        """Copy to the clipboard, as far as one is reached, and to a file; a message says where. `what` names the text."""
        from comfytui.tui.terminal.copying import copy

        self._clipboard = text  # what ctrl+v of Textual's inputs puts in
        self.run_worker(copy(self, text, what), name="copy", group="copy", exclusive=True)

    def copy_to_clipboard(self, text: str) -> None:
        """What Textual's own widgets call for ctrl+c."""
        self.copy(text)

    def _handle_exception(self, error: Exception) -> None:
        """Textual's would show the values of variables, among them tokens; ours names the log instead."""
        from comfytui.tui.terminal import crash

        told = crash.told(error, crash.secrets(self.settings))
        if self._exit and self._crash is None:  # already leaving: what trips over a vanishing screen is only logged
            return
        self._return_code = 1
        if self._exception is None:  # what run_test raises again
            self._exception = error
            self._exception_event.set()
        if self._crash is None:
            self._crash = told
            self.panic(told)

    def exit(self, result: int | None = None, return_code: int = 0, message: Any = None) -> None:
        """Also for signals: the last moment at which the screens are still there."""
        if self.screen_stack:
            from comfytui.tui import keeping

            keeping.keep(self, self.stage.views)
        super().exit(result, return_code, message)

    async def leave(self) -> None:
        """End the program, and our engine as the user has chosen."""
        if self._engine is not None and not await self._engine.leave():
            return
        await self.session.detach()
        self.exit(0)

    def repaint(self) -> None:
        """Draw every shown line again: the colours changed."""
        for view in self.stage.views:
            view.forget()
        self._news()
        self.refresh()


def run(server: str | None, local: bool, settings: Settings, workflow: Path | None) -> int:
    """Run the dashboard until it is left; the exit code. `server` is an address or a name in the settings."""
    from comfytui.tui.terminal.restore import guarded

    app = Dashboard(settings, server, local, workflow)
    with guarded():
        code = app.run(mouse=settings.mouse)
    return code or app.return_code or 0
