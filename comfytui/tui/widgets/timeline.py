"""What happened to a job, and meanwhile to the connection, in words: newest last, with how long each thing took."""

from __future__ import annotations

from rich.text import Text

from comfytui.state import timeline
from comfytui.state.model import Job, ServerState, TimelineEntry
from comfytui.tui.job_details import title
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import clock, cut, duration, one_line, time_of_day, took

ROLES = {
    "failed": "failed",
    "error": "failed",
    "done": "done",
    "interrupted": "warning",
    "lost": "lost",
    "gap": "warning",
    "dropped": "warning",
    "blocked": "warning",
    "connected": "accent",
    "cached": "cached",
}
OF_THE_SERVER = ("connected", "dropped", "gap", "version", "garbage")  # shown between a job's own
NAME = 40  # cells of a job's name; one without a name is called by its prompt, which may be long


class Timeline(TextLines):
    """One line an event; it follows the newest."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, tail=True)
        self._drawn: tuple[object, ...] = ()

    def update(self, state: ServerState, job: Job | None) -> None:
        """Show a job's own timeline; without a job, the server's. A name that was not known then is put in when it is."""
        known = (job, state.timeline, state.gap, None if job is not None else _names(state))
        if known == self._drawn:
            return
        self._drawn = known
        jobs = state.jobs if job is None else {job.id: job}
        self.show([self._line(entry, jobs.get(entry.prompt_id or "")) for entry in entries(state, job)])

    def _line(self, entry: TimelineEntry, job: Job | None) -> Text:
        palette = self.palette
        node = entry.kind in ("node", "error") and entry.node_id is not None
        lasted = "…" if entry.until is None else took(max(0.0, entry.until - entry.at))
        text = Text.assemble(
            (f"{time_of_day(entry.at)}  ", palette.dim),
            (f"{lasted:>5}  " if node else "", palette.dim),
            (words(entry, job), palette.style(ROLES.get(entry.kind, "text"))),
            no_wrap=entry.kind != "gap",  # what is not known is said in full
            overflow="ellipsis",
        )
        return text

    def forget(self) -> None:
        """Draw all of it anew: the colours changed."""
        self._drawn = ()


def _names(state: ServerState) -> tuple[object, ...]:
    """What the lines of the server's timeline say of jobs."""
    told = (state.jobs.get(entry.prompt_id or "") for entry in state.timeline)
    return tuple(() if job is None else (job.facts, len(job.nodes), job.ended) for job in told)


def entries(state: ServerState, job: Job | None) -> tuple[TimelineEntry, ...]:
    """What is told of a job, with what befell the connection since it was queued, in order."""
    if job is None:
        return _with_open_gap(state, state.timeline)
    own = timeline.of_job(job)
    since = min((entry.at for entry in own), default=None)
    gaps = {(entry.at, entry.until) for entry in own if entry.kind == "gap"}
    around = [
        entry
        for entry in state.timeline
        if entry.kind in OF_THE_SERVER
        and since is not None
        and (entry.until or entry.at) >= since
        # both the server's and the job's timeline tell of a gap; one that began before the job is of the server alone
        and (entry.at, entry.until) not in gaps
    ]
    # `queued` is the server's clock where the rest is ours: it is first, whatever the two make of it
    told = sorted((*own, *around), key=lambda entry: (entry.kind != "queued", entry.at))
    return _with_open_gap(state, tuple(told))


def _with_open_gap(state: ServerState, told: tuple[TimelineEntry, ...]) -> tuple[TimelineEntry, ...]:
    return told if state.gap is None else (*told, TimelineEntry(state.gap.since, "gap", ""))


def words(entry: TimelineEntry, job: Job | None) -> str:
    """An event as a sentence; `job` is what is known by now of the job that it is about."""
    said = one_line(entry.text)
    if entry.kind == "gap":
        return gap_words(entry)
    if job is None:
        return f"{entry.kind} {said}" if entry.prompt_id and entry.kind != "node" else said
    name = cut(title(job), NAME)
    match entry.kind:
        case "queued":
            return f"queued {name}"
        case "started":
            return f"started {name}"
        case "cached":
            return f"≡ cached {said}"
        case "node":
            return _node(entry, said, job)
        case "error":
            return f"✗ {_node(entry, said, job)}"
        case "done":
            return f"done in {clock(job.seconds)}" if job.seconds is not None else f"done {name}"
        case "failed" if job.failure is not None:
            return f"failed: {one_line(job.failure.message)}"
        case "failed" | "interrupted" | "lost":
            return f"{entry.kind} {name}"
        case "blocked":
            return f"a branch was stopped on purpose: {said}"
        case _:
            return said


def gap_words(entry: TimelineEntry) -> str:
    """`not connected 12:01 to 12:03, 2 min of which nothing is known`; to the second where it was short."""
    if entry.until is None:
        return f"not connected since {time_of_day(entry.at)}: nothing is known from then on"
    passed = max(0.0, entry.until - entry.at)
    cells = 5 if passed >= 120 else 8
    begun, ended = time_of_day(entry.at)[:cells], time_of_day(entry.until)[:cells]
    return f"not connected {begun}–{ended}, {duration(passed)} of which nothing is known"


def _node(entry: TimelineEntry, said: str, job: Job) -> str:
    """Its title, and its class where that is another word; events told before the graph came have only its id."""
    node = next((n for n in job.nodes if n.id == entry.node_id), None)
    node = node or next((n for n in job.nodes if said in (n.title, n.id)), None)
    if node is None:
        return f"node {said}"
    kind = one_line(node.class_type)
    name = one_line(node.title) or kind
    return name if not kind or name == kind else f"{name} · {kind}"
