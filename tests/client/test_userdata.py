"""The server's own files on the real engine, and answers that no server should give."""

from __future__ import annotations

import json

import httpx
import pytest

from comfytui.client.errors import BadAnswer, Exists, Missing, ReadOnly
from comfytui.client.http import Http
from comfytui.client.target import Target
from comfytui.client.userdata import BadName, UserData, checked
from tests.support.engine import RunningEngine


async def test_files_are_written_listed_read_renamed_and_deleted(engine: RunningEngine) -> None:
    async with Http(Target.parse(engine.url)) as http:
        files = UserData(http)
        await files.write("u/ä b.json", {"1": "x"})
        with pytest.raises(Exists, match=r"ä b\.json already"):
            await files.write("u/ä b.json", {"2": "y"})
        await files.write("u/ä b.json", {"2": "y"}, overwrite=True)
        assert json.loads(await files.read("u/ä b.json")) == {"2": "y"}
        (found,) = [file for file in await files.files() if file.path.startswith("u/")]
        assert found.path == "u/ä b.json" and found.size > 0 and found.modified > 1e9
        await files.write("u/c.json", {})
        with pytest.raises(Exists):
            await files.rename("u/c.json", "u/ä b.json")
        await files.rename("u/c.json", "d.json")
        assert "d.json" in {file.path for file in await files.files()}
        for name in ("u/ä b.json", "d.json"):
            await files.delete(name)
        for act in (files.read("d.json"), files.delete("d.json"), files.rename("d.json", "e.json")):
            with pytest.raises(Missing, match=r"d\.json is no longer"):
                await act


async def test_a_folder_that_is_not_there_yet_holds_nothing(engine: RunningEngine) -> None:
    async with Http(Target.parse(engine.url)) as http:
        assert await UserData(http).files("never_made") == ()


async def test_nothing_is_sent_where_nothing_may_be_changed(engine: RunningEngine) -> None:
    async with Http(Target.parse(engine.url)) as http:
        http.read_only = True
        files = UserData(http)
        for act in (files.write("a.json", {}), files.delete("a.json"), files.rename("a.json", "b.json")):
            with pytest.raises(ReadOnly):
                await act


@pytest.mark.parametrize(
    "name", ["", "/etc/x", "../x", "a/../../b", "a//b", "a\\b", ".hidden", "a/.b", "x\x1b[2J", "x\n", "a" * 300, "."]
)
def test_names_that_lead_elsewhere_are_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(BadName):
        checked(name)


@pytest.mark.parametrize("name", ["a.json", "folder/sub/a b.json", "ä画.json"])
def test_other_names_are_fine(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    ("answer", "paths"),
    [
        ('["a.json", "b/c.json"]', ["a.json", "b/c.json"]),
        ('[{"path": "a.json", "size": -5, "modified": "x"}, {"size": 1}, 3, {"path": ""}]', ["a.json"]),
        ('[{"path": "a\\\\b.json", "size": 1e400}]', ["a/b.json"]),
        ("[]", []),
    ],
)
async def test_other_lists_are_read_as_far_as_they_can_be(answer: str, paths: list[str]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=answer))
    async with Http(Target.parse("http://x:1"), transport=transport) as http:
        assert [file.path for file in await UserData(http).files()] == paths


@pytest.mark.parametrize("answer", ['{"a": 1}', "<html>", "no"])
async def test_what_is_no_list_is_a_bad_answer(answer: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=answer))
    async with Http(Target.parse("http://x:1"), transport=transport) as http:
        with pytest.raises(BadAnswer):
            await UserData(http).files()
