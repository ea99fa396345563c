from __future__ import annotations

import asyncio
from typing import Any

from comfytui.client.errors import Missing
from comfytui.client.target import Target
from comfytui.state.model import Output
from comfytui.tui.picture_store import AT_ONCE, PictureStore


class Slow:
    """Answers when it is told to."""

    def __init__(self, url: str = "http://box:8188") -> None:
        self.target = Target.parse(url)
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def fetch(self, output: Output, *, preview: str | None = None) -> bytes:
        assert preview is not None
        assert preview.startswith("webp")
        self.asked.append(output.filename)
        await self.go.wait()
        if output.filename == "gone":
            raise Missing("It is gone.")
        return b"x" * 10


def output(name: str) -> Output:
    return Output("9", "images", name)


async def ended(store: PictureStore) -> None:
    while not store.quiet:
        await asyncio.sleep(0)


async def test_what_is_scrolled_past_is_never_asked_for() -> None:
    store, server = PictureStore(), Slow()
    every: Any = server

    def done() -> None:
        pass

    for number in range(20):
        store.want(every, output(str(number)), done)
    await asyncio.sleep(0)
    store.only(done, {output("19")})
    server.go.set()
    await ended(store)
    assert server.asked[:AT_ONCE] == ["0", "1", "2"]
    assert server.asked[AT_ONCE:] == ["19"]
    assert store.get(every, output("0")) is None
    assert store.get(every, output("19")) == b"x" * 10


async def test_what_another_one_wants_is_still_fetched() -> None:
    store, server = PictureStore(), Slow()
    every: Any = server
    told: list[str] = []
    one, two = (lambda: told.append("one")), (lambda: told.append("two"))
    store.want(every, output("a"), one)
    store.want(every, output("a"), two)
    store.only(one, ())
    server.go.set()
    await ended(store)
    assert told == ["two"]
    assert server.asked == ["a"]


async def test_memory_and_count_are_bounded_and_failures_can_be_tried_again() -> None:
    store, server = PictureStore(kept_bytes=45, kept=3), Slow()
    every: Any = server
    server.go.set()
    for number in range(9):
        store.want(every, output(str(number)), lambda: None)
        await ended(store)
    assert store.size == (30, 3)
    store.want(every, output("gone"), lambda: None)
    await ended(store)
    assert store.get(every, output("gone")) == "It is gone."
    store.forget_failures()
    assert store.get(every, output("gone")) is None
    assert store.size == (20, 2)


async def test_files_of_the_same_name_on_two_servers_are_two_pictures() -> None:
    store = PictureStore()
    one: Any = Slow("http://one:8188")
    two: Any = Slow("http://two:8188")
    for server in (one, two):
        server.go.set()
        store.want(server, output("a"), lambda: None)
        await ended(store)
    assert one.asked == two.asked == ["a"]
