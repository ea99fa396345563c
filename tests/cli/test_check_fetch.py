"""`check --fetch` gets the models that a workflow tells of, for a server whose folders are here, and only when it may."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from comfytui.cli.diagnostics import Exit
from tests.fetching.box import NAME, answers, page, trusted
from tests.fetching.mirror import Mirror, mirror
from tests.support.replay import FakeComfy

from .conftest import Call

BODY = os.urandom(200_000)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with mirror(BODY, trusted(tmp_path, monkeypatch)) as found:
        yield found


@pytest.fixture
def box(server: FakeComfy, tmp_path: Path) -> FakeComfy:
    """A server on this machine whose one folder of models is ours."""
    for path, answer in answers(tmp_path / "models").items():
        server.call("answer", "GET", path, answer)
    return server


def test_what_is_missing_is_fetched_and_then_nothing_is(
    call: Call, box: FakeComfy, served: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}", hashlib.sha256(BODY).hexdigest()))
    assert call("check", "w.json", "--server", box.url).code == Exit.LACKING
    done = call("check", "w.json", "--fetch", "--yes", "--json", "--server", box.url)
    assert done.code == 0, done.err
    path = tmp_path / "models" / "flux" / NAME
    assert path.read_bytes() == BODY
    assert done.json["fetched"] == [str(path)] and done.json["ok"] is True
    assert "127.0.0.1" in done.err and "SHA-256 is checked" in done.err and "0.2 MB" in done.err


def test_nobody_is_fetched_for_without_being_asked(call: Call, box: FakeComfy, served: Mirror, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}"))
    done = call("check", "w.json", "--fetch", "--server", box.url)
    assert done.code == Exit.USAGE
    assert "--yes" in done.err
    assert not any(each["method"] == "GET" for each in served.seen)
    assert call("check", "w.json", "--yes", "--server", box.url).code == Exit.USAGE


def test_an_empty_folder_is_the_servers_if_another_one_is(
    call: Call, box: FakeComfy, served: Mirror, tmp_path: Path
) -> None:
    loras = tmp_path / "loras"
    loras.mkdir()
    (loras / "a.safetensors").write_bytes(b"123")
    (tmp_path / "models" / "old.safetensors").unlink()

    async def folders(_: web.Request) -> web.Response:
        kinds = {"diffusion_models": str(tmp_path / "models"), "loras": str(loras)}
        return web.json_response([{"name": name, "folders": [path]} for name, path in kinds.items()])

    async def listed(_: web.Request) -> web.Response:
        return web.json_response([{"name": "a.safetensors", "pathIndex": 0, "size": 3}])

    box.call("answer", "GET", "/experiment/models", folders)
    box.call("answer", "GET", "/experiment/models/loras", listed)
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}"))
    assert call("check", "w.json", "--fetch", "--yes", "--server", box.url).code == 0
    assert (tmp_path / "models" / "flux" / NAME).read_bytes() == BODY


def test_a_wrong_hash_leaves_nothing(call: Call, box: FakeComfy, served: Mirror, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}", "0" * 64))
    done = call("check", "w.json", "--fetch", "--yes", "--server", box.url)
    assert done.code == Exit.LACKING
    assert "SHA-256" in done.err
    assert not list((tmp_path / "models").rglob(f"{NAME}*"))


Break = Callable[[FakeComfy, Path], str]


def elsewhere(box: FakeComfy, folder: Path) -> str:
    """The port is forwarded: what the server says is in its folder is not in ours."""

    async def listed(_: web.Request) -> web.Response:
        return web.json_response([{"name": "theirs.safetensors", "pathIndex": 0, "size": 5}])

    box.call("answer", "GET", "/experiment/models/diffusion_models", listed)
    return "another machine's"


def empty(box: FakeComfy, folder: Path) -> str:
    """It is empty there as it is here, which proves nothing."""
    (folder / "models" / "old.safetensors").unlink()
    return "another machine's"


def absent(box: FakeComfy, folder: Path) -> str:
    async def folders(_: web.Request) -> web.Response:
        return web.json_response([{"name": "diffusion_models", "folders": ["/nowhere/models"]}])

    box.call("answer", "GET", "/experiment/models", folders)
    return "/nowhere/models"


def old(box: FakeComfy, folder: Path) -> str:
    box.call("answer", "GET", "/experiment/models", web.Response(status=404))
    box.call("answer", "GET", "/models", web.json_response(["diffusion_models"]))
    return "too old"


def leaves(box: FakeComfy, folder: Path) -> str:
    (folder / "outside").mkdir()
    (folder / "models" / "flux").symlink_to(folder / "outside")
    return "is outside of"


@pytest.mark.parametrize("broken", [elsewhere, empty, absent, old, leaves])
def test_only_folders_that_are_surely_the_servers_are_written_to(
    call: Call, box: FakeComfy, served: Mirror, tmp_path: Path, broken: Break
) -> None:
    why = broken(box, tmp_path)
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}"))
    done = call("check", "w.json", "--fetch", "--yes", "--server", box.url)
    assert done.code == Exit.LACKING
    assert why in done.err
    assert not list(tmp_path.rglob(f"{NAME}*"))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"directory": "../../etc"}, "does not tell its folder"),
        ({"directory": "loras"}, "no model folder 'loras'"),
        ({"url": "http://example.org/a.safetensors"}, "not https"),
    ],
)
def test_what_a_workflow_may_not_ask_for(
    call: Call, box: FakeComfy, tmp_path: Path, told: dict[str, Any], why: str
) -> None:
    (tmp_path / "w.json").write_text(page(**{"url": "https://127.0.0.1:9/a.safetensors", **told}))
    done = call("check", "w.json", "--fetch", "--yes", "--server", box.url)
    assert done.code == Exit.LACKING
    assert why in done.err


def test_a_read_only_server_is_left_alone(call: Call, box: FakeComfy, served: Mirror, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(page(f"{served.url}/{NAME}"))
    done = call("--read-only", "check", "w.json", "--fetch", "--yes", "--server", box.url)
    assert done.code == Exit.LACKING
    assert "read-only" in done.err
