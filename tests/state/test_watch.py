"""Counting what left the queue without a word."""

from __future__ import annotations

from comfytui.state.watch import Unseen


def test_jobs_that_nobody_told_us_about_are_counted() -> None:
    unseen = Unseen()
    for count in (0, 1, 2, 1, 0):
        unseen.remaining(count)
    assert unseen.take(()) == 2
    assert unseen.take(()) == 0


def test_ends_that_were_told_or_noticed_are_not() -> None:
    unseen = Unseen()
    for count in (3, 2, 1, 0):
        unseen.remaining(count)
    unseen.ended("a")
    unseen.ended("a")  # execution_success and executing null say the same
    assert unseen.take(["b"]) == 1


def test_a_status_without_a_number_says_nothing() -> None:
    unseen = Unseen()
    unseen.remaining(2)
    unseen.remaining(None)
    unseen.remaining(2)
    unseen.ended("a")
    assert unseen.take(()) == 0
