"""Logs: what the server prints, line by line as it does, or what our own engine printed before it could tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from comfytui.client.messages import LogPiece
from comfytui.state import log_filter
from comfytui.state.filters import BadFilter
from comfytui.state.log_levels import Level
from comfytui.state.logs import Line, Log
from comfytui.state.server_log import Told
from comfytui.tui import actions
from comfytui.tui.actions import Action, Situation
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.log_lines import LogLines
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut, plural

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState

SOON = 0.1  # seconds from a new line until it is drawn, with those that come meanwhile
FLOOD = 0.4  # … when more come than anybody can read: the link has better uses
CLEAN = re.compile(r"[^\w.-]+")
LATE = """\
{problem}

 {reload}  asks again
 {ping}   Servers: how long this one takes to answer"""
NO_LOG = """\
{problem}

This server does not show its log: it is too old for it, or a proxy in front of it keeps /internal to itself.

 at the server    read it in the terminal, tmux pane or journal where ComfyUI runs
 to keep it       python main.py … 2>&1 | tee comfyui.log
 a proxy          has to pass /internal/logs
 {reload}               asks again"""


class LogsView(ScreenView):
    """One log at a time. It is followed only while this screen is shown."""

    screen_id = "logs"
    BINDINGS = [*actions.bindings("logs")]
    DEFAULT_CSS = """
    LogsView #logs-pane { height: 1fr; width: 1fr; }
    LogsView #logs-filter, LogsView #logs-problem { display: none; }
    LogsView #logs-problem { color: $role-failed; padding: 0 1; height: 1; }
    LogsView.-filter #logs-filter { display: block; }
    LogsView.-filter #logs-problem.-said { display: block; }
    LogsView LogLines { scrollbar-size: 1 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed: Connection | None = None
        self._stop: Callable[[], None] | None = None
        self._soon: Timer | None = None
        self._filter = log_filter.parse("")
        self._engine = Log()  # what our own engine printed
        self._engine_lines: tuple[str, ...] = ()
        self._chosen: bool | None = None  # the user wants our engine's log, or not; None: whichever there is
        self._end = self._came = 0  # the newest line's number at the last drawing, and how many it brought
        self._lines = LogLines(id="logs-lines")

    def compose(self) -> ComposeResult:
        with Vertical(id="logs-pane", classes="pane"):
            wanted = Input(placeholder=log_filter.HINT, id="logs-filter", select_on_focus=False)
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield Static("", id="logs-problem", markup=False)
            yield self._lines

    # Shown or not: only what is looked at is asked for

    def on_shown(self) -> None:
        if not self.has_focus_within:
            self._lines.focus(scroll_visible=False)
        self._attend()

    def on_show(self) -> None:
        self._attend()

    def on_hide(self) -> None:
        self._leave()

    def on_unmount(self) -> None:
        self._leave()

    def on_session(self) -> None:
        self._attend()
        self._read_engine()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if old is None or old.link is not new.link:
            self._show()

    def _attend(self) -> None:
        """Follow the log of the server that is shown, and no other."""
        connection = self.session.connection if self.shown else None
        if connection is self._followed:
            return
        self._leave()
        self._followed = connection
        if connection is not None:
            self._stop = connection.log.follow(self._news)
        self._show()

    def _leave(self) -> None:
        if self._stop is not None:
            self._stop()
        self._stop = self._followed = None
        if self._soon is not None:
            self._soon.stop()
            self._soon = None

    def _news(self) -> None:
        """Something was written, maybe the thousandth line of this second: it is drawn with the others, soon."""
        if self._soon is None:
            self._soon = self.set_timer(FLOOD if self._flooded else SOON, self._drawn_now)

    @property
    def _flooded(self) -> bool:
        """More lines came with the last drawing than there is room for."""
        return self._lines.following and self._came > self._lines.size.height

    def _drawn_now(self) -> None:
        self._soon = None
        if self.shown:
            self._show()

    # What is shown

    @property
    def _of_engine(self) -> bool:
        """Whether our own engine's log is shown: when asked for, or when there is no server to ask."""
        if self._chosen is not None:
            return self._chosen and bool(self._engine_lines)
        return bool(self._engine_lines) and not super().situation().live

    @property
    def log_shown(self) -> Log:
        if self._of_engine or self._followed is None:
            return self._engine
        return self._followed.log.log

    def _read_engine(self) -> None:
        """Take over what our engine has printed since."""
        new, old = self.session.engine_log, self._engine_lines
        if new is old:
            return
        shift = next((n for n in range(len(old)) if old[n:] == new[: len(old) - n]), len(old))
        self._engine_lines = new
        self._engine.feed(LogPiece(f"{line}\n") for line in new[len(old) - shift :])
        if self._of_engine:
            self._show()

    def _show(self) -> None:
        log = self.log_shown
        self._came, self._end = log.end - self._end, log.end
        self._lines.say_empty(self._nothing())
        self._lines.update(log, self._filter)
        self._entitle()

    def _entitle(self) -> None:
        log, lines = self.log_shown, self._lines
        of = f"{plural(lines.log_lines.lines, 'line')}"
        if not self._filter.empty:
            of = f"{lines.log_lines.lines:,} of {len(log):,}"
        told = [of, *([plural(log.errors, "error")] if log.errors else [])]
        told += [plural(log.warnings, "warning")] if log.warnings else []
        if not self._of_engine and self._followed is not None and self._followed.log.told is Told.ASKED:
            told.append("asked every 5 s")
        if lines.following:
            told.append("following")
        elif count := lines.new_below:
            told.append(f"{count:,} new below")
        entitle(
            self.query_one("#logs-pane"), "Our engine's log" if self._of_engine else "Server's log", " · ".join(told)
        )

    def _nothing(self) -> str:
        if not self._of_engine and self._followed is not None and self._followed.log.told is Told.NOTHING:
            log, keymap = self._followed.log, self.dashboard.keymap
            keys = {"reload": actions.key_of("logs.reload", keymap), "ping": actions.key_of("app.servers", keymap)}
            return (NO_LOG if log.missing else LATE).format(problem=log.problem, **keys)
        if missing := self.without_server("log"):
            return missing
        if len(self.log_shown):
            return f"No line matches {self.query_one(Input).value.strip()!r}.\nesc  clears the filter"
        if self._followed is not None and self._followed.log.told in (Told.LIVE, Told.ASKED):
            return "The server has printed nothing yet. What it prints appears here at once."
        return "Asking the server for its log …"

    def forget(self) -> None:
        super().forget()
        self._lines.forget()

    @on(LineList.Moved, "#logs-lines")
    def _moved(self) -> None:
        self._entitle()
        self.refresh_actions()

    @on(LineList.Opened, "#logs-lines")
    def _opened(self) -> None:
        """All of a line, or of the traceback that it is in."""
        from comfytui.tui.widgets.text_dialog import TextDialog

        if (line := self._lines.line) is not None:
            title = line.stamp.replace("T", " ")[:23] or "line"
            self.app.push_screen(TextDialog(title, _text(self.log_shown.block(line))))

    # The filter

    @on(Input.Changed, "#logs-filter")
    def _typed(self, message: Input.Changed) -> None:
        problem = self.query_one("#logs-problem", Static)
        try:
            self._filter = log_filter.parse(message.value)
        except BadFilter as error:
            problem.update(str(error))
            problem.add_class("-said")
            return
        problem.remove_class("-said")
        self._show()

    @on(Input.Submitted, "#logs-filter")
    def _entered(self) -> None:
        self._lines.focus()

    def action_filter(self) -> None:
        self.add_class("-filter")
        self.call_after_refresh(self.query_one(Input).focus)

    def go_back(self) -> bool:
        if not self.has_class("-filter"):
            return False
        self.remove_class("-filter")
        self.query_one(Input).value = ""
        self._lines.focus()
        return True

    # Actions

    def situation(self) -> Situation:
        return Situation(self.session.state, selected=self.is_mounted and self._lines.line is not None)

    def name_of(self, action: Action) -> str:
        if action.id == "logs.follow" and self._lines.following:
            return "stop following"
        if action.id == "logs.wrap" and self._lines.wraps:
            return "do not wrap"
        return action.name

    def action_follow(self) -> None:
        self._lines.follow(not self._lines.following)
        self._entitle()
        self.refresh_actions()

    def action_wrap(self) -> None:
        self._lines.wrap(not self._lines.wraps)
        self.refresh_actions()

    def action_error(self, by: int) -> None:
        """The next error, or the one before; a traceback counts once."""
        here, log = self._lines.line, self.log_shown
        if here is None:
            return
        found = [
            line.number
            for line in self._lines.listed()
            if line.level is Level.ERROR and (line.block == line.number or line.block < log.first)
        ]
        wanted = [n for n in found if n > here.number] if by > 0 else [n for n in found if n < here.block]
        if wanted:
            self._lines.go_to(wanted[0] if by > 0 else wanted[-1])
        else:
            self.dashboard.say("no error after this line" if by > 0 else "no error before this line")

    def action_copy(self) -> None:
        if (line := self._lines.line) is not None:
            lines = self.log_shown.block(line)
            self.dashboard.copy(_text(lines), "the traceback" if len(lines) > 1 else "the line")

    def action_copy_shown(self) -> None:
        lines = self._lines.shown()
        self.dashboard.copy(_text(lines), plural(len(lines), "line"))

    def action_save(self) -> None:
        self.dashboard.ask("save the log", self._save(self._lines.listed()))

    async def _save(self, lines: Sequence[Line]) -> None:
        from comfytui.client import downloads

        state = self.session.state
        server = "engine" if self._of_engine or state is None else state.link.url.partition("://")[2]
        stamp = CLEAN.sub("-", (lines[-1].stamp or "now")[:19])
        name = f"log-{CLEAN.sub('-', cut(server, 60)).strip('-')}-{stamp}.txt"
        folder = self.dashboard.settings.output_dir
        text = "".join(f"{line.stamp + '  ' if line.stamp else ''}{line.text}\n" for line in lines)

        def write() -> Path:
            return downloads.save(Path(folder).expanduser(), name, text.encode(errors="replace"))

        path = await asyncio.to_thread(write)
        self.dashboard.say(f"{plural(len(lines), 'line')} saved to {path}")

    def action_source(self) -> None:
        if not self._engine_lines:
            self.dashboard.say("No engine of ours runs here: comfytui --local starts one.")
            return
        self._chosen = not self._of_engine
        self._show()

    def action_reload(self) -> None:
        if self._followed is not None:
            self._followed.log.again()


def _text(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)
