"""Lines of a form over a workflow's inputs: a label and an editor each, with what is wrong said right below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea
from textual.widgets.text_area import Selection

from comfytui.client import sanitize
from comfytui.tui import actions
from comfytui.tui.completion import location, offset
from comfytui.tui.draft import Draft, SeedMode, parse
from comfytui.tui.widgets.form_grid import Cells
from comfytui.workflow import prompt_weights
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Place, inputs
from comfytui.workflow.inputs import Field

if TYPE_CHECKING:
    from textual.app import ComposeResult

CHANGED = "•"  # behind the label of a value that differs from the document


def shown(value: Any) -> str:
    """A value as it stands in an editor: clean, whatever the document holds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return sanitize.block(value)
    return sanitize.line(str(value))


def meant(draft: Draft, field: Field, text: str) -> Any | WorkflowError:
    """The value that `text` in an editor stands for, or (not raised) why the server would refuse it.

    What is as it was stays exactly so, also where the form could only show it cleaned.
    """
    place = field.place
    for graph in (draft.graph, draft.document.graph):
        value = inputs(graph, place.node_id).get(place.input)
        if value is not None and text.replace("\n", " ") == shown(value).replace("\n", " "):
            return value
    return parse(draft, field, text)


class Edited(Message):
    """Text was typed into an editor."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__()
        self.place = place
        self.text = text


class Pick(Message):
    """A list of what this input accepts is wanted."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class ValueInput(Input):
    """One value on one line. Up and down move to the line before and after, as in any form."""

    BINDINGS: ClassVar = [*actions.bindings("form", "before", "next", "more", "less", "much_more", "much_less")]

    def __init__(self, field: Field) -> None:
        super().__init__(shown(field.value).replace("\n", " "), compact=True, select_on_focus=False)
        self.field = field
        self.cursor_blink = False  # a blinking cursor writes to the terminal twice a second, for ever

    def action_step(self, direction: int) -> None:
        """Raise or lower a number by steps of the size that the server gives; go to the neighbour of a choice."""
        field = self.field
        if field.kind == "bool":
            self.value = "false" if self.value == "true" else "true"
            return
        if field.choices:
            names = [shown(choice) for choice in field.choices]
            at = names.index(self.value) if self.value in names else -1
            self.value = names[(at - direction) % len(names)]
            return
        try:
            number = float(self.value) if field.kind == "float" else int(self.value)
        except ValueError:
            return
        step = field.step or (0.1 if field.kind == "float" else 1)
        number += direction * (step if field.kind == "float" else max(1, int(step)))
        if field.max is not None:
            number = min(number, field.max)
        if field.min is not None:
            number = max(number, field.min)
        self.value = f"{number:.10g}" if isinstance(number, float) else str(number)

    async def _on_key(self, event: events.Key) -> None:
        """Space turns a yes into a no: nothing else is typed into it."""
        if event.key == "space" and self.field.kind == "bool":
            event.prevent_default().stop()
            self.action_step(1)
        else:
            await super()._on_key(event)

    async def action_submit(self) -> None:
        """Enter opens the list of choices, or turns a yes into a no; elsewhere it goes on to the next field."""
        if self.field.kind == "bool":
            self.value = "false" if self.value == "true" else "true"
        elif self.field.choices or self.field.upload:
            self.post_message(Pick(self.field.place))
        else:
            self.screen.focus_next()


class Completing(Message):
    """What goes on from the cursor is wanted, `at` characters into the text."""

    def __init__(self, area: PromptArea, at: int) -> None:
        super().__init__()
        self.area = area
        self.at = at


