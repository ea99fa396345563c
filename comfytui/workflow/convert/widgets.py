"""Which of a node's inputs are widgets, in which order their values are saved, and reading those values.

A file gives values by position. Between those of the declared inputs stand some that no input is declared for: what
happens to a seed after a run, the filter of a list, the upload button. Which of them a file has depends on the version
of the front end that saved it, so positions are checked against what the widgets accept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from comfytui.workflow.catalog import Declared, declared
from comfytui.workflow.convert.reading import Node

TYPES = frozenset({
    "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3", "MARKDOWN", "COLOR", "CURVE",
    "BOUNDING_BOX", "IMAGECOMPARE", "TEXTAREA",
})  # fmt: skip
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
CONTROLS = ("fixed", "increment", "decrement", "randomize")
AFTER = frozenset({*CONTROLS, "increment-wrap"})
UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload")
BUTTON = ("image", "video", "audio", "upload", "", None)  # what an upload button was saved as
SEEDS = ("seed", "noise_seed")
MAX_LEVELS = 8  # of dynamic choices within one another
MANY = 200  # choices; nobody writes a list like this into a class
ZERO: dict[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}


class Kind(enum.Enum):
    """What a saved value stands for."""

    VALUE = "value"
    FORCED = "forced"  # an input that was a widget in older versions of the class
    CONTROL = "control"
    FILTER = "filter"
    UPLOAD = "upload"


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One place in the list of values. `name` is the input's, within dynamic choices `choice.input`."""

    kind: Kind
    name: str
    declared: Declared


class _Nothing(enum.Enum):
    NOTHING = "nothing"


NOTHING = _Nothing.NOTHING  # no value at all; null is one
Answer = Callable[[Cell], Any]


class Restored(msgspec.Struct, frozen=True):
    """The values of a node by input name. `doubts` say what hardly can be right, `mended` what was done about it."""

    values: Mapping[str, Any]
    widgets: Mapping[str, Declared]
    short: int = 0  # how many widgets got their default, because the file has no value for them
    positions: Mapping[tuple[Kind, str], int] = {}  # where in the list of values they were; empty for those by name
    mended: str = ""
    doubts: tuple[tuple[str, str], ...] = ()  # (input, what is wrong with its value)


def widget_type(spec: Declared) -> str:
    """The type of the widget an input is typed into."""
    given = spec.options.get("widgetType")
    return (given if isinstance(given, str) else spec.type).upper()


def is_widget(spec: Declared) -> bool:
    """Whether a value can be typed for the input; False for what only a link can give."""
    return widget_type(spec) in TYPES and spec.options.get("forceInput") is not True


def walk(inputs: Mapping[str, Declared], answer: Answer, *, forced: bool = False, controls: bool | None = None) -> None:
    """Ask for the value of each cell, in the order in which they are saved.

    The answer to a dynamic choice decides which cells follow. `forced` counts inputs that are no widgets any more;
    `controls` says whether numbers called seed have a control, None that the declaration decides.
    """
    required = [spec for spec in inputs.values() if spec.required]
    for spec in required:
        _walk_one(spec, spec.name, answer, forced, controls, 0)
    for spec in inputs.values():
        if any(spec.options.get(each) is True for each in UPLOADS):
            answer(Cell(Kind.UPLOAD, "upload", spec))
            break
    for spec in inputs.values():
        if not spec.required:
            _walk_one(spec, spec.name, answer, forced, controls, 0)


def _walk_one(spec: Declared, name: str, answer: Answer, forced: bool, controls: bool | None, level: int) -> None:
    if not is_widget(spec):
        if not forced or widget_type(spec) not in TYPES:
            return
        answer(Cell(Kind.FORCED, name, spec))
    else:
        value = answer(Cell(Kind.VALUE, name, spec))
        if widget_type(spec) == DYNAMIC and level < MAX_LEVELS:
            for inner in options(spec, value).values():
                _walk_one(inner, f"{name}.{inner.name}", answer, forced, controls, level + 1)
            return
    if has_control(spec, name) if controls is None else controls and _can_control(spec):
        answer(Cell(Kind.CONTROL, name, spec))
        if spec.kind == "choice":
            answer(Cell(Kind.FILTER, name, spec))


def options(spec: Declared, chosen: Any) -> Mapping[str, Declared]:
    """The inputs that a choice of a dynamic one brings with it; none if there is no such choice."""
    listed = spec.options.get("options")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping) and each.get("key") == chosen and isinstance(each.get("inputs"), Mapping):
            return declared({"": {"input": each["inputs"]}}, "")
    return {}


def has_control(spec: Declared, name: str) -> bool:
    """Whether the front end puts a "control after generate" behind this widget."""
    asked = spec.options.get("control_after_generate")
    if spec.kind == "choice":
        return bool(asked)
    return widget_type(spec) == "INT" and (name in SEEDS if asked is None else bool(asked))


def _can_control(spec: Declared) -> bool:
    return widget_type(spec) == "INT" and "seed" in spec.name


def default(spec: Declared) -> Any:
    """What the widget of a new node holds; NOTHING for a choice that the server has nothing for."""
    if "default" in spec.options:
        return spec.options["default"]
    kind = widget_type(spec)
    if kind == DYNAMIC:
        listed = spec.options.get("options")
        first = listed[0] if isinstance(listed, list) and listed else None
        return first.get("key", NOTHING) if isinstance(first, Mapping) else NOTHING
    if kind == "COMBO":
        return spec.choices[0] if spec.choices else NOTHING
    return ZERO.get(kind, NOTHING)


