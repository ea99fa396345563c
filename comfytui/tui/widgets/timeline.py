"""What happened on the server in words, newest last."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from comfytui.state.model import Job, TimelineEntry
from comfytui.tui.job_details import title
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import clock, cut, one_line, time_of_day

ROLES = {"failed": "failed", "done": "done", "interrupted": "warning", "gap": "warning", "connected": "accent"}
NAME = 40  # cells of a job's name; one without a name is called by its prompt, which may be long


class Timeline(TextLines):
    """One line an event; it follows the newest."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, tail=True)
        self._entries: tuple[TimelineEntry, ...] = ()
        self._known: list[tuple[object, ...]] = []

    def update(self, entries: tuple[TimelineEntry, ...], jobs: Mapping[str, Job]) -> None:
        """Show these events. A name that was not known when it happened is put in when it is."""
        told = [jobs.get(entry.prompt_id or "") for entry in entries]
        known: list[tuple[object, ...]] = [
            () if job is None else (job.facts, len(job.nodes), job.ended) for job in told
        ]
        if entries == self._entries and known == self._known:
            return
        self._entries, self._known = entries, known
        palette = self.palette
        self.show(
            [
                Text.assemble(
                    (f"{time_of_day(entry.at)}  ", palette.dim),
                    (words(entry, job), palette.style(ROLES.get(entry.kind, "text"))),
                    no_wrap=True,
                    overflow="ellipsis",
                )
                for entry, job in zip(entries, told, strict=True)
            ]
        )

    def forget(self) -> None:
        """Draw all of it anew: the colours changed."""
        self._known = []


def words(entry: TimelineEntry, job: Job | None) -> str:
    """An event as a sentence; `job` is what is known by now of the job that it is about."""
    said = one_line(entry.text)
    if job is None:
        return f"{entry.kind} {said}" if entry.prompt_id and entry.kind != "node" else said
    name = cut(title(job), NAME)
    match entry.kind:
        case "started":
            return f"started {name}"
        case "node":
            return f"  {_node(said, job)}"
        case "done":
            return f"done in {clock(job.seconds)}" if job.seconds is not None else f"done {name}"
        case "failed" if job.failure is not None:
            return f"failed: {one_line(job.failure.message)}"
        case "failed" | "interrupted" | "lost":
            return f"{entry.kind} {name}"
        case _:
            return said


def _node(said: str, job: Job) -> str:
    """Its title, and its class where that is another word; events told before the graph came have only its id."""
    node = next((n for n in job.nodes if said in (n.title, n.id)), None)
    if node is None:
        return f"node {said}"
    kind = one_line(node.class_type)
    name = one_line(node.title) or kind
    return name if not kind or name == kind else f"{name} · {kind}"
