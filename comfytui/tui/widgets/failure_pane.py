"""Why a job failed: the message, what can be done, the inputs that the node had, and the traceback, folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from comfytui.state.model import Failure, Job
from comfytui.tui import job_details
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.hanging import Hanging
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import cut, one_line, plural
from comfytui.workflow.remedies import Remedies, remedies

LABEL = 18  # cells of an input's name
TRACEBACK = "traceback"
VALUE = 400  # characters of an input's value: tensors are told in full by some servers


class FailurePane(TextLines):
    """Paragraphs about a failure; `t` unfolds the traceback."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: tuple[object, ...] = ()

    def update(self, job: Job, failure: Failure, object_info: Mapping[str, Any] | None, unfolded: bool) -> None:
        """Show why a job failed; costs nothing while that is unchanged."""
        known = (job.id, failure, object_info is None, unfolded, self.palette)
        if known == self._drawn:
            return
        new_job = not self._drawn or self._drawn[0] != job.id
        folded = not new_job and self._drawn[3] != unfolded
        self._drawn = known
        advice = advice_on(job, failure, object_info)
        entitle(self, f"failed: {advice.kind}" if advice else "failed", job_details.title(job))
        self.show(list(lines(self.palette, failure, advice, unfolded)))
        if new_job or (folded and not unfolded):
            self.scroll_home(animate=False)
        elif folded:  # what was asked for must not stay out of sight below
            self.call_after_refresh(self._scroll_to_traceback)

    def _scroll_to_traceback(self) -> None:
        top = next((at for at, line in enumerate(self._lines) if line.plain.startswith(TRACEBACK)), 0)
        self.scroll_to(y=top, animate=False)

    def forget(self) -> None:
        """Draw all of it anew: the colours changed."""
        self._drawn = ()


def advice_on(job: Job, failure: Failure, object_info: Mapping[str, Any] | None) -> Remedies | None:
    """What can be done about a failed job."""
    return remedies(
        failure.message,
        failure.exception_type,
        node_type=failure.node_type or "",
        node_inputs=failure.inputs,
        graph=job.graph,
        object_info=object_info,
    )


def lines(palette: Palette, failure: Failure, advice: Remedies | None, unfolded: bool) -> Iterator[Text]:
    """The paragraphs, most wanted first: what, where, what to do, with which inputs, and where in the code."""
    yield Text(one_line(failure.message) or "the server gave no message", palette.failed)
    if failure.node_type:
        yield Text.assemble(
            ("in ", palette.dim), (failure.node_type, palette.text), (f"  node {failure.node_id}", palette.dim)
        )
    if failure.exception_type:
        yield Text(failure.exception_type, palette.dim)
    if advice is not None:
        yield Text("")
        yield Text("what can be done", palette.accent)
        yield from (Hanging.of(Text.assemble(("· ", palette.dim), (each, palette.text)), 2) for each in advice.steps)
    if failure.inputs:
        yield Text("")
        yield Text("its inputs", palette.accent)
        for name, value in failure.inputs.items():
            label = f"{cut(one_line(name), LABEL):<{LABEL}} "
            yield Hanging.of(Text.assemble((label, palette.dim), (shown(value), palette.text)), len(label))
    if failure.traceback:
        yield Text("")
        yield Text(
            f"{TRACEBACK}  {'▾' if unfolded else '▸'} {plural(len(failure.traceback), 'line')}, t", palette.accent
        )
        if unfolded:
            for entry in failure.traceback:
                yield from (Text(line.rstrip(), palette.dim) for line in entry.splitlines() or [""])


def shown(value: Any) -> str:
    """An input as the server told it: one value as it is, several in brackets."""
    if isinstance(value, (list, tuple)):
        value = value[0] if len(value) == 1 else list(value)
    return cut(one_line(value if isinstance(value, str) else repr(value)), VALUE)


def report(job: Job, failure: Failure) -> str:
    """All of it as plain text, for a bug report."""
    parts = [
        failure.message.strip(),
        f"node {failure.node_id} ({failure.node_type})" if failure.node_type else "",
        failure.exception_type,
        "\n".join(f"{name} = {shown(value)}" for name, value in failure.inputs.items()),
        "".join(line if line.endswith("\n") else f"{line}\n" for line in failure.traceback),
        f"prompt {job.id}",
    ]
    return "\n\n".join(part.rstrip() for part in parts if part.strip()) + "\n"
