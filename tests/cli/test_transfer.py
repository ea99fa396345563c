"""`comfytui fetch` and `upload`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfytui.cli.diagnostics import Exit
from tests.support.engine import RunningEngine
from tests.support.replay import HOSTILE, FakeComfy, Finish, frame, txt2img

from .conftest import Call


def ended(call: Call, server: FakeComfy, workflow: Path) -> str:
    (result,) = call("run", workflow, "--server", server.url, "--json").lines
    return str(json.loads(result)["prompt_id"])


def test_what_a_job_made_lands_in_a_folder_and_nothing_is_overwritten(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path
) -> None:
    prompt_id = ended(call, server, workflow)
    first = call("fetch", prompt_id[:9], "-o", "pictures", "--server", server.url)
    again = call("fetch", "last", "-o", "pictures", "--server", server.url)
    assert (first.code, first.lines) == (0, ["pictures/img_00001_.png"])
    assert again.lines == ["pictures/img_00001_-1.png"]
    files = [tmp_path / line for line in (*first.lines, *again.lines)]
    assert files[0].read_bytes() == files[1].read_bytes() == server.files["output", "", "img_00001_.png"]


def test_one_node_only_and_previews_when_they_are_wanted(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    graph = txt2img()
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    (tmp_path / "both.json").write_text(json.dumps(graph))
    prompt_id = ended(call, server, tmp_path / "both.json")
    at = ("--server", server.url, "-o", "p")
    assert len(call("fetch", prompt_id, *at).lines) == 1
    assert len(call("fetch", prompt_id, "--all", *at).lines) == 2
    assert len(call("fetch", prompt_id, "--node", "10", *at).lines) == 1
    missed = call("fetch", prompt_id, "--node", "3", *at)
    assert (missed.code, "these did: 9, 10" in missed.err) == (Exit.USAGE, True), missed.err


def test_a_job_that_has_not_ended_and_one_that_nobody_knows(call: Call, server: FakeComfy, workflow: Path) -> None:
    assert call("fetch", "last", "--server", server.url).code == Exit.USAGE
    server.call("hold", "3")
    (prompt_id,) = call("run", workflow, "--no-wait", "--server", server.url).lines
    server.call("held")
    waits = call("fetch", prompt_id, "--server", server.url)
    assert (waits.code, f"comfytui watch {prompt_id}" in waits.err) == (Exit.USAGE, True)
    server.call("release")
    assert "comfytui history lists them" in call("fetch", "zzz", "--server", server.url).err


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/passwd", HOSTILE + ".png", ".bashrc"])
def test_foreign_names_stay_in_the_folder(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path, name: str
) -> None:
    server.files["output", "", name] = b"data"
    image = {"filename": name, "subfolder": "", "type": "output"}
    server.script(frame("executed", node="9", output={"images": [image]}, prompt_id="$id"), Finish())
    (prompt_id,) = call("run", workflow, "--no-wait", "--server", server.url).lines
    assert call("watch", prompt_id, "--server", server.url).code == 0
    done = call("fetch", prompt_id, "-o", "results", "--server", server.url)
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err
    for line in done.lines:
        assert (tmp_path / line).parent == tmp_path / "results"
        assert not (tmp_path / line).name.startswith(".")


def test_a_file_that_is_gone_and_a_folder_that_cannot_be(call: Call, server: FakeComfy, workflow: Path) -> None:
    prompt_id = ended(call, server, workflow)
    assert call("fetch", prompt_id, "-o", f"{workflow}/below", "--server", server.url).code == Exit.FILES
    server.files.clear()
    gone = call("fetch", prompt_id, "-o", "p", "--server", server.url)
    assert (gone.code, "no longer on the server" in gone.err) == (Exit.SERVER, True)


def test_uploads_get_names_of_the_server_unless_they_may_replace(
    call: Call, engine: RunningEngine, tmp_path: Path
) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(b"one")
    at = ("--server", engine.url)
    assert call("upload", picture, *at).lines == ["photo.png"]
    picture.write_bytes(b"two")
    (other,) = call("upload", picture, *at).lines
    assert other != "photo.png"
    assert call("upload", picture, "--overwrite", *at).lines == ["photo.png"]
    assert engine.get("/view?filename=photo.png&type=input")[1] == b"two"


def test_nothing_is_sent_if_one_of_them_cannot_be_read(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    for wrong, says in (("nope.png", "no such file"), (".", "a folder")):
        done = call("upload", "a.png", wrong, "--server", server.url)
        assert (done.code, says in done.err) == (Exit.USAGE, True)
    assert server.requests == []


def test_read_only_sends_nothing(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    for arguments in (["upload", "a.png"], ["free"], ["cancel", "--all"], ["interrupt"]):
        assert call("--read-only", *arguments, "--server", server.url).code == Exit.READ_ONLY
    assert [each.path for each in server.requests if each.method == "POST"] == []
