"""Queue: what runs and what waits, and below it what the selected job was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult

from comfytui.tui import actions, job_details
from comfytui.tui.screens.job_view import JobView
from comfytui.tui.widgets.job_table import QUEUE, JobTable, estimates
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import ago, cut, cut_middle, roughly, short_id

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState

NOTHING = "Nothing runs and nothing waits.\na  choose a workflow and run it"


class QueueView(JobView):
    """A table of jobs; details of the selected one."""

    screen_id = "queue"
    BINDINGS = [*actions.bindings("queue")]
    DEFAULT_CSS = """
    QueueView { layout: vertical; }
    QueueView #queue-details { height: 9; }
    .-short QueueView #queue-details { height: 6; }
    .-small-h QueueView #queue-details { display: none; }
    QueueView.-details #queue-details { display: block; height: 1fr; }
    QueueView #queue-details.-none { display: none; }
    .-tall QueueView #queue-details { height: 14; }
    """

    def compose(self) -> ComposeResult:
        table = JobTable(QUEUE, id="queue-table", classes="pane")
        table.say_empty(NOTHING)
        yield table
        yield TextLines(id="queue-details", classes="pane")

    @property
    def job(self) -> Job | None:
        state = self.session.state
        key = self.query_one(JobTable).key if self.is_mounted else None
        return state.jobs.get(key) if state is not None and key is not None else None

    @property
    def marked(self) -> tuple[Job, ...]:
        state, lines = self.session.state, self.query_one(JobTable)
        found = [job for key in lines.keys if key in lines.marked and state and (job := state.jobs.get(key))]
        return tuple(found) or super().marked

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        table = self.query_one(JobTable)
        now = self.dashboard.clock()
        jobs = [job for key in (*new.running, *new.waiting) if (job := new.jobs.get(key)) is not None]
        table.update(jobs, new, now)
        etas = estimates(new, now)
        left = f" · {roughly(max(etas.values()))} left" if etas and jobs else ""
        entitle(table, "Queue", f"{len(new.running)} running · {len(new.waiting)} waiting{left}")
        self._details()

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._details()
        self.refresh_actions()

    @on(LineList.Opened)
    def _opened(self) -> None:
        self.toggle_class("-details")

    def go_back(self) -> bool:
        if self.has_class("-details"):
            self.remove_class("-details")
            return True
        return False

    def forget(self) -> None:
        super().forget()
        self.query_one(JobTable).forget()

    def _details(self) -> None:
        pane, job = self.query_one(TextLines), self.job
        pane.set_class(job is None, "-none")
        if job is None:
            return
        title = cut(f"{self.query_one(JobTable).cursor + 1} · {job_details.title(job)}", 48)
        submitted = f"submitted {ago(job.created, self.dashboard.clock())} · " if job.created else ""
        entitle(pane, title, f"{submitted}prompt {short_id(job.id)}")
        pane.show(job_details.lines(self.dashboard.palette, job))

    def action_move(self, by: int) -> None:
        job, state = self.job, self.session.state
        if job is None or state is None or job.id not in state.waiting:
            return
        to = state.waiting.index(job.id) + by
        if 0 <= to < len(state.waiting):
            self._ask("move", self.connection.move(job.id, to))

    def action_front(self) -> None:
        if (job := self.job) is not None:
            self._ask("move to the front", self.connection.move(job.id, 0))

    def action_save(self) -> None:
        self.action_save_workflow()

    def action_clear(self) -> None:
        self._ask("clear", self._clear())

    async def _clear(self) -> None:
        state = self.session.state
        if state is None or not state.waiting:
            return
        count, others = len(state.waiting), sum(not state.jobs[k].mine for k in state.waiting if k in state.jobs)
        where = cut_middle(self.connection.target.label, 48)
        detail = f"{others} of them are other people's." if others else ""
        if self.dashboard.settings.confirm.clear_queue and not await self.dashboard.confirm(
            f"Take all {count} waiting jobs out of the queue of {where}?", "clear it", "keep them", detail
        ):
            return
        await self.connection.clear_queue()
        self.dashboard.say(f"{count} jobs taken out of the queue")
