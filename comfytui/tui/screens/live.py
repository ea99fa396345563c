"""Live: the job that runs, node by node, with its preview; when nothing runs, the last one and what to do next."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from comfytui.client.errors import Missing
from comfytui.state.model import JobState, Phase
from comfytui.tui import actions, job_details, teaching
from comfytui.tui.screens.job_view import JobView, pictures_of
from comfytui.tui.widgets.node_list import NodeList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.progress_block import ProgressBlock
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.widgets.timeline import Timeline
from comfytui.tui.wording import cut

if TYPE_CHECKING:
    from comfytui.state.model import Job, ServerState

NOTHING = """\
Nothing has run here yet.
n    choose a workflow, change its prompt and seed, run it
4    what nodes this server has
?    all keys"""
PREVIEW_BYTES = 48_000  # a preview at most; one is drawn when the last has reached the terminal
TICK = 1.0  # seconds between drawings of a running time, while something runs and at no other time


class LiveView(JobView):
    """Nodes, progress and timeline on the left; the picture on the right, or above where only one pane fits."""

    screen_id = "live"
    BINDINGS = [*actions.bindings("live")]
    DEFAULT_CSS = """
    LiveView #live-side { width: 46%; }
    LiveView #live-nodes { height: auto; max-height: 60%; min-height: 4; }
    LiveView #live-progress { height: 5; padding: 0; }
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
    LiveView.-full #live-side { display: none; }
    LiveView.-log #live-nodes, LiveView.-log #live-progress, LiveView.-log #live-picture { display: none; }
    LiveView.-log #live-side { width: 1fr; height: 1fr; max-height: 100%; }
    LiveView.-log #live-log { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ticker: Timer | None = None
        self._plan: tuple[Job, Job] | None = None
        self._asked: str | None = None  # the job whose graph was asked for, once

    def compose(self) -> ComposeResult:
        with Vertical(id="live-side"):
            yield TextLines(id="live-message", classes="pane")
            yield NodeList(id="live-nodes", classes="pane")
            yield ProgressBlock(id="live-progress", classes="pane")
            yield Timeline(id="live-log", classes="pane")
        yield Picture("no picture yet", budget=PREVIEW_BYTES, id="live-picture", classes="pane")

    def on_mount(self) -> None:
        self._ticker = self.set_interval(TICK, self._tick, pause=True)
        entitle(self.query_one("#live-log"), "Timeline")

    @property
    def job(self) -> Job | None:
        """The running job, else the one that ended last."""
        state = self.session.state
        if state is None:
            return None
        shown = state.running[:1] or state.history[:1]
        if shown:
            job = state.jobs.get(shown[0])
            return job if job is None or job.nodes else self._planned(job)
        # The history may not be loaded yet; what we saw end is known all the same.
        ended = [job for job in state.jobs.values() if job.ended is not None]
        return max(ended, key=lambda job: job.ended or 0.0, default=None)

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
        job, now = self.job, self.dashboard.clock()
        if (
            new.link.phase is Phase.LIVE
            and (old is None or old.link.phase is not Phase.LIVE)
            and not new.history_loaded
        ):
            self._load_history()
        if job is not None:
            self._load_graph(new, job)
        nodes = self.query_one(NodeList)
        nodes.update(job, now)
        nodes.styles.height = (len(nodes.keys) or NOTHING.count("\n") + 1) + nodes.gutter.height
        self._titles(job)
        self.query_one(ProgressBlock).update(self.dashboard.palette, new, job, now)
        self.query_one(Timeline).update(new.timeline, new.jobs)
        self._picture(new, job)
        self._message(new, job)
        if self._ticker is not None:
            if new.running:
                self._ticker.resume()
            else:
                self._ticker.pause()

    def _titles(self, job: Job | None) -> None:
        nodes, progress = self.query_one(NodeList), self.query_one(ProgressBlock)
        if job is None:
            entitle(nodes, "Live")
            entitle(progress, "Progress")
            nodes.say_empty(NOTHING)
            return
        name = cut(job_details.title(job), 40)
        running = job.state is JobState.RUNNING
        nodes.say_empty("the server has not told the nodes of this job")
        entitle(nodes, name if running else f"last job · {name}", f"{len(job.nodes)} nodes" if job.nodes else "")
        entitle(progress, "Progress" if running else "Last job", "" if running else "n new run")

    def _picture(self, state: ServerState, job: Job | None) -> None:
        pane = self.query_one(Picture)
        preview = state.preview
        if job is None:
            pane.clear("the picture appears here while it is made")
            entitle(pane, "Picture")
        elif job.state is JobState.RUNNING:
            if preview is not None and preview.prompt_id in (job.id, None):
                pane.show(preview.image, ("preview", job.id, preview.serial))
                entitle(pane, "Preview", job_details.title(job))
            elif not _of(pane.key, job):
                pane.clear("no preview yet")
                entitle(pane, "Preview", job_details.title(job))
        else:
            self._result(pane, job)

    def _result(self, pane: Picture, job: Job) -> None:
        """The picture of a job that has ended; while it is fetched, the last preview stays."""
        pictures = pictures_of(job)
        if not pictures:
            pane.clear("failed" if job.state is JobState.FAILED else "this job made no picture")
            entitle(pane, "Picture", job_details.title(job))
            return
        found = self.dashboard.pictures.want(self.connection, pictures[0], self._again_with_picture)
        if isinstance(found, bytes):
            pane.show(found, ("result", pictures[0]))
            entitle(pane, pictures[0].filename, job_details.title(job))
        elif isinstance(found, str):
            pane.clear(found)

    def _again_with_picture(self) -> None:
        if self.shown and (state := self.session.state) is not None:
            self._picture(state, self.job)

    def _message(self, state: ServerState | None, job: Job | None) -> None:
        """What stands in the way, in place of the nodes: no server, an engine that starts or has crashed."""
        lines = self._what_is_wrong(state)
        self.set_class(lines is not None, "-message")
        if lines is None:
            return
        pane = self.query_one("#live-message", TextLines)
        title, *rest = lines
        entitle(pane, title.plain)
        pane.show(rest)

    def _what_is_wrong(self, state: ServerState | None) -> list[Text] | None:
        """A title and lines, or None if all is well."""
        palette, session = self.dashboard.palette, self.session
        if session.engine_message:
            return [
                Text("Engine"),
                *(Text(line, palette.style(role)) for line, role in session.engine_message),
                Text(""),
            ]
        if session.failure:
            return [Text("No server"), Text(session.failure, palette.failed), Text(""), *self._remedies()]
        if state is None:
            return [Text("Server"), Text("connecting …", palette.dim)]
        if state.link.phase is Phase.LIVE or (state.link.phase is Phase.RECONNECTING and state.jobs):
            return None  # what we know stays on the screen while we reconnect; the status line tells
        if state.link.phase is Phase.CONNECTING and not state.link.error:
            return [Text("Server"), Text(f"connecting to {state.link.url} …", palette.dim)]
        what = "Refused" if state.link.phase is Phase.REFUSED else "Not reached"
        return [
            Text(what),
            Text(state.link.error or what, palette.failed),
            Text(state.link.url, palette.dim),
            Text(""),
            *self._remedies(),
        ]

    def _remedies(self) -> list[Text]:
        palette = self.dashboard.palette
        again = Text.assemble((" r", palette.key), (" tries again now.", palette.text))
        return [*(Text(line, palette.text) for line in teaching.CONNECT.split("\n")[:-1]), Text(""), again]

    def on_session(self) -> None:
        if self.session.state is None or self.session.engine_message or self.has_class("-message"):
            self._message(self.session.state, self.job)

    def _tick(self) -> None:
        """Running times go on although nothing happens; nothing is sent if no figure changed."""
        state = self.session.state
        if self.shown and state is not None and self.app.screen is self.screen:
            job, now = self.job, self.dashboard.clock()
            self.query_one(NodeList).update(job, now)
            self.query_one(ProgressBlock).update(self.dashboard.palette, state, job, now)

    def forget(self) -> None:
        super().forget()
        self.query_one(NodeList).forget()
        self.query_one(Timeline).forget()

    def go_back(self) -> bool:
        for name in ("-full", "-log"):
            if self.has_class(name):
                self.remove_class(name)
                return True
        return False

    def name_of(self, action: actions.Action) -> str:
        if action.method == "again" and self.session.engine_stopped:
            return "restart engine"
        if action.method == "again" and not self.situation().live:
            return "reconnect"
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

    def action_full(self) -> None:
        self.remove_class("-log")
        self.toggle_class("-full")

    def action_panes(self) -> None:
        self.remove_class("-full")
        self.toggle_class("-log")


def _of(key: object, job: Job) -> bool:
    """Whether a picture's key is of a job's preview."""
    return isinstance(key, tuple) and key[:2] == ("preview", job.id)
