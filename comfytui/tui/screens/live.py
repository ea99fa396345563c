"""Live: the job that runs, node by node, with its preview; when nothing runs, the last one and what to do next."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from comfytui.client.errors import Missing
from comfytui.state.model import EMPTY, JobState, Phase
from comfytui.tui import actions, first_run, job_details, live_choice, obstacles
from comfytui.tui.screens.job_view import JobView, pictures_of
from comfytui.tui.widgets import told_pane
from comfytui.tui.widgets.failure_pane import FailurePane, report
from comfytui.tui.widgets.node_list import NodeList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.progress_block import ProgressBlock
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.widgets.timeline import Timeline
from comfytui.tui.widgets.told_pane import ToldPane
from comfytui.tui.widgets.vitals import Vitals
from comfytui.tui.wording import cut, plural

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState

NOTHING = """\
Nothing has run here yet.
a    choose a workflow, change it, run it
4    what nodes this server has
?    all keys"""
UNTOLD = "the server has not told the nodes of this job;\n3 shows the history, a runs another one"
NO_PICTURE = {
    JobState.FAILED: "it failed",
    JobState.INTERRUPTED: "it was interrupted; r runs it again",
    JobState.LOST: "the server forgot it; r sends it again",
}
TICK = 1.0  # seconds between drawings of a running time, while something runs and at no other time


class LiveView(JobView):
    """Nodes, progress and timeline on the left; the picture on the right, or above where only one pane fits."""

    screen_id = "live"
    shows_stats = True
    BINDINGS = [*actions.bindings("live")]
    DEFAULT_CSS = """
    LiveView #live-side { width: 46%; }
    LiveView #live-nodes { height: auto; max-height: 60%; min-height: 4; }
    LiveView #live-progress { height: 5; padding: 0; }
    LiveView #live-vitals { padding: 0 1 0 0; }
    LiveView #live-message { display: none; }
    LiveView.-message #live-message { display: block; }
    LiveView.-message #live-nodes, LiveView.-message #live-progress { display: none; }
    .-one LiveView #live-side, .-small-w LiveView #live-side, .-tiny-w LiveView #live-side { width: 1fr; height: auto; max-height: 60%; }
    .-one LiveView #live-log, .-small-w LiveView #live-log { display: none; }
    .-one LiveView #live-nodes, .-small-w LiveView #live-nodes { max-height: 9; }
    .-small-w LiveView #live-progress, .-small-h LiveView #live-progress { height: 3; }
    .-small-h LiveView #live-nodes { max-height: 4; min-height: 1; }
    .-small-h LiveView #live-log { display: none; }
    .-one LiveView.-message #live-side, .-small-w LiveView.-message #live-side { height: 1fr; max-height: 100%; }
    LiveView.-message #live-picture { display: none; }
    LiveView.-message #live-side { width: 1fr; }
    LiveView #live-failure, LiveView #live-told { display: none; }
    LiveView #live-failure, LiveView #live-told, LiveView #live-log { scrollbar-gutter: stable; }
    LiveView.-failed #live-failure, LiveView.-told #live-told { display: block; }
    LiveView.-failed #live-picture, LiveView.-message #live-failure, LiveView.-log #live-failure { display: none; }
    LiveView.-told #live-picture, LiveView.-message #live-told, LiveView.-log #live-told { display: none; }
    LiveView.-full #live-side, LiveView.-full #live-failure, LiveView.-full #live-told { display: none; }
    LiveView.-full #live-picture { display: block; }
    LiveView.-log #live-nodes, LiveView.-log #live-progress, LiveView.-log #live-picture { display: none; }
    LiveView.-log #live-side { width: 1fr; height: 1fr; max-height: 100%; }
    LiveView.-log #live-log { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ticker: Timer | None = None
        self._plan: tuple[Job, Job] | None = None
        self._asked: str | None = None  # the job whose graph was asked for, once
        self._chosen: str | None = None  # the job that the user went to; None follows what runs
        self._frozen: ServerState | None = None  # while paused: what nodes, picture and timeline show
        self._unfolded = False  # the traceback of a failure
        self._greets = False  # nobody has used the program yet

    def compose(self) -> ComposeResult:
        with Vertical(id="live-side"):
            yield TextLines(id="live-message", classes="pane")
            yield NodeList(id="live-nodes", classes="pane")
            yield ProgressBlock(id="live-progress", classes="pane")
            yield Vitals(id="live-vitals", classes="pane")
            yield Timeline(id="live-log", classes="pane")
        yield Picture("no picture yet", id="live-picture", classes="pane")
        yield ToldPane(id="live-told", classes="pane")
        yield FailurePane(id="live-failure", classes="pane")

    def on_mount(self) -> None:
        self._greets = first_run.is_first()
        self._ticker = self.set_interval(TICK, self._tick, pause=True)
        entitle(self.query_one("#live-log"), "Timeline")
        entitle(self.query_one(Vitals), "Machine")

    @property
    def job(self) -> Job | None:
        """The job that is shown: the one that the user went to, else what runs, else what ended last."""
        state = self._frozen or self.session.state
        if state is None:
            return None
        job = state.jobs.get(self._chosen or "") or live_choice.followed(state)
        return job if job is None or job.nodes else self._planned(job)

    def _planned(self, job: Job) -> Job:
        """A job of the history with its nodes; worked out once, for it is asked for with every key."""
        if self._plan is None or self._plan[0] is not job:
            from comfytui.tui.job_nodes import with_nodes

            self._plan = (job, with_nodes(job))
        return self._plan[1]

    def on_shown(self) -> None:
        super().on_shown()
        state = self.session.state
        if state is not None and state.link.phase is Phase.LIVE and not state.history_loaded:
            self._load_history()

    def _load_history(self) -> None:
        self.dashboard.ask("load history", self.connection.load_history(), group="load history")

    def _load_graph(self, state: ServerState, job: Job) -> None:
        """A job that ended before we came: the list of the history may lack its graph."""
        if job.graph or job.ended is None or job.id == self._asked or state.link.phase is not Phase.LIVE:
            return
        self._asked = job.id
        self.dashboard.ask("load job", self._load_job(job.id), group="load history")

    async def _load_job(self, prompt_id: str) -> None:
        with contextlib.suppress(Missing):  # deleted meanwhile, or never finished: the pane says what is not known
            await self.connection.load_job(prompt_id)

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if self._chosen is not None and self._chosen not in new.jobs:
            self._chosen = None  # its server was left, or it was deleted
        if (
            new.link.phase is Phase.LIVE
            and (old is None or old.link.phase is not Phase.LIVE)
            and not new.history_loaded
        ):
            self._load_history()
        if self._frozen is None:
            self._show(new)
        self._figures(new)
        if self._greets and new.jobs:
            self._greets = False
            self.run_worker(asyncio.to_thread(first_run.served), name="greeted", group="waiting")
        self._message(new)
        if self._ticker is not None:
            if new.running:
                self._ticker.resume()
            else:
                self._ticker.pause()

    def _show(self, state: ServerState) -> None:
        """What a pause freezes: nodes, picture or failure, timeline."""
        job = self.job
        if job is not None:
            self._load_graph(state, job)
        nodes = self.query_one(NodeList)
        self._list_nodes(state, job)
        nodes.styles.height = (len(nodes.keys) or NOTHING.count("\n") + 1) + nodes.gutter.height
        self._titles(state, job)
        self.query_one(Timeline).update(state, job)
        self._picture(state, job)

    def _list_nodes(self, state: ServerState, job: Job | None) -> None:
        timing = state.timings.get(job.shape) if job is not None else None
        self.query_one(NodeList).update(
            job,
            self.dashboard.clock(),
            timing.nodes if timing is not None else EMPTY,
            connected=state.link.phase is Phase.LIVE,
        )

    def _figures(self, state: ServerState) -> None:
        """What a pause does not freeze: how far and how fast, and what the machine does."""
        palette, job = self.dashboard.palette, self._counted(state)
        ended = job is not None and job.state not in (JobState.RUNNING, JobState.WAITING, JobState.HELD)
        entitle(self.query_one(ProgressBlock), "Last job" if ended else "Progress", "a adds a job" if ended else "")
        self.query_one(ProgressBlock).update(palette, state, job, self.dashboard.clock(), self._frozen is not None)
        machine = self.query_one(Vitals)
        machine.update(palette, state, job)
        self.set_class(bool(state.running) and machine.tells, "-vitals")  # shown where there is room: app.tcss

    def _counted(self, state: ServerState) -> Job | None:
        """The job whose figures are shown: while paused, as it is now."""
        job = self.job
        return job if job is None or self._frozen is None else state.jobs.get(job.id, job)

    def _titles(self, state: ServerState, job: Job | None) -> None:
        nodes = self.query_one(NodeList)
        if job is None:
            entitle(nodes, "Live")
            nodes.say_empty(NOTHING)
            return
        name = cut(job_details.title(job), 40)
        where = "paused" if self._frozen is not None else live_choice.place(state, job)
        nodes.say_empty(UNTOLD)
        entitle(nodes, f"{where} · {name}" if where else name, _whose_nodes(job))

    def _picture(self, state: ServerState, job: Job | None) -> None:
        pane = self.query_one(Picture)
        preview = state.preview
        failure = job.failure if job is not None else None
        self.set_class(failure is not None, "-failed")
        if job is not None and failure is not None:
            self.query_one(FailurePane).update(job, failure, state.object_info, self._unfolded)
        told = job is not None and told_pane.needed(state, job)
        self.set_class(told, "-told")
        if job is None:
            pane.clear("the picture appears here while it is made")
            entitle(pane, "Picture")
        elif told:
            self.query_one(ToldPane).update(state, job, self.dashboard.clock())
            pane.clear("there is no picture of it yet; f goes back to what is known")
            entitle(pane, "Preview", job_details.title(job))
        elif job.state is JobState.RUNNING:
            if preview is not None and preview.prompt_id in (job.id, None):
                pane.show(preview.image, ("preview", job.id, preview.serial), moving=True)
                live = state.link.phase is Phase.LIVE
                entitle(pane, "Preview" if live else "Last preview", job_details.title(job))
            elif not _of(pane.key, job):
                pane.clear("no preview yet")
                entitle(pane, "Preview", job_details.title(job))
        else:
            self._result(pane, job)

    def _result(self, pane: Picture, job: Job) -> None:
        """The picture of a job that has ended; while it is fetched, the last preview stays."""
        pictures = pictures_of(job)
        if not pictures:
            pane.clear(NO_PICTURE.get(job.state, "this job made no picture; 3 shows its files"))
            entitle(pane, "Picture", job_details.title(job))
            return
        found = self.dashboard.pictures.want(self.connection, pictures[0], self._again_with_picture)
        if isinstance(found, bytes):
            pane.show(found, ("result", pictures[0]))
            entitle(pane, pictures[0].filename, job_details.title(job))
        elif isinstance(found, str):
            pane.clear(found)

    def _again_with_picture(self) -> None:
        if self.shown and (state := self._frozen or self.session.state) is not None:
            self._picture(state, self.job)

    def _message(self, state: ServerState | None) -> None:
        """What stands in the way, in place of the nodes: no server, an engine that starts or has crashed."""
        lines = obstacles.what_is_wrong(
            self.dashboard.palette, self.session, state, self.dashboard.keymap, self._greets
        )
        self.set_class(lines is not None, "-message")
        if lines is None:
            return
        pane = self.query_one("#live-message", TextLines)
        title, *rest = lines
        entitle(pane, title.plain)
        pane.show(rest)

    def on_session(self) -> None:
        if self.session.state is None or self.session.engine_message or self.has_class("-message"):
            self._message(self.session.state)

    def _tick(self) -> None:
        """Running times go on although nothing happens; nothing is sent if no figure changed."""
        state = self.session.state
        if self.shown and state is not None and self.app.screen is self.screen:
            now = self.dashboard.clock()
            if self._frozen is None:
                self._list_nodes(state, self.job)
            self.query_one(ProgressBlock).update(
                self.dashboard.palette, state, self._counted(state), now, self._frozen is not None
            )

    def forget(self) -> None:
        super().forget()
        self.query_one(NodeList).forget()
        self.query_one(Timeline).forget()
        self.query_one(FailurePane).forget()
        self.query_one(ToldPane).forget()

    def leave_server(self) -> None:
        self._chosen = self._frozen = self._plan = self._asked = None
        self._unfolded = False
        self.remove_class("-failed", "-told", "-vitals")
        super().leave_server()
        self.query_one(NodeList).update(None, self.dashboard.clock())
        self.query_one(Timeline).show([])

    def go_back(self) -> bool:
        """From the full picture and the log, then from a pause, then from a chosen job to what runs."""
        for name in ("-full", "-log"):
            if self.has_class(name):
                self.remove_class(name)
                return True
        if self._frozen is not None:
            self.action_pause()
            return True
        if self._chosen is not None:
            self._go_to(None)
            return True
        return False

    def situation(self) -> actions.Situation:
        return dataclasses.replace(super().situation(), paused=self._frozen is not None)

    def name_of(self, action: actions.Action) -> str:
        if action.method == "again" and self.session.engine_stopped:
            return "restart engine"
        if action.method == "again" and not self.situation().live:
            return "reconnect"
        if action.method == "pause" and self._frozen is not None:
            return "go on"
        return super().name_of(action)

    def action_again(self) -> None:
        """Whatever `r` means now: restart the engine, reconnect, or run the job again."""
        if self.session.engine_stopped:
            self.dashboard.restart_engine()
        elif not self.situation().live:
            self.dashboard.action_reconnect()
        else:
            super().action_again()

    def action_save(self) -> None:
        self.save_pictures()

    def action_step(self, by: int) -> None:
        """Show another job; a pause ends, for it was of the one before."""
        state, job = self.session.state, self.job
        if state is None:
            return
        other = live_choice.step(state, None if job is None else job.id, by)
        if other is None:
            self.dashboard.say("There is no other job: nothing waits.")
        else:
            self._go_to(other)

    def _go_to(self, job_id: str | None) -> None:
        """Show a job of the queue; None, or the one that runs, follows what runs from now on."""
        state = self.session.state
        self._frozen, self._unfolded = None, False
        running = state is not None and job_id in state.running
        self._chosen = None if running else job_id
        self._again_from_start()

    def action_pause(self) -> None:
        """Hold the picture still; figures go on. The second time, go on with what is now."""
        self._frozen = self.session.state if self._frozen is None else None
        self._again_from_start()

    def _again_from_start(self) -> None:
        state = self.session.state
        if state is None:
            return
        if self._frozen is not None:
            self._titles(state, self.job)
            self._figures(state)
        else:
            self.on_state(state, state)
        self.refresh_actions()

    def action_traceback(self) -> None:
        self._unfolded = not self._unfolded
        if (state := self._frozen or self.session.state) is not None:
            self._picture(state, self.job)

    def action_copy(self) -> None:
        """The error as text, for a bug report or a search."""
        job = self.job
        if job is not None and job.failure is not None:
            self.dashboard.copy(report(job, job.failure), "the error")

    def action_catalog(self) -> None:
        """The node that failed, as the server declares it."""
        job = self.job
        if job is not None and job.failure is not None and job.failure.node_type:
            self.dashboard.show_node(job.failure.node_type)

    def action_full(self) -> None:
        self.remove_class("-log")
        self.toggle_class("-full")

    def action_panes(self) -> None:
        self.remove_class("-full")
        self.toggle_class("-log")


def _whose_nodes(job: Job) -> str:
    """For a border: whose job it is, and of how many nodes."""
    parts = [told_pane.WHOSE[job.origin], plural(len(job.nodes), "node") if job.nodes else ""]
    return " · ".join(part for part in parts if part)


def _of(key: object, job: Job) -> bool:
    """Whether a picture's key is of a job's preview."""
    return isinstance(key, tuple) and key[:2] == ("preview", job.id)
