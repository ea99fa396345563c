"""Queue: what is lost, runs, waits and is held, and below it what the selected job was asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from comfytui.state import filters, times
from comfytui.state.model import JobState
from comfytui.tui import actions, job_details, queue_details, queue_order
from comfytui.tui.screens import queue_changes
from comfytui.tui.screens.job_view import JobView
from comfytui.tui.widgets.job_table import QUEUE, JobTable
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import ago, cut, roughly, short_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfytui.state.model import Job, ServerState
    from comfytui.state.times import Start
    from comfytui.tui.actions import Action, Situation

FRESH = 0.01  # seconds for each job that waits, and 1 at least, for which estimated starts hold: a thousand cost 50 ms


class QueueView(JobView):
    """A table of jobs; details of the selected one."""

    screen_id = "queue"
    BINDINGS = [*actions.bindings("queue")]
    SCOPED_CSS = False  # the terminal's size is told by classes of the screen above
    DEFAULT_CSS = """
    QueueView { layout: vertical; }
    QueueView #queue-table.-paused { border-title-color: $role-warning; }
    QueueView #queue-details { height: 9; }
    .-tall QueueView #queue-details { height: 16; }
    .-small-h QueueView #queue-details { display: none; }
    QueueView.-details #queue-details { display: block; height: 1fr; }
    .-small-h QueueView.-details #queue-details { display: block; }
    .-small-h QueueView.-details #queue-table { display: none; }
    QueueView #queue-details.-none { display: none; }
    QueueView #queue-filter { display: none; }
    QueueView.-filter #queue-filter { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts: Mapping[str, Start] = {}
        self._starts_of: tuple[object, ...] = ()
        self._starts_at = 0.0
        self._filter = filters.Filter("")
        self._problem = ""  # what is wrong with what is typed into the filter; the one before holds until it is right

    def compose(self) -> ComposeResult:
        wanted = Input(placeholder="words, model:flux status:held seed:42 …", id="queue-filter", select_on_focus=False)
        wanted.cursor_blink = False
        yield wanted
        yield JobTable(QUEUE, id="queue-table", classes="pane")
        yield TextLines(id="queue-details", classes="pane")

    def on_shown(self) -> None:
        if not self.has_focus_within:  # the field of the filter comes first, and is hidden
            self.query_one(JobTable).focus(scroll_visible=False)

    # What is selected

    @property
    def job(self) -> Job | None:
        state = self.session.state
        key = self.query_one(JobTable).key if self.is_mounted else None
        return state.jobs.get(key) if state is not None and key is not None else None

    @property
    def _marked(self) -> tuple[Job, ...]:
        """The marked jobs in their order, none if none is marked."""
        state = self.session.state
        if state is None or not self.is_mounted:
            return ()
        lines = self.query_one(JobTable)
        return tuple(job for key in lines.keys if key in lines.marked and (job := state.jobs.get(key)))

    @property
    def marked(self) -> tuple[Job, ...]:
        return self._marked or super().marked

    def situation(self) -> Situation:
        return dataclasses.replace(super().situation(), marked=self._marked)

    def name_of(self, action: Action) -> str:
        state = self.session.state
        if action.id == "queue.hold" and queue_changes.all_held(self.marked):
            return "release"
        if action.id == "queue.pause" and state is not None and state.paused:
            return "go on"
        if action.id == "queue.cancel" and self.marked and all(job.state is JobState.LOST for job in self.marked):
            return "forget"
        return action.name

    # What is shown

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        table, now = self.query_one(JobTable), self.dashboard.clock()
        jobs = [
            job
            for job in queue_order.listed(new).jobs
            if self._filter.matches(job, new.marks.get(job.id, filters.NO_MARK))
        ]
        table.update(jobs, new, now, self._starting(new, now))
        table.say_empty(self._nothing(new))
        self._entitle()
        self._details()

    def _nothing(self, state: ServerState) -> str:
        """What is said where there are no jobs; of a server that is not there nothing is known."""
        if away := self.without_server("queue"):
            return away
        if self._filter.tests:
            return f"No job of the queue matches {self._filter.text!r}.\n{self._key('app.back')}  shows all of them"
        held = f"\nWhat is submitted is held here. {self._key('queue.pause')}  lets it run" if state.paused else ""
        return f"Nothing runs and nothing waits.\n{self._key('queue.new')}  choose a workflow and run it{held}"

    def _starting(self, state: ServerState, now: float) -> Mapping[str, Start]:
        """When what waits should begin."""
        known = (state.running, state.waiting, state.timings, state.history)
        same = len(self._starts_of) == len(known) and all(a is b for a, b in zip(known, self._starts_of, strict=True))
        if not same or not 0 <= now - self._starts_at < max(1.0, FRESH * len(state.waiting)):
            self._starts, self._starts_of, self._starts_at = times.starts(state, now), known, now
        return self._starts

    def _entitle(self) -> None:
        state, table = self.session.state, self.query_one(JobTable)
        if state is None:
            return
        now = self.dashboard.clock()
        end = queue_order.end(state, self._starting(state, now), now)
        left = f" · {roughly(end)} left" if end is not None else ""
        marked = f"{len(table.marked)} marked · " if table.marked else ""
        table.set_class(state.paused, "-paused")
        shown = f"{len(table.keys)} match · " if self._filter.tests else ""
        title = "Queue · paused" if state.paused else "Queue"
        entitle(table, self._problem or title, f"{shown}{marked}{queue_order.count(state)}{left}")

    def _details(self) -> None:
        pane, job, state = self.query_one(TextLines), self.job, self.session.state
        pane.set_class(job is None, "-none")
        if job is None or state is None:
            return
        place, now = queue_order.place(state, job), self.dashboard.clock()
        title = cut(f"{place} · {job_details.title(job)}" if place else job_details.title(job), 48)
        submitted = f"submitted {ago(job.created, now)} · " if job.created else ""
        entitle(pane, title, f"{submitted}prompt {short_id(job.id)}")
        starts = self._starting(state, now)
        pane.show(queue_details.lines(self.dashboard.palette, state, job, starts, now, self._key))

    def _key(self, action_id: str) -> str:
        return actions.key_of(action_id, self.dashboard.keymap)

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._details()
        self.refresh_actions()

    @on(LineList.Marked)
    def _other_marks(self) -> None:
        self._entitle()
        self.refresh_actions()

    @on(LineList.Opened)
    def _opened(self) -> None:
        self.toggle_class("-details")
        if self.has_class("-details") and not self.query_one(JobTable).display:
            self.query_one(TextLines).focus()

    def go_back(self) -> bool:
        table = self.query_one(JobTable)
        if table.clear_marks():
            return True
        if self.has_class("-details"):
            self.remove_class("-details")
            table.focus()
            return True
        if self.has_class("-filter"):
            self.query_one(Input).value = ""
            self.remove_class("-filter")
            table.focus()
            return True
        return False

    # The filter

    def action_filter(self) -> None:
        self.add_class("-filter")
        self.query_one(Input).focus()

    @on(Input.Changed, "#queue-filter")
    def _typed(self, message: Input.Changed) -> None:
        try:
            self._filter, self._problem = filters.parse(message.value), ""
        except filters.BadFilter as error:
            self._problem = str(error)
        if (state := self.session.state) is not None:
            self.on_state(None, state)

    @on(Input.Submitted, "#queue-filter")
    def _typed_all(self) -> None:
        self.set_class(bool(self.query_one(Input).value.strip()), "-filter")
        self.query_one(JobTable).focus()

    def on_session(self) -> None:
        if self.session.state is None:
            self.query_one(JobTable).say_empty(self.without_server("queue"))

    def leave_server(self) -> None:
        super().leave_server()
        table = self.query_one(JobTable)
        table.show((), lambda key, width: Text())
        entitle(table, "Queue")
        self.query_one(TextLines).show([])

    def forget(self) -> None:
        super().forget()
        self.query_one(JobTable).forget()

    # What is done

    def _change(self, name: str, change: queue_changes.Change, jobs: tuple[Job, ...]) -> None:
        """Do something with jobs in a worker; the marks have served when it is done."""
        if jobs:
            self._ask(name, self._changing(change, jobs))

    async def _changing(self, change: queue_changes.Change, jobs: tuple[Job, ...]) -> None:
        if await change(self, jobs) and self.is_mounted:
            self.query_one(JobTable).clear_marks()

    def action_move(self, by: int) -> None:
        job, state = self.job, self.session.state
        if job is None or state is None:
            return
        order = state.held if job.id in state.held else state.waiting
        if job.id in order and 0 <= (to := order.index(job.id) + by) < len(order):
            self._ask("move", self.connection.move(job.id, to))

    def action_front(self) -> None:
        self._change("move to the front", queue_changes.to_front, self.marked)

    def action_cancel(self) -> None:
        lost = self.job is not None and self.job.state is JobState.LOST
        if self._marked or lost:
            self._change("cancel", queue_changes.cancel, self.marked)
        else:
            super().action_cancel()

    def action_duplicate(self) -> None:
        self._change("duplicate", queue_changes.duplicate, self.marked)

    def action_hold(self) -> None:
        self._change("hold", queue_changes.hold_or_release, self.marked)

    def action_pause(self) -> None:
        self._ask("pause", queue_changes.pause_or_go_on(self))

    def action_again(self) -> None:
        self._change("run again", queue_changes.again, self.marked)

    def action_other_seed(self) -> None:
        self._change("other seed", queue_changes.other_seed, self.marked)

    def action_send_again(self) -> None:
        state = self.session.state
        if state is not None:
            lost = tuple(job for job in self._marked if job.state is JobState.LOST)
            self._change("send again", queue_changes.send_again, lost or queue_order.listed(state).lost)

    def action_save(self) -> None:
        self._change("save workflow", queue_changes.save, self.marked)

    def action_clear(self) -> None:
        self._ask("clear", queue_changes.clear(self))
