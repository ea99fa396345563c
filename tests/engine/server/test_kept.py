"""What a client is told is kept lies on the disk, and the disk is never waited for on the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from aiohttp import FormData

from tests.engine.server.conftest import Rig

Forced = list[tuple[Path, bool]]  # what was forced to the disk, and whether on the event loop


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> Forced:
    found: Forced = []
    real, loop = os.fsync, threading.get_ident()

    def fsync(descriptor: int) -> None:
        found.append((Path(f"/proc/self/fd/{descriptor}").readlink(), threading.get_ident() == loop))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def in_order(forced: Forced, folder: Path) -> bool:
    """A file in the folder, then the folder: its new name."""
    paths = [path for path, _ in forced]
    return len(paths) == 2 and paths[0].parent == folder and paths[1] == folder


async def test_settings_and_users_are_on_the_disk_and_not_waited_for(rig: Rig, forced: Forced) -> None:
    user = rig.shared.folders.user
    for path, body, folder in (
        ("/settings", {"a": 1}, user / "default"),
        ("/settings/b", 2, user / "default"),
        ("/users", {"username": "mira"}, user),
    ):
        forced.clear()
        async with rig.client.post(path, json=body) as response:
            assert response.status == 200, await response.text()
        assert in_order(forced, folder), (path, forced)
        assert not any(on_loop for _, on_loop in forced)


async def test_an_upload_is_on_the_disk_before_it_is_confirmed(rig: Rig, forced: Forced) -> None:
    for overwrite in ("false", "true"):
        forced.clear()
        form = FormData({"overwrite": overwrite})
        form.add_field("image", b"not a picture", filename="a.bin")
        async with rig.client.post("/upload/image", data=form) as response:
            assert (await response.json())["name"] == "a.bin"
        assert in_order(forced, rig.shared.folders.input)
        assert not any(on_loop for _, on_loop in forced)


async def test_changes_at_the_same_time_lose_none(rig: Rig) -> None:
    async def change(number: int) -> None:
        async with rig.client.post(f"/settings/k{number}", json=number) as response:
            assert response.status == 200

    await asyncio.gather(*map(change, range(25)))
    assert await rig.get("/settings") == {f"k{number}": number for number in range(25)}


async def test_of_two_who_choose_the_same_name_at_once_one_gets_it(rig: Rig) -> None:
    async def add() -> int:
        async with rig.client.post("/users", json={"username": "mira"}) as response:
            return response.status

    assert sorted(await asyncio.gather(*(add() for _ in range(6)))) == [200, 400, 400, 400, 400, 400]
