"""Everything that a job made, as a list: pictures, video, audio, text, latents; each with its size, each to be saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from comfytui.client.errors import ClientError
from comfytui.tui import actions
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut, cut_middle, file_size, one_line, plural

if TYPE_CHECKING:
    from comfytui.state.model import Output
    from comfytui.tui.app import Dashboard

SizeOf = Callable[["Output"], Awaitable[int | None]]
KIND, BYTES = 9, 9  # cells
MOST = 200  # sizes that are asked for by themselves, one after the other


class Outputs(LineList):
    """One line an output; several can be marked."""

    can_mark = True


class OutputsDialog(ModalScreen[tuple[int, ...] | None]):
    """Answers with the places of the outputs to save, None when it was left. A text is shown below the list."""

    BINDINGS: ClassVar = [*actions.bindings("dialog"), *actions.bindings("outputs")]
    CSS = """
    OutputsDialog .dialog { width: 100; max-width: 96%; height: auto; max-height: 90%; }
    OutputsDialog LineList { height: auto; min-height: 1; max-height: 16; scrollbar-size: 1 1; }
    .-short OutputsDialog LineList { max-height: 8; }
    OutputsDialog Input { display: none; }
    OutputsDialog.-filter Input { display: block; }
    OutputsDialog #output-text { max-height: 8; margin-top: 1; }
    """

    def __init__(self, title: str, outputs: Sequence[Output], size_of: SizeOf) -> None:
        """All text must be clean. `size_of` tells a file's bytes; it may raise ClientError."""
        super().__init__()
        self._title, self._outputs, self._size_of = title, tuple(outputs), size_of
        self._told: dict[int, str] = {}  # sizes, or why there is none

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            entitle(dialog, f"{self._title} · {plural(len(self._outputs), 'output')}")
            dialog.border_subtitle = Content("enter/s save · space mark · / filter · y copy · esc")
            wanted = Input(placeholder="words of a name, a kind or a text", select_on_focus=False)
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield Outputs(empty="this job made nothing")
            yield Static("", id="output-text", classes="dim", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.query_one(Outputs).focus()
        self._tell()
        self.run_worker(self._ask(), name="sizes", group="sizes", exclusive=True)

    async def _ask(self) -> None:
        """One after the other: a few bytes each, and nobody waits for them."""
        for place, output in enumerate(self._outputs[:MOST]):
            if not output.filename:
                self._told[place] = file_size(len((output.text or "").encode("utf-8", "replace")))
            else:
                try:
                    self._told[place] = file_size(await self._size_of(output))
                except ClientError:
                    self._told[place] = "gone"
            self._show()

    def _show(self) -> None:
        lines, words = self.query_one(Outputs), self.query_one(Input).value.casefold().split()
        found = [str(n) for n, each in enumerate(self._outputs) if all(word in _said(each) for word in words)]
        lines.say_empty("Nothing matches.\nesc  shows all of them" if words else "this job made nothing")
        lines.show(found, self._line)

    def _line(self, key: str, width: int) -> Text:
        palette = cast("Dashboard", self.app).palette
        output = self._outputs[int(key)]
        room = width - KIND - BYTES - 4
        where = f"{output.subfolder}/" if output.subfolder else ""
        name = f"{where}{output.filename}" + (f"  ({output.type})" if output.type != "output" else "")
        shown = cut_middle(name, room) if output.filename else cut(one_line(output.text or "–"), room)
        line = Text.assemble((f" {cut(output.kind, KIND):<{KIND}} ", palette.dim), (shown, palette.text))
        line.append(" " * max(1, width - 1 - BYTES - line.cell_len))
        return line.append(f"{self._told.get(int(key), '…'):>{BYTES}}", palette.dim)

    @on(LineList.Moved)
    def _tell(self) -> None:
        key = self.query_one(Outputs).key
        output = None if key is None else self._outputs[int(key)]
        words = "" if output is None else (output.text or "")
        self.query_one("#output-text", Static).update(words)
        self.query_one("#output-text").display = bool(words)

    @property
    def _chosen(self) -> tuple[int, ...]:
        lines = self.query_one(Outputs)
        if lines.marked:
            return tuple(sorted(map(int, lines.marked)))
        return () if lines.key is None else (int(lines.key),)

    @on(LineList.Opened)
    def action_save(self) -> None:
        if chosen := self._chosen:
            self.dismiss(chosen)

    def action_copy(self) -> None:
        chosen = [self._outputs[place] for place in self._chosen]
        text = "\n".join(o.text or f"{o.subfolder + '/' if o.subfolder else ''}{o.filename}" for o in chosen)
        if text:
            cast("Dashboard", self.app).copy(text, plural(len(chosen), "output"))

    def action_filter(self) -> None:
        self.add_class("-filter")
        self.call_after_refresh(self.query_one(Input).focus)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._show()
        self._tell()

    @on(Input.Submitted)
    def _typed_all(self) -> None:
        self.set_class(bool(self.query_one(Input).value.strip()), "-filter")
        self.query_one(Outputs).focus()

    def action_leave(self) -> None:
        """Leave the filter first, then the dialog."""
        if self.has_class("-filter"):
            self.remove_class("-filter")
            self.query_one(Input).value = ""
            self.query_one(Outputs).focus()
        else:
            self.dismiss(None)


def _said(output: Output) -> str:
    """What a filter looks at."""
    return f"{output.kind} {output.subfolder}/{output.filename} {output.type} {output.text or ''}".casefold()
