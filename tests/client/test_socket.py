"""The event stream against a server that keeps it, drops it, or never had one."""

from __future__ import annotations

import pytest

from comfytui.client import messages as m
from comfytui.client.errors import ClientError, Denied, NotComfyUI, TooLarge, Unreachable
from comfytui.client.socket import open_socket
from comfytui.client.target import Target
from tests.support.replay import FakeComfy, frame, html, status


async def test_flags_are_announced_and_frames_become_events() -> None:
    async with (
        FakeComfy(prefix="/p", token="t") as server,
        open_socket(Target.parse(server.url, token="t"), "me") as socket,
    ):
        events = socket.events()
        assert await anext(events) == m.Status(queue_remaining=0, sid="me")
        assert isinstance(await anext(events), m.FeatureFlags)
        assert server.flags["me"] == {"supports_preview_metadata": True}
        await server.send(frame("progress", value=1, max=2, node="3", prompt_id="p"))
        await server.send("{garbage")
        await server.send(b"\0\0\0\1\0\0\0\1JPEG")
        assert await anext(events) == m.Progress(1, 2, "3", "p")
        assert isinstance(await anext(events), m.Garbage)
        assert await anext(events) == m.PreviewImage(b"JPEG", "image/jpeg")


async def test_a_dropped_connection_is_unreachable() -> None:
    async with FakeComfy() as server, open_socket(Target.parse(server.url), "me") as socket:
        events = socket.events()
        await anext(events)
        await server.drop_sockets()
        with pytest.raises(Unreachable, match="broke off"):
            async for _ in events:
                pass


async def test_a_giant_frame_ends_the_connection_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.client.socket.MAX_FRAME", 1 << 20)
    async with FakeComfy() as server, open_socket(Target.parse(server.url), "me") as socket:
        events = socket.events()
        await anext(events)
        await server.send(b"x" * (2 << 20))
        with pytest.raises(TooLarge, match="1 MiB"):
            async for _ in events:
                pass


@pytest.mark.parametrize(
    ("response", "error"),
    [(html(), NotComfyUI), (status(404), NotComfyUI), (status(401), Denied), (html(503), Unreachable)],
)
async def test_no_event_stream(response: object, error: type[ClientError]) -> None:
    async with FakeComfy() as server:
        server.answer("GET", "/ws", response)  # type: ignore[arg-type]
        with pytest.raises(error):
            async with open_socket(Target.parse(server.url), "me"):
                pass


async def test_nobody_listens() -> None:
    async with FakeComfy() as server:
        url = server.url
    with pytest.raises(Unreachable, match="refuses"):
        async with open_socket(Target.parse(url), "me"):
            pass
