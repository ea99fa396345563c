"""What a workflow file is about: prompts, models, sizes, nodes, what the server lacks of it, and what it made last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.state.model import JobState, Output, ServerState
from comfytui.tui.library import Entry, at_home
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.wording import at, cut, cut_middle, model_name, number, plural, size
from comfytui.workflow.lacks import Lack

MAX_KINDS = 14  # of nodes, listed
LISTED = 12  # things that are missing
PICTURE_FROM = 26  # rows of the pane from which the picture has room below the text


class WorkflowPreview(Vertical):
    """The text scrolls; the picture stands below it, where both have room."""

    DEFAULT_CSS = """
    WorkflowPreview VerticalScroll { scrollbar-size: 1 1; padding: 0 1; height: 1fr; }
    WorkflowPreview #workflows-picture { display: none; height: 2fr; max-height: 20; }
    WorkflowPreview.-pictured #workflows-picture { display: block; }
    """

    def __init__(self, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        # Held, not asked for: what is read in the background may come while the screen is being taken down.
        self._about = Static(id="workflows-about", markup=False)
        self._picture = Picture("", id="workflows-picture")

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="workflows-text"):
            yield self._about
        yield self._picture

    def show(self, entry: Entry | None, palette: Palette, server: RenderableType | None = None) -> None:
        """Show a file; `server` is what the server says about it."""
        entitle(self, cut_middle(entry.name, 40) if entry else "preview", entry.group if entry else "")
        self._about.update(_about(entry, palette, server) if entry else Text())

    def picture(self, data: bytes | None, key: object = None) -> None:
        """What it made last, or nothing."""
        shown = data is not None and self.size.height >= PICTURE_FROM
        self.set_class(shown, "-pictured")
        if shown and data is not None:
            self._picture.show(data, str(key))
        else:
            self._picture.clear()


def last_picture(entry: Entry, state: ServerState | None) -> Output | None:
    """The newest picture that a workflow of the same nodes and links made, whatever its values."""
    if state is None or not entry.shape:
        return None
    for prompt_id in state.history:
        job = state.jobs.get(prompt_id)
        if job is not None and job.state is JobState.DONE and job.shape == entry.shape:
            picture = next((output for output in job.outputs if output.kind == "images"), None)
            if picture is not None:
                return picture
    return None


def lacking(entry: Entry, lacks: Sequence[Lack], known: int, total: int, palette: Palette) -> RenderableType:
    """What the server has of it, and what not."""
    sign = (Text("✓", palette.done), Text("✗", palette.failed))
    rows = [(sign[known < total], Text(f"{known} of {plural(total, 'node')} known", palette.text))]
    for lack in lacks[:LISTED]:
        what = f"no node {lack.name}" if lack.kind == "node" else f"no {lack.input} {lack.name}"
        text = Text(sanitize.line(what, 160), palette.text)
        near = f"near: {', '.join(lack.near)}" if lack.near else ""
        text.append(f"\n{sanitize.line(near)}" if near else "", palette.dim)
        rows.append((sign[True], text))
    if len(lacks) > LISTED:
        rows.append((Text(), Text(f"and {len(lacks) - LISTED} more: M", palette.dim)))
    if not lacks and entry.runnable:
        rows.append((sign[False], Text("every node and file is there", palette.text)))
    return pairs(rows, 1)


def _about(entry: Entry, palette: Palette, server: RenderableType | None) -> Group:
    place = at_home(Path(entry.key)) if entry.key.startswith("/") else entry.key  # else it is a server's
    path = Text(f"\n{sanitize.line(place)}", palette.dim)
    changed = Text(f"changed {at(entry.stamp[0] / 1e9)}" if entry.stamp[0] else "", palette.dim)
    if entry.unread:
        return Group(Text("reading …", palette.dim), path, changed)
    parts: list[RenderableType] = []
    if entry.error:
        parts += [Text(f"✗ {entry.error}", palette.failed)]
        parts += [Text(entry.fix, palette.text)] if entry.fix else []
        return Group(*parts, path, changed)
    if entry.form == "ui":
        parts += [Text("◌ as the web page saves it: made ready for this server when it is opened\n", palette.dim)]
    rows = {label: value for label, value in _rows(entry).items() if value}
    parts.append(pairs((Text(label, palette.dim), Text(value, palette.text)) for label, value in rows.items()))
    if server is not None:
        parts += [Text("\nthis server", palette.style("text", bold=True)), server]
    return Group(*parts, path, changed)


def _rows(entry: Entry) -> dict[str, str]:
    facts = entry.facts
    sampler = " ".join(part for part in (facts.sampler, facts.scheduler) if part)
    sampling = (sampler, f"{number(facts.steps)} steps", f"cfg {number(facts.cfg)}") if sampler else ()
    batch = f" × {facts.batch}" if (facts.batch or 1) > 1 else ""
    kinds = Counter(entry.classes).most_common()
    listed = [cut(name, 40) + (f" ×{count}" if count > 1 else "") for name, count in kinds[:MAX_KINDS]]
    listed += [f"and {len(kinds) - MAX_KINDS} kinds more"] if len(kinds) > MAX_KINDS else []
    others = [model for model in entry.models if model != facts.model and model not in facts.loras]
    return {
        "positive": facts.positive,
        "negative": facts.negative,
        "model": model_name(facts.model),
        "loras": ", ".join(map(model_name, facts.loras)),
        "also": ", ".join(map(model_name, others[:8])),
        "size": "" if facts.width is None else size(facts.width, facts.height) + batch,
        "sampling": " · ".join(sampling),
        "seed": "" if facts.seed is None else str(facts.seed),
        f"{plural(len(entry.classes), 'node')}": "\n".join(listed),
    }
