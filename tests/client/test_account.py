"""Users of a server: one for all, several, and who we are to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.client.account import Account, BadUser, Users, checked
from comfytui.client.errors import ReadOnly, ServerFailed
from comfytui.client.http import Http
from comfytui.client.target import Target
from tests.support.engine import RunningEngine, start_engine


async def test_an_engine_with_one_user_for_all(engine: RunningEngine) -> None:
    async with Http(Target.parse(engine.url)) as http:
        account = Account(http)
        assert await account.users() == Users()
        system = await account.system()
        assert system["pytorch_version"] and system["embedded_python"] == "no"


@pytest.mark.slow
async def test_each_user_has_settings_of_their_own(tmp_path: Path) -> None:
    several = start_engine(tmp_path, "--multi-user")
    try:
        async with Http(Target.parse(several.url)) as http:
            account = Account(http)
            users = await account.users()
            assert users == Users(True, users.names)
            ann, bob = await account.add(" ann ", users), await account.add("bob", users)
            names = (await account.users()).names
            assert names[ann] == "ann" and names[bob] == "bob"
            account.use(ann)
            assert account.user == ann
            await http.set_setting("Comfy.Locale", "fr")
            account.use(bob)
            assert await http.settings() == {}
            account.use(ann)
            assert await http.settings() == {"Comfy.Locale": "fr"}
            with pytest.raises(BadUser, match="Ann already"):
                await account.add("Ann", await account.users())
            with pytest.raises(ServerFailed, match="uplicate"):
                await account.add("ann", Users(True))
            http.read_only = True
            with pytest.raises(ReadOnly):
                await account.add("carl", users)
        async with Http(Target.parse(several.url, headers={"Comfy-User": bob})) as http:
            assert Account(http).user == bob
            assert await http.settings() == {}
    finally:
        several.stop()


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x1b[31m", "---", "ANN"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadUser):
        checked(name, Users(True, {"ann_1": "ann"}))
