from __future__ import annotations

from collections.abc import Callable

import pytest

from comfytui.tui.messages import MOST, Kind, Messages, page
from comfytui.tui.widgets.confirm import Confirm
from comfytui.tui.widgets.message_line import MessageLine
from tests.tui import sample
from tests.tui.support import line, running, settle, text


class Clockwork:
    """Timers that ring when the test says so."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.seconds: list[float] = []

    def later(self, seconds: float, call: Callable[[], None]) -> Clockwork:
        self.seconds.append(seconds)
        self.due = [call]
        return self

    def stop(self) -> None:
        self.due = []

    def ring(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


def made() -> tuple[Messages, Clockwork, list[int]]:
    clockwork, changes = Clockwork(), [0]

    def changed() -> None:
        changes[0] += 1

    return Messages(lambda: sample.NOW, changed, clockwork.later), clockwork, changes


def test_a_message_is_shown_for_a_while_and_can_be_read_again() -> None:
    messages, clockwork, changes = made()
    messages.tell(Kind.DONE, "cancelled")
    assert messages.shown is not None and messages.shown.text == "cancelled"
    clockwork.ring()
    assert messages.shown is None
    assert changes == [2]
    assert "✓ now\n    cancelled" in page(messages.told, lambda _: "now")


def test_an_error_stays_until_something_succeeds_and_longer_than_good_news() -> None:
    messages, clockwork, _ = made()
    messages.tell(Kind.FAILED, "no route to host")
    clockwork.ring()
    assert messages.error == "no route to host"
    messages.tell(Kind.REFUSED, "read only")
    assert messages.error == "no route to host"
    messages.tell(Kind.DONE, "queued")
    assert messages.error is None
    assert clockwork.seconds[0] > clockwork.seconds[2]


def test_what_is_over_is_taken_away_and_only_that() -> None:
    messages, _, _ = made()
    messages.tell(Kind.FAILED, "the engine ended")
    messages.overcome("something else")
    assert messages.error and messages.shown
    messages.overcome("the engine ended")
    assert messages.error is None and messages.shown is None


def test_the_same_again_is_one_message_with_a_count_and_old_ones_go() -> None:
    messages, _, _ = made()
    for _ in range(3):
        messages.tell(Kind.FAILED, "timed out")
    assert [(each.text, each.times) for each in messages.told] == [("timed out", 3)]
    assert "(3 times)" in page(messages.told, lambda _: "now")
    for number in range(MOST + 5):
        messages.tell(Kind.DONE, str(number))
    assert len(messages.told) == MOST


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 40)])
async def test_a_message_hides_nothing_but_the_status_line(size: tuple[int, int]) -> None:
    async with running(sample.busy(), size, "2") as (pilot, app, _):
        before = text(app).split("\n")
        app.report("gpu-box-2:8188 does not answer: " + "it is very long " * 20)
        await settle(pilot)
        after = text(app).split("\n")
        status = app.default_screen.query_one("#status").region.y
        assert [a for n, a in enumerate(after) if n != status] == [b for n, b in enumerate(before) if n != status]
        assert after[status].strip().startswith("✗ gpu-box-2:8188")
        assert after[status].rstrip().endswith("ctrl+e all of it")
        await pilot.press("ctrl+e")
        await settle(pilot)
        assert text(app).count("very long") >= 4


async def test_a_message_is_read_on_a_dialog_which_does_not_move() -> None:
    async with running(sample.busy(), (80, 24)) as (pilot, app, _):
        app.push_screen(Confirm("Interrupt?", "interrupt it"))
        await settle(pilot)
        before = text(app).split("\n")
        app.say("copied the prompt")
        await settle(pilot)
        shown = app.screen.query_one(MessageLine)
        assert shown.region.y == app.default_screen.query_one("#status").region.y
        after = text(app).split("\n")
        assert "✓ copied the prompt" in after[shown.region.y]
        assert [a for n, a in enumerate(after) if n != shown.region.y] == [
            b for n, b in enumerate(before) if n != shown.region.y
        ]
        app.messages.hide()
        await settle(pilot)
        assert not app.screen.query(MessageLine)


async def test_what_the_toolkit_tells_comes_to_the_same_place() -> None:
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        app.notify("a screenshot was saved", severity="information")
        await settle(pilot)
        assert "! a screenshot was saved" in line(app, "status")
        assert not app._notifications
