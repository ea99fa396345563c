"""What the dashboard is connected to: credentials that are typed again, and those of the others."""

from __future__ import annotations

import asyncio
import base64

import pytest

from comfytui.settings.schema import Settings, validate
from comfytui.state.model import Phase
from comfytui.tui.session import Session
from tests.support.replay import FakeComfy

PATIENCE = 15.0


async def reached(session: Session, name: str, phase: Phase) -> None:
    connection = session.fleet.get(name)
    assert connection is not None
    there = asyncio.Event()
    unsubscribe = connection.subscribe(lambda state: there.set() if state.link.phase is phase else None)
    if connection.state.link.phase is not phase:
        await asyncio.wait_for(there.wait(), PATIENCE)
    unsubscribe()


async def test_an_address_that_is_typed_again_with_another_password_is_tried_with_it() -> None:
    right = "Basic " + base64.b64encode(b"anna:right").decode()
    async with FakeComfy(admits=lambda request: request.headers.get("Authorization") == right) as server:
        session = Session(Settings, lambda: None)
        try:
            for password, phase in (("wrong", Phase.REFUSED), ("right", Phase.LIVE)):
                address = server.url.replace("://", f"://anna:{password}@")
                await session.connect(address)
                assert session.name == server.url
                await reached(session, server.url, phase)
        finally:
            await session.detach()


async def test_the_token_of_the_chosen_server_goes_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_TOKEN", "for-the-chosen-one")
    async with FakeComfy(token="for-the-chosen-one") as one, FakeComfy() as other:
        servers = {"one": {"url": one.url}, "other": {"url": other.url}}
        settings = validate({"server": "one", "servers": servers})
        session = Session(lambda: settings, lambda: None)
        try:
            await session.connect()
            await session.connect_others()
            await reached(session, "one", Phase.LIVE)
            await reached(session, "other", Phase.LIVE)
            assert other.requests
            assert not any("for-the-chosen-one" in str(request.headers) for request in other.requests)
        finally:
            await session.detach()
