"""What an input of a workflow accepts, and which keys change it, in the words of the editor."""

from __future__ import annotations

from comfytui.client import sanitize
from comfytui.tui.wording import cut, one_line
from comfytui.workflow.inputs import Field


def told(field: Field) -> str:
    """Kind, range, step and default."""
    if field.kind == "choice":
        text = f"one of {len(field.choices):,}" if field.choices else "a name"
    else:
        text = {"int": "whole number", "float": "number", "bool": "yes or no", "string": "text"}.get(
            field.kind, field.kind
        )
    if field.min is not None or field.max is not None:
        text += f" {_number(field.min)} … {_number(field.max)}"
    if field.step is not None and field.step != 1:
        text += f" by {_number(field.step)}"
    if field.default not in (None, ""):
        text += f" · default {one_line(sanitize.line(str(field.default), 60))}"
    return text


def tip(field: Field) -> str:
    """The server's own words about it."""
    return sanitize.block(field.tooltip.strip())


def keys(field: Field) -> str:
    """What changes it, besides typing."""
    if field.role == "lora":
        return "enter lists them · F7 adds another, takes it out"
    if field.upload:
        return f"enter chooses · F6 uploads {'an' if field.upload[0] in 'ai' else 'a'} {field.upload} from this disk"
    if field.choices:
        return "enter lists them · shift+↑↓ the next one"
    if field.kind == "bool":
        return "space turns it"
    return "shift+↑↓ one step · pgup pgdn ten" if field.kind in ("int", "float") else ""


def hints(field: Field) -> list[str]:
    """What stands below the form while the field has the cursor: what it accepts with the keys, and the server's words."""
    words = " · ".join(part for part in (told(field), keys(field)) if part)
    return [words, *([cut(one_line(tip(field)), 160)] if field.tooltip.strip() else [])]


def _number(value: float | None) -> str:
    if value is None:
        return "…"
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