class PromptArea(TextArea):
    """A text of several lines, as high as it needs."""

    BINDINGS: ClassVar = [*actions.bindings("prompt")]

    def __init__(self, field: Field) -> None:
        super().__init__(
            shown(field.value), soft_wrap=True, compact=True, tab_behavior="focus", highlight_cursor_line=False
        )
        self.field = field
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        """Leave at the first and last line with the arrows, as from any line of a form."""
        row = self.cursor_location[0]
        if event.key == "up" and row == 0 and self.navigator.is_first_wrapped_line(self.cursor_location):
            event.prevent_default().stop()
            self.screen.focus_previous()
        elif event.key == "down" and self.navigator.is_last_wrapped_line(self.cursor_location):
            event.prevent_default().stop()
            self.screen.focus_next()
        else:
            await super()._on_key(event)

    def _at(self, place: tuple[int, int]) -> int:
        return offset(self.text.split("\n"), *place)

    def put(self, start: int, end: int, text: str) -> None:
        """Replace a stretch of characters, as typing would."""
        self.replace(text, location(self.text, start), location(self.text, end), maintain_selection_offset=False)
        self.move_cursor(location(self.text, start + len(text)))

    def action_weigh(self, direction: int) -> None:
        """Put a weight on the selection or on the word at the cursor, or change the one that it has."""
        start, end = sorted((self._at(self.selection.start), self._at(self.selection.end)))
        found = prompt_weights.adjust(self.text, start, end, direction * prompt_weights.STEP)
        if found is None or found.text == self.text:
            return
        selected = start != end
        self.replace(found.text, (0, 0), self.document.end, maintain_selection_offset=False)
        first, last = location(found.text, found.start), location(found.text, found.end)
        # What was selected stays so, for the next step; without a selection the cursor stays in the word.
        self.selection = Selection(first, last) if selected else Selection.cursor(last)

    def action_complete(self) -> None:
        self.post_message(Completing(self, self._at(self.cursor_location)))


# Short enough that all four stand in a line beside the seed.
SEED_WORDS = {SeedMode.RANDOM: "random", SeedMode.INCREMENT: "+1", SeedMode.DECREMENT: "−1", SeedMode.FIXED: "fixed"}


class SeedModes(Widget, can_focus=True):
    """What becomes of the seed: four words, one of them chosen."""

    BINDINGS: ClassVar = [*actions.bindings("seeds")]
    COMPONENT_CLASSES: ClassVar = {"seed--chosen", "seed--other"}
    DEFAULT_CSS = """
    SeedModes { width: 30; height: 1; margin-left: 2; }
    SeedModes .seed--chosen { color: $role-accent; text-style: bold; }
    SeedModes .seed--other { color: $role-dim; }
    SeedModes:focus { background: $role-selection; }
    """

    class Chosen(Message):
        """Another mode was chosen."""

        def __init__(self, mode: SeedMode) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: SeedMode) -> None:
        super().__init__()
        self.mode = mode

    def show(self, mode: SeedMode) -> None:
        """Show a mode without telling anybody."""
        self.mode = mode
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True)
        for mode in SeedMode:
            here = mode is self.mode
            style = self.get_component_rich_style("seed--chosen" if here else "seed--other", partial=True)
            text.append(("▸ " if here else "  ") + SEED_WORDS[mode], style)
            text.append(" ")
        return text

    def action_move(self, by: int) -> None:
        modes = list(SeedMode)
        self.show(modes[(modes.index(self.mode) + by) % len(modes)])
        self.post_message(self.Chosen(self.mode))

    def on_click(self, event: events.Click) -> None:
        at = 0
        for mode in SeedMode:
            at += len(SEED_WORDS[mode]) + 3
            if event.x < at:
                self.show(mode)
                self.post_message(self.Chosen(mode))
                return


