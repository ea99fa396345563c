"""A node's card: what it does, takes and puts out, as the lines of a list."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.text import Text

from comfytui.tui.node_index import MAKES, TAKES, Node, NodeIndex
from comfytui.tui.theme import Palette
from comfytui.tui.wording import cut, cut_middle, one_line, plural
from comfytui.workflow.catalog import Declared

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
NAME = 17  # cells of a name on a card


class CardLine(NamedTuple):
    """One line. `query` is what enter searches for, `tip` the long explanation, `choices` what an input accepts.

    `name` and `default` are those of the input.
    """

    text: Text
    query: str = ""
    tip: str = ""
    choices: tuple[Any, ...] = ()
    name: str = ""
    default: Any = ""


def card(node: Node, index: NodeIndex, palette: Palette, width: int) -> list[CardLine]:
    """The lines of a node's card, `width` cells wide."""
    about = Text(cut_middle(node.name, max(8, width - 24)), palette.style("text", bold=True))
    for badge in node.badges:
        about.append(f"  {badge}", palette.warning if badge in ("deprecated", "paid API") else palette.accent)
    lines = [CardLine(about)]
    place = " · ".join(part for part in (node.category, node.package or "core") if part)
    lines.append(CardLine(Text(cut(place, width), palette.dim)))
    for paragraph in node.description.splitlines():
        wrapped = textwrap.wrap(paragraph, max(20, width)) or [""]
        lines.extend(CardLine(Text(line, palette.text)) for line in wrapped)
    lines.append(CardLine(Text()))
    lines.extend(_inputs(node, index, palette, width))
    lines.extend(_outputs(node, index, palette, width))
    if node.is_output:
        lines.append(CardLine(Text("saves or shows a result: the server runs it for its own sake", palette.dim)))
    return lines


def _inputs(node: Node, index: NodeIndex, palette: Palette, width: int) -> Iterator[CardLine]:
    if not node.inputs:
        yield CardLine(Text.assemble(("in   ", palette.dim), ("nothing", palette.dim)))
    for place, each in enumerate(node.inputs):
        line = Text("in   " if not place else "     ", palette.dim)
        line.append(cut_middle(one_line(each.name), NAME).ljust(NAME), palette.text if each.required else palette.dim)
        line.append(" ")
        if each.kind == "link":
            makers = index.count(MAKES, each.type)
            line.append(cut(each.type, 24), palette.graph)
            if makers:
                line.append(f" ← {makers:,} make{'s' * (makers == 1)} it", palette.dim)
        else:
            line.append(_accepts(each), palette.graph)
            if default := _default(each):
                line.append(f"  {default}", palette.text)
        if not each.required:
            line.append("  optional", palette.dim)
        line.truncate(width, overflow="ellipsis")
        tooltip = each.options.get("tooltip")
        yield CardLine(
            line,
            MAKES + each.type if each.kind == "link" and each.type != "*" else "",
            tooltip if isinstance(tooltip, str) else "",
            each.choices,
            one_line(each.name),
            each.options.get("default", each.choices[0] if each.choices else ""),
        )


def _outputs(node: Node, index: NodeIndex, palette: Palette, width: int) -> Iterator[CardLine]:
    for place, each in enumerate(node.outputs):
        line = Text("out  " if not place else "     ", palette.dim)
        line.append(cut_middle(one_line(each.name), NAME).ljust(NAME) + " ", palette.text)
        line.append(cut(each.type, 24), palette.graph)
        if each.is_list:
            line.append(" list", palette.dim)
        takers = index.count(TAKES, each.type)
        if takers:
            line.append(f" → {takers:,} take{'s' * (takers == 1)} it", palette.dim)
        line.truncate(width, overflow="ellipsis")
        yield CardLine(line, TAKES + each.type if each.type != "*" else "", each.tooltip)


def _accepts(each: Declared) -> str:
    """What an input of a plain kind accepts, in a few words."""
    if each.kind == "choice":
        return plural(len(each.choices), "choice")
    if each.kind not in ("int", "float"):
        return "multiline text" if each.options.get("multiline") is True else each.type
    low, high, step = (each.options.get(name) for name in ("min", "max", "step"))
    text = each.type
    if _is_number(low) or _is_number(high):
        text += f" {_number(low)} … {_number(high)}"
    if _is_number(step) and step != 1:
        text += f" by {_number(step)}"
    return text


def _default(each: Declared) -> str:
    value = each.options.get("default")
    if value is None and each.choices:
        value = each.choices[0]
    if value is None or value == "":
        return ""
    return _number(value) if _is_number(value) else cut(one_line(str(value)), 40)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> str:
    """A number as people write it: 2⁶⁴−1 and not twenty digits."""
    if not _is_number(value):
        return "…"
    if isinstance(value, int) and abs(value) > 1 << 24:
        for offset, tail in ((1, "−1"), (0, "")):
            power = abs(value) + offset
            if power & (power - 1) == 0:
                exponent = str(power.bit_length() - 1).translate(_SUPERSCRIPTS)
                return f"{'−' if value < 0 else ''}2{exponent}{tail}"
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
