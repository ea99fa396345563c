"""The parameters of a job as lines of text: prompt, numbers, files, failure. Plain functions on a frozen job."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from comfytui.state.model import Job, JobState
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.hanging import Hanging
from comfytui.tui.wording import GLYPHS, at, clock, model_name, number, one_line, size

LABEL = 10  # cells


def lines(palette: Palette, job: Job, traceback: bool = False) -> list[Text]:
    """What a job was asked, and what became of it."""
    return [*_failure(palette, job, traceback), *_prompts(palette, job), *_numbers(palette, job), *_rest(palette, job)]


def title(job: Job) -> str:
    """A job's name for a border: its workflow, or the start of its prompt."""
    return one_line(job.facts.name or job.facts.positive or job.id)


def row(palette: Palette, label: str, value: str, role: str = "text") -> Text:
    """A label and its value, as one paragraph."""
    text = Text.assemble((f"{label:<{LABEL}} ", palette.dim), (value, palette.style(role)))
    return Hanging.of(text, max(LABEL, len(label)) + 1)


def _failure(palette: Palette, job: Job, traceback: bool) -> Iterator[Text]:
    failure = job.failure
    if failure is None:
        return
    what = one_line(failure.message)
    if job.state is JobState.LOST:  # it has not failed: nobody knows what became of it
        yield row(palette, "why", what, "lost")
        return
    yield row(palette, "failed", what, "failed")
    if failure.node_type:
        yield row(palette, "in", f"{failure.node_type} (node {failure.node_id})")
    if failure.exception_type:
        yield row(palette, "as", failure.exception_type)
    if traceback:
        yield from (Text(line.rstrip(), palette.dim) for line in failure.traceback)
    elif failure.traceback:
        yield row(palette, "", "t shows the traceback", "dim")
    yield Text("")


def _prompts(palette: Palette, job: Job) -> Iterator[Text]:
    if job.facts.positive:
        yield row(palette, "positive", job.facts.positive)
    if job.facts.negative:
        yield row(palette, "negative", job.facts.negative, "dim")


def _numbers(palette: Palette, job: Job) -> Iterator[Text]:
    facts = job.facts
    pairs = [
        ("seed", "" if facts.seed is None else str(facts.seed)),
        ("steps", number(facts.steps) if facts.steps else ""),
        ("cfg", number(facts.cfg) if facts.cfg is not None else ""),
        ("", " ".join(part for part in (facts.sampler, facts.scheduler) if part)),
        ("denoise", f"{facts.denoise:.2f}" if facts.denoise is not None else ""),
        ("size", size(facts.width, facts.height) if facts.width else ""),
        ("batch", str(facts.batch) if facts.batch and facts.batch > 1 else ""),
    ]
    line = Text()
    for label, value in pairs:
        if value:
            line.append(f"{label} " if label else "", palette.dim)
            line.append(f"{value}  ", palette.text)
    line.rstrip()
    if line:
        yield line
    if facts.model:
        yield row(palette, "model", model_name(facts.model))
    if facts.loras:
        yield row(palette, "loras", ", ".join(model_name(lora) for lora in facts.loras))


def _rest(palette: Palette, job: Job) -> Iterator[Text]:
    glyph, role = GLYPHS[job.state]
    state = Text.assemble((f"{'state':<{LABEL}} ", palette.dim), (f"{glyph} {job.state}", palette.style(role)))
    if job.seconds is not None:
        state.append(f" in {clock(job.seconds)}", palette.text)
    yield state
    if job.created is not None:
        yield row(palette, "submitted", at(job.created))
    if job.started is not None and job.state is not JobState.WAITING:
        yield row(palette, "started", at(job.started))
    if job.ended is not None:
        yield row(palette, "ended", at(job.ended))
    for output in job.outputs:
        if output.kind == "text" and output.text:
            yield row(palette, "text", output.text)
        elif output.filename:
            where = f"{output.subfolder}/" if output.subfolder else ""
            yield row(palette, output.type, f"{where}{output.filename}")
    yield row(palette, "prompt", job.id, "dim")