class FormLines(Vertical):
    """The lines of a form, one below the other. Tells when there is more or less room."""

    class Resized(Message):
        """It has another size."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class FormLine(Vertical):
    """One line of the form: one field, or a few short ones side by side, and a note below."""

    DEFAULT_CSS = """
    FormLine { height: auto; width: 1fr; }
    FormLine > Horizontal { height: auto; }
    FormLine .label { width: 16; color: $role-dim; height: 1; }
    FormLine .label.-later { padding: 0 0 0 2; }
    FormLine .label.-changed { color: $role-accent; }
    FormLine Input, FormLine TextArea {
        width: 1fr; background: $role-panel; color: $role-text; padding: 0 1; border: none;
    }
    FormLine TextArea { height: auto; max-height: 6; min-height: 1; }
    FormLine Input:focus, FormLine TextArea:focus { background: $role-selection; color: $role-selection-text; }
    FormLine .note { display: none; height: auto; padding: 0 0 0 16; color: $role-failed; }
    FormLine .note.-said { display: block; }
    FormLine .note.-doing { color: $role-dim; }
    """

    def __init__(self, fields: Sequence[Field], labels: Sequence[str], seed_mode: SeedMode | None = None) -> None:
        """Labels have at most 15 cells. `seed_mode` adds the choice of what becomes of the seed."""
        super().__init__()
        self.fields = tuple(fields)
        self._seed_mode = seed_mode
        self._notes: dict[Place, str] = {}
        # Made here and not in `compose`, which runs later: the owner may speak to a line that is not mounted yet.
        self._editors = {field.place: self._make(field) for field in fields}
        self._names = {field.place: label for field, label in zip(fields, labels, strict=True)}
        self._labels = {
            place: Static(Text(label), classes="label -later" if n else "label")
            for n, (place, label) in enumerate(self._names.items())
        }
        self._note = Static(classes="note", markup=False)

    def compose(self) -> ComposeResult:
        with Horizontal():
            for place, editor in self._editors.items():
                yield self._labels[place]
                yield editor
            if self._seed_mode is not None:
                yield SeedModes(self._seed_mode)
        yield self._note

    def _make(self, field: Field) -> ValueInput | PromptArea:
        if field.kind == "string" and (field.multiline or "\n" in shown(field.value)):
            return PromptArea(field)
        return ValueInput(field)

    def lay(self, cells: Sequence[Cells]) -> None:
        """Give each label and each editor its width."""
        for place, (label, editor) in zip(self._editors, cells, strict=True):
            self._labels[place].styles.width = label
            self._editors[place].styles.width = "1fr" if editor is None else editor

    @property
    def has_modes(self) -> bool:
        """Whether one chooses here what becomes of the seed."""
        return self._seed_mode is not None

    def editor(self, place: Place) -> ValueInput | PromptArea | None:
        """The editor of an input, if it is on this line."""
        return self._editors.get(place)

    def text(self, place: Place) -> str:
        """What stands in an editor now; messages of the last keys may still be on their way."""
        editor = self._editors[place]
        return editor.text if isinstance(editor, PromptArea) else editor.value

    def put(self, place: Place, value: Any) -> None:
        """Show a value that was not typed here."""
        editor, text = self._editors[place], shown(value)
        if isinstance(editor, PromptArea):
            if editor.text != text:
                editor.text = text
        elif editor.value != text:
            editor.value = text.replace("\n", " ")

    def mark(self, place: Place, changed: bool) -> None:
        """Whether the value differs from the document: told by a sign, and by a colour."""
        label = self._labels[place]
        if label.has_class("-changed") is not changed:
            label.set_class(changed, "-changed")
            label.update(Text(self._names[place] + CHANGED * changed))

    def note(self, place: Place, text: str, wrong: bool = True) -> None:
        """Say what is wrong with an input, or (not `wrong`) what is being done about it; nothing for an empty text."""
        text = f"{'✗' if wrong else '◌'} {text}" if text else ""
        if self._notes.get(place, "") == text:
            return
        self._notes[place] = text
        said = [each for each in self._notes.values() if each]
        self._note.update(Text("\n".join(said)))
        self._note.set_class(bool(said), "-said")
        self._note.set_class(all(each[0] != "✗" for each in said), "-doing")

    @on(Input.Changed)
    def _input(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(event.input, ValueInput):
            self.post_message(Edited(event.input.field.place, event.value))

    @on(TextArea.Changed)
    def _area(self, event: TextArea.Changed) -> None:
        event.stop()
        if isinstance(event.text_area, PromptArea):
            self.post_message(Edited(event.text_area.field.place, event.text_area.text))
