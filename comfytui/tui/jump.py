"""Where one can jump to on the screen, and the letters that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from textual.errors import NoWidget
from textual.geometry import Offset, Region

from comfytui.tui.widgets.confirm import Answer
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.tabs_line import TabsLine

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    from comfytui.tui.app import Dashboard

LETTERS = "asdfghjklqwertyuiopzxcvbnm"  # those under the fingers first
MOST = len(LETTERS) ** 2


@dataclass(frozen=True)
class Target:
    """A place on the screen, and what to do there."""

    at: Offset
    go: Callable[[], object]


def labels(count: int) -> list[str]:
    """So many different ones of one or two letters; none is the beginning of another, and as many as can be have one."""
    size = len(LETTERS)
    count = min(count, MOST)
    firsts = 0 if count <= size else -(-(count - size) // (size - 1))  # letters that begin two
    singles = list(LETTERS[: size - firsts])
    doubles = [first + second for first in LETTERS[size - firsts :] for second in LETTERS]
    return [*singles, *doubles][:count]


def targets(app: Dashboard, screen: Screen[object]) -> list[Target]:
    """All on a screen, in reading order: tabs, rows of lists, panes, fields, answers."""
    found: list[Target] = []
    for tabs in screen.query(TabsLine):
        if tabs.display and (where := _seen(screen, tabs)) is not None:
            found += [
                Target(Offset(where.x + tabs.gutter.left + start, where.y), partial(_show, app, screen_id))
                for start, _, screen_id in tabs.tabs
            ]
    for answer in screen.query(Answer):
        if (where := _seen(screen, answer)) is not None:
            found.append(Target(where.offset, partial(answer.post_message, Answer.Clicked(answer.yes))))
    for widget in screen.focus_chain:
        if (where := _seen(screen, widget)) is None:
            continue
        rows = list(_rows(widget, where)) if isinstance(widget, LineList) else []
        found += rows or [Target(where.offset, partial(screen.set_focus, widget))]
    unique = {target.at: target for target in reversed(found)}
    return sorted(unique.values(), key=lambda target: (target.at.y, target.at.x))[:MOST]


def _seen(screen: Screen[object], widget: Widget) -> Region | None:
    """Where a widget is, if it is to be seen."""
    try:
        geometry = screen.find_widget(widget)
    except NoWidget:
        return None
    return geometry.region if geometry.clip.overlaps(geometry.region) and geometry.region.area else None


def _rows(lines: LineList, where: Region) -> Iterator[Target]:
    corner = where.shrink(lines.styles.gutter)
    for key, x, y in lines.shown_places():
        if y < corner.height:
            yield Target(Offset(corner.x + x, corner.y + y), partial(_select, lines, key))


def _select(lines: LineList, key: str) -> None:
    lines.focus(scroll_visible=False)
    lines.move_to(key)  # nothing happens if it has gone meanwhile


def _show(app: Dashboard, screen_id: str) -> None:
    app.run_worker(app.action_show(screen_id), name="show")