def restore(node: Node, inputs: Mapping[str, Declared]) -> Restored:
    """The values of a node's widgets. Values by name are preferred: positions shift when a class gains an input."""
    if node.named is not None:
        named = node.named
        return _read(inputs, lambda cell: named.get(cell.name, NOTHING) if cell.kind is Kind.VALUE else NOTHING)
    count = len(node.values)
    plain, used = _positions(node.values, inputs)
    if used != count:
        former, used_then = _positions(node.values, inputs, forced=True)
        if used_then == count and not former.short and not former.doubts:
            return former
    if not plain.doubts:
        return plain
    for mended, controls in (("without", False), ("with", True)):
        other, used = _positions(node.values, inputs, controls=controls)
        if used == count and not other.doubts and not other.short:
            text = f"its values were read {mended} a control after the seed, as only so they make sense"
            return msgspec.structs.replace(other, mended=text)
    other, _ = _positions(node.values, inputs, skip=True)
    if not other.doubts and not other.short:
        return msgspec.structs.replace(other, mended="values that fit none of its inputs were left out")
    return plain


def _positions(
    given: tuple[Any, ...],
    inputs: Mapping[str, Declared],
    *,
    forced: bool = False,
    controls: bool | None = None,
    skip: bool = False,
) -> tuple[Restored, int]:
    """Values by position, and how many were used. With `skip`, those that do not fit their widget are passed over."""
    position = 0
    positions: dict[tuple[Kind, str], int] = {}

    def take(cell: Cell) -> Any:
        nonlocal position
        if cell.kind is Kind.UPLOAD and not (position < len(given) and given[position] in BUTTON):
            return NOTHING
        if cell.kind is Kind.CONTROL and skip and not (position < len(given) and _is_control(given[position])):
            return NOTHING
        if cell.kind is Kind.VALUE and skip:
            while position < len(given) and doubt(cell, given[position]):
                position += 1
        if position >= len(given):
            return NOTHING
        positions[cell.kind, cell.name] = position
        position += 1
        return given[position - 1]

    found = _read(inputs, take, forced=forced, controls=controls)
    return msgspec.structs.replace(found, positions=positions), position


def _read(
    inputs: Mapping[str, Declared], take: Answer, *, forced: bool = False, controls: bool | None = None
) -> Restored:
    values: dict[str, Any] = {}
    widgets: dict[str, Declared] = {}
    doubts: list[tuple[str, str]] = []
    short = 0

    def answer(cell: Cell) -> Any:
        nonlocal short
        value = take(cell)
        if cell.kind is not Kind.VALUE:
            if cell.kind is Kind.CONTROL and not _is_control(value):
                doubts.append((cell.name, f"{cell.name} is followed by {_short(value)}, which is no control"))
            return value
        widgets[cell.name] = cell.declared
        if value is NOTHING:
            short += 1
            value = default(cell.declared)
        elif found := doubt(cell, value):
            doubts.append((cell.name, found))
        if value is not NOTHING:
            values[cell.name] = _whole(cell.declared, value)
        return value

    walk(inputs, answer, forced=forced, controls=controls)
    return Restored(values, widgets, short, {}, "", tuple(doubts))


def _is_control(value: Any) -> bool:
    """Old front ends saved true and false; a file may end before it."""
    return value is NOTHING or value is None or isinstance(value, bool) or (isinstance(value, str) and value in AFTER)


def _whole(spec: Declared, value: Any) -> Any:
    """Browsers write 20.0 as 20, other programs do not: an INT is one."""
    if isinstance(value, float) and value.is_integer() and widget_type(spec) == "INT":
        return int(value)
    return value


def doubt(cell: Cell, value: Any) -> str:
    """Why a value is hardly one of this widget; empty if it may be."""
    spec = cell.declared
    kind = widget_type(spec)
    if value is None or spec.options.get("multiselect") is True:
        return ""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "INT" and not (number and (isinstance(value, int) or value.is_integer())):
        return f"{cell.name} is {_short(value)}, and not a whole number"
    if kind == "FLOAT" and not number:
        return f"{cell.name} is {_short(value)}, and not a number"
    if kind == "BOOLEAN" and not (isinstance(value, bool) or value in (0, 1)):
        return f"{cell.name} is {_short(value)}, and neither true nor false"
    if kind == "STRING" and not isinstance(value, str):
        return f"{cell.name} is {_short(value)}, and not a text"
    if kind == DYNAMIC:
        return "" if isinstance(value, str) else f"{cell.name} is {_short(value)}, and none of its choices"
    if spec.kind == "choice" and spec.choices and value not in spec.choices:
        texts = all(isinstance(choice, str) for choice in spec.choices)
        if texts and (not isinstance(value, str) or not (_is_file(value) or _names_files(spec.choices))):
            return f"{cell.name} is {_short(value)}, and none of its choices"
    return ""


def _is_file(value: Any) -> bool:
    return "." in str(value) or "/" in str(value) or "\\" in str(value)


def _names_files(choices: tuple[Any, ...]) -> bool:
    """Whether these are what a server has in a folder, of which it may just lack one."""
    return len(choices) > MANY or any(_is_file(choice) for choice in choices)


def _short(value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, int, float, bool)) else "a list or an object"
    return shown if len(shown) <= 60 else shown[:59] + "…"
