"""What the program tells its user: one line at a time in a place of its own, and the last of them to be read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

MOST = 200  # messages that can be read again
LONGEST = 8_000  # characters of one: an error may hold a whole traceback


class Kind(StrEnum):
    DONE = "done"
    REFUSED = "refused"  # a key did nothing, and why; no error
    FAILED = "failed"


# Kind → glyph, role of the theme. The glyph tells it where there are no colours.
SIGNS: dict[Kind, tuple[str, str]] = {
    Kind.DONE: ("✓", "done"),
    Kind.REFUSED: ("!", "warning"),
    Kind.FAILED: ("✗", "failed"),
}
SECONDS: dict[Kind, float] = {Kind.DONE: 4.0, Kind.REFUSED: 5.0, Kind.FAILED: 8.0}  # over the whole status line


@dataclass(frozen=True)
class Message:
    """One message. `times`: how often it came in a row; `at` is when it came last."""

    at: float
    kind: Kind
    text: str
    times: int = 1


class Timer(Protocol):
    """What `later` returns."""

    def stop(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]


class Messages:
    """Owns them. `changed` is called when something else is to be shown; `later` calls once after some seconds."""

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None], later: Later) -> None:
        self._clock, self._changed, self._later = clock, changed, later
        self._told: deque[Message] = deque(maxlen=MOST)
        self._timer: Timer | None = None
        self.shown: Message | None = None  # over the whole line, for a few seconds
        self.error: str | None = None  # what failed last, until something succeeds

    @property
    def told(self) -> tuple[Message, ...]:
        """The last ones, newest last."""
        return tuple(self._told)

    def tell(self, kind: Kind, text: str, *, show: bool = True) -> None:
        """Tell something. `show=False`: only keep it, for it is shown elsewhere."""
        text = text if len(text) <= LONGEST else text[:LONGEST] + " …"
        message = Message(self._clock(), kind, text)
        if self._told and (last := self._told[-1]).kind is kind and last.text == text:
            message = replace(message, times=last.times + 1)
            self._told.pop()
        self._told.append(message)
        if kind is Kind.FAILED:
            self.error = text
        elif kind is Kind.DONE:
            self.error = None
        self._show(message if show else None)

    def overcome(self, error: str) -> None:
        """What was told as an error is no longer so."""
        if error and self.error == error:
            self.error = None
            self._show(None)

    def _show(self, message: Message | None) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.shown = message
        if message is not None:
            self._timer = self._later(SECONDS[message.kind], self.hide)
        self._changed()

    def hide(self) -> None:
        """Give the line back."""
        self._timer = None
        self.shown = None
        self._changed()


def page(messages: Iterable[Message], at: Callable[[float | None], str]) -> str:
    """Messages as text, the newest first, each with its time (written by `at`) and whole."""
    parts = []
    for each in reversed(tuple(messages)):
        often = f"  ({each.times} times)" if each.times > 1 else ""
        lines = each.text.split("\n")
        rest = "".join(f"\n    {line}" for line in lines[1:])
        parts.append(f"{SIGNS[each.kind][0]} {at(each.at)}{often}\n    {lines[0]}{rest}")
    return "\n\n".join(parts) or "Nothing has been told yet."
