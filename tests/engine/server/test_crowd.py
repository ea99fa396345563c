"""Turns: everyone hears the newest, nobody hears the same twice, and what must not be overtaken is not."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.server import crowd as module
from engine.server.crowd import ROW, Crowd


class One:
    """Somebody who listens."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []


def say(key: str, value: int):
    return lambda one: one.heard.append((key, value))


async def quiet(crowd: Crowd[One]) -> None:
    while crowd._timer is not None:
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COST", 0.0)


async def test_what_is_replaced_before_ones_turn_is_not_sent() -> None:
    people = [One() for _ in range(3 * ROW)]
    crowd = Crowd[One](lambda: people)
    for value in range(1000):
        crowd.offer("progress", say("progress", value))
    await quiet(crowd)
    assert all(one.heard == [("progress", 999)] for one in people)


async def test_who_is_close_hears_everything_at_once() -> None:
    people = [One() for _ in range(3 * ROW)]
    crowd = Crowd[One](lambda: people)
    for value in range(5):
        crowd.offer("status", say("status", value), at_once=people[:1])
    assert people[0].heard == [("status", value) for value in range(5)]
    await quiet(crowd)
    assert len(people[0].heard) == 5
    assert people[1].heard == [("status", 4)]


async def test_what_comes_after_is_not_overtaken() -> None:
    people = [One() for _ in range(3 * ROW)]
    crowd = Crowd[One](lambda: people)
    crowd.offer("progress", say("progress", 1))
    crowd.catch_up(people[5])
    people[5].heard.append(("own", 0))
    crowd.settle()
    for one in people:
        one.heard.append(("end", 0))
    await quiet(crowd)
    assert people[5].heard == [("progress", 1), ("own", 0), ("end", 0)]
    assert people[6].heard == [("progress", 1), ("end", 0)]


async def test_who_leaves_and_who_comes_is_no_trouble() -> None:
    people = [One() for _ in range(3 * ROW)]
    crowd = Crowd[One](lambda: people)
    crowd.offer("a", say("a", 1))
    await asyncio.sleep(0)
    del people[:50]
    people.append(One())
    crowd.offer("a", say("a", 2))
    await quiet(crowd)
    assert all(one.heard[-1] == ("a", 2) for one in people)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30), st.integers(1, 5))
def test_everyone_ends_with_the_newest_of_each_kind_and_in_order(offers: list[tuple[str, int]], rows: int) -> None:
    async def play() -> None:
        people = [One() for _ in range(rows * ROW)]
        crowd = Crowd[One](lambda: people)
        last: dict[str, int] = {}
        for number, (key, pauses) in enumerate(offers):
            crowd.offer(key, say(key, number))
            last[key] = number
            for _ in range(pauses):
                await asyncio.sleep(0)
        await quiet(crowd)
        for one in people:
            numbers = [number for _, number in one.heard]
            assert numbers == sorted(set(numbers))
            heard: dict[str, int] = defaultdict(lambda: -1)
            heard.update(dict(one.heard))
            assert dict(heard) == last

    asyncio.run(play())
