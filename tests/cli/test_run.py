"""`comfytui run`, from a workflow file to pictures on the disk, and everything that may go wrong between."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from comfytui.cli.diagnostics import Exit
from comfytui.client import downloads
from tests.support.replay import HOSTILE, FakeComfy, Finish, frame, html, picture, status, txt2img

from .conftest import Call


def submitted(server: FakeComfy) -> list[dict[str, Any]]:
    return [each.body["prompt"] for each in server.asked("POST", "/prompt")]


def test_it_writes_the_pictures_and_prints_their_paths(call: Call, server: FakeComfy, workflow: Path) -> None:
    done = call("run", workflow, "--server", server.url, "--output", "pictures")
    assert done.code == 0
    (path,) = done.lines
    assert path == "pictures/img_00001_.png"
    with Image.open(path) as image:
        assert image.size == (64, 64)
    assert "done" in done.err
    (body,) = [each.body for each in server.asked("POST", "/prompt")]
    assert body["prompt"] == txt2img()


def test_values_and_seeds_reach_the_server(call: Call, server: FakeComfy, workflow: Path) -> None:
    arguments = ("--set", "Positive.text=a cat = 3.5", "--set", "steps=2", "--seed", 41, "--count", 3, "--json")
    done = call("run", workflow, "--server", server.url, *arguments)
    assert done.code == 0
    graphs = submitted(server)
    assert [each["3"]["inputs"]["seed"] for each in graphs] == [41, 42, 43]
    assert {each["6"]["inputs"]["text"] for each in graphs} == {"a cat = 3.5"}
    assert {each["3"]["inputs"]["steps"] for each in graphs} == {2}
    results = [json.loads(line) for line in done.lines]
    assert [each["seed"] for each in results] == [41, 42, 43]
    assert all(each["state"] == "done" and Path(each["files"][0]).is_file() for each in results)


def test_choices_are_drawn_by_the_seed_and_the_template_is_kept(call: Call, server: FakeComfy, workflow: Path) -> None:
    text = ["STRING", {"multiline": True, "dynamicPrompts": True}]
    words = {**server.object_info["CLIPTextEncode"], "input": {"required": {"text": text, "clip": ["CLIP"]}}}
    server.object_info = {**server.object_info, "CLIPTextEncode": words}
    template = "a {red|green|blue|black|white} {cat|dog|fox|owl} // mine"
    arguments = ("--set", f"Positive.text={template}", "--count", 4, "--seed", 7, "--no-wait")
    for _ in range(2):
        assert call("run", workflow, "--server", server.url, *arguments).code == 0
    texts = [each["6"]["inputs"]["text"] for each in submitted(server)]
    assert texts[:4] == texts[4:], "the same seeds draw the same"
    assert len(set(texts)) > 1
    assert not any(sign in text for text in texts for sign in "{|}/")
    told = [each.body["extra_data"]["extra_pnginfo"]["comfytui"] for each in server.asked("POST", "/prompt")]
    assert told == [{"templates": {"6": {"text": template}}}] * 8

    missing = call("run", workflow, "--server", server.url, "--set", "Positive.text=__colour__", "--no-wait")
    assert missing.code != 0
    assert "wildcard_folders" in missing.err
    assert len(submitted(server)) == 8


def test_several_runs_count_up_from_the_workflow_or_are_random(call: Call, server: FakeComfy, workflow: Path) -> None:
    assert call("run", workflow, "--server", server.url, "--count", 2).code == 0
    assert call("run", workflow, "--server", server.url, "--count", 2, "--seed", "random").code == 0
    seeds = [each["3"]["inputs"]["seed"] for each in submitted(server)]
    assert seeds[:2] == [1, 2]
    assert len(set(seeds)) == 4


def test_a_picture_is_a_workflow(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", json.dumps(txt2img(seed=99)))
    info.add_text("workflow", '{"nodes": [], "links": [], "id": "mine"}')
    Image.open(io.BytesIO(picture())).save(tmp_path / "p.png", pnginfo=info)
    assert call("run", "p.png", "--server", server.url).code == 0
    body = server.asked("POST", "/prompt")[0].body
    assert body["prompt"] == txt2img(seed=99)
    assert body["extra_data"]["extra_pnginfo"]["workflow"]["id"] == "mine"
    # Changed, it is no longer what the UI form says; a browser must not restore the wrong one.
    assert call("run", "p.png", "--server", server.url, "--seed", 3).code == 0
    assert "workflow" not in server.asked("POST", "/prompt")[1].body["extra_data"].get("extra_pnginfo", {})


def test_results_never_replace_files(call: Call, server: FakeComfy, workflow: Path, tmp_path: Path) -> None:
    (tmp_path / "img_00001_.png").write_text("precious")
    assert call("run", workflow, "--server", server.url).lines == ["img_00001_-1.png"]
    assert (tmp_path / "img_00001_.png").read_text() == "precious"


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "..\\..\\evil.png", HOSTILE + ".png", "..", ".bashrc"]
)
def test_foreign_names_stay_in_the_folder(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path, name: str
) -> None:
    server.files["output", "", name] = b"data"
    image = {"filename": name, "subfolder": "", "type": "output"}
    server.script(frame("executed", node="9", output={"images": [image]}, prompt_id="$id"), Finish())
    before = set(tmp_path.parent.rglob("*"))
    done = call("run", workflow, "--server", server.url, "--output", "results")
    own = tmp_path / "state"  # what is remembered between runs, under names of ours
    new = {each for each in set(tmp_path.parent.rglob("*")) - before if each.is_file() and own not in each.parents}
    assert {each.parent for each in new} <= {tmp_path / "results"}
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err
    if done.code == 0:
        assert len(new) == 1
        assert not next(iter(new)).name.startswith(".")


def test_a_failing_node_is_named_and_the_other_jobs_go_on(call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("fail_node", "3", "RuntimeError", f"out of luck {HOSTILE}")
    done = call("run", workflow, "--server", server.url, "--count", 2, "--json")
    assert done.code == Exit.JOB_FAILED
    first, second = (json.loads(line) for line in done.lines)
    assert (first["state"], second["state"]) == ("failed", "done")
    assert "node 3 (KSampler): RuntimeError: out of luck" in first["error"]
    assert "\x1b" not in done.err


def test_a_refusal_lists_everything_that_is_wrong(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    graph = txt2img()
    graph["x"] = {"class_type": "FancyNode", "inputs": {}}
    graph["y"] = {"class_type": "OtherNode", "inputs": {}}
    graph["4"]["inputs"]["ckpt_name"] = "dmo.safetensors"
    (tmp_path / "w.json").write_text(json.dumps(graph))
    done = call("run", "w.json", "--server", server.url)
    assert done.code == Exit.REFUSED
    assert "FancyNode" in done.err
    assert "OtherNode" in done.err
    assert "Near: demo.safetensors" in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<html>", "not JSON"),
        ("{}", "has no nodes"),
        (None, "no such file"),
    ],
)
def test_what_is_no_workflow_is_refused_before_anything_is_asked(
    call: Call, server: FakeComfy, tmp_path: Path, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "w.json").write_text(content)
    done = call("run", "w.json", "--server", server.url)
    assert done.code == Exit.REFUSED
    assert "w.json" in done.err
    assert says in done.err
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--set", "seed"], Exit.REFUSED, "NODE.INPUT=VALUE"),
        (["--set", "3.sede=1"], Exit.REFUSED, "Did you mean 'seed'"),
        (["--seed", "x"], Exit.USAGE, "a number, or random"),
        (["--seed", "-1"], Exit.REFUSED, "out of range"),
        (["--count", "0"], Exit.USAGE, "--count"),
        (["--local"], Exit.USAGE, "exclude each other"),
        (["--output", "mine.json/below"], Exit.FILES, "cannot be made"),
    ],
)
def test_wrong_arguments(
    call: Call, server: FakeComfy, workflow: Path, arguments: list[str], code: Exit, says: str
) -> None:
    done = call("run", workflow, "--server", server.url, *arguments)
    assert done.code == code
    assert says in done.err
    assert submitted(server) == []


def test_no_wait_prints_the_ids(call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3")
    done = call("run", workflow, "--server", server.url, "--count", 2, "--no-wait")
    assert done.code == 0
    assert len(done.lines) == 2
    server.call("release")


def test_previews_are_written_only_if_nothing_was_saved(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    graph = txt2img()
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    (tmp_path / "both.json").write_text(json.dumps(graph))
    assert [line.startswith("img_") for line in call("run", "both.json", "--server", server.url).lines] == [True]
    del graph["9"]
    (tmp_path / "preview.json").write_text(json.dumps(graph))
    assert len(call("run", "preview.json", "--server", server.url).lines) == 1


def test_a_full_disk_says_so_and_leaves_nothing_half(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(folder: Path, name: str) -> tuple[Path, Any]:
        (folder / name).touch()
        return folder / name, Full()

    monkeypatch.setattr(downloads, "_create", create)
    done = call("run", workflow, "--server", server.url, "--output", "results")
    assert done.code == Exit.FILES
    assert "No space left on device" in done.err
    assert "still on the server" in done.err
    assert list((tmp_path / "results").iterdir()) == []


def test_a_server_that_is_not_there_or_not_comfyui(call: Call, server: FakeComfy, workflow: Path) -> None:
    assert call("run", workflow, "--server", "127.0.0.1:1").code == Exit.UNREACHABLE
    for path in ("/queue", "/prompt", "/system_stats", "/ws", "/history", "/features"):
        server.call("answer", "GET", path, html())
    assert call("run", workflow, "--server", server.url).code == Exit.UNREACHABLE
    assert call("run", workflow, "--server", "ftp://x").code == Exit.USAGE


def test_a_server_that_wants_a_password(call: Call, server: FakeComfy, workflow: Path) -> None:
    for path in ("/queue", "/prompt", "/system_stats", "/ws", "/history", "/features"):
        server.call("answer", "GET", path, status(401))
    assert call("run", workflow, "--server", server.url).code == Exit.UNREACHABLE


def test_a_named_server_of_the_settings_with_its_token(call: Call, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy.in_thread(token="secret", prefix="/comfy") as server:
        (tmp_path / "config").mkdir()
        text = f'[servers.box]\nurl = "{server.url}"\ntoken = "secret"\n'
        (tmp_path / "config" / "settings.toml").write_text(text)
        assert call("run", workflow, "--server", "box").code == 0
        assert call("run", workflow, "--server", server.url).code == Exit.UNREACHABLE


def test_a_wrong_settings_file_is_named(call: Call, workflow: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").write_text("servr = 1")
    done = call("run", workflow)
    assert done.code == Exit.SETTINGS
    assert "settings.toml, servr: there is no such setting. Did you mean server" in done.err


# What needs the real program: signals, pipes, a server that changes under it ------------------------------------------


def begun(process: subprocess.Popen[str], word: str) -> str:
    """Read stderr up to a line with this word."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if word in line:
            return seen
    pytest.fail(f"it ended without {word!r}: {seen}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(
    process: Any, server: FakeComfy, workflow: Path, number: signal.Signals
) -> None:
    server.call("hold", "3")
    running = process("run", workflow, "--server", server.url)
    begun(running, "running")
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert running.returncode == Exit.CTRL_C
    assert out == ""
    assert server.running is not None
    assert server.running.prompt_id in err
    assert f"comfytui history --server {server.url}" in err
    assert "Traceback" not in err
    server.call("release")


def test_a_workflow_from_a_pipe(process: Any, server: FakeComfy, workflow: Path) -> None:
    with workflow.open() as stdin:
        running = process("run", "-", "--server", server.url, stdin=stdin)
        out, _ = running.communicate(timeout=30)
    assert out == "img_00001_.png\n"


def test_a_job_that_somebody_deletes_is_lost(process: Any, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3")
    first = process("run", workflow, "--server", server.url)
    begun(first, "running")
    second = process("run", workflow, "--server", server.url)
    while not server.pending:
        time.sleep(0.01)
    prompt_id = server.pending[0].prompt_id
    canceller = process("cancel", prompt_id, "--server", server.url)
    assert canceller.wait(30) == 0
    _, err = second.communicate(timeout=30)
    assert second.returncode in (Exit.LOST, Exit.INTERRUPTED)
    assert prompt_id in err
    server.call("release")


def test_a_dropped_socket_loses_nothing(process: Any, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3")
    running = process("run", workflow, "--server", server.url)
    begun(running, "running")
    server.call("drop_sockets")
    server.call("release")
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert out == "img_00001_.png\n"


def test_a_restarted_server_lost_the_job(process: Any, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3")
    running = process("run", workflow, "--server", server.url)
    begun(running, "running")
    server.call("restart")
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.LOST
    assert "no longer knows" in err


def test_a_server_that_stays_away(process: Any, workflow: Path) -> None:
    with FakeComfy.in_thread() as server:
        server.call("hold", "3")
        running = process("run", workflow, "--server", server.url, "--patience", "0.5")
        begun(running, "running")
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.UNREACHABLE
    assert "may go on there" in err


def test_an_interrupted_job(process: Any, call: Call, server: FakeComfy, workflow: Path) -> None:
    server.call("hold", "3", 2)
    running = process("run", workflow, "--server", server.url)
    begun(running, "running")
    assert call("interrupt", "--server", server.url).code == 0
    server.call("release")
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.INTERRUPTED
    assert "interrupted or cancelled" in err


def test_a_closed_pipe_ends_quietly(server: FakeComfy, workflow: Path, process: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running = process("run", workflow, "--server", server.url, stdout=writing)
    os.close(writing)
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.PIPE_CLOSED
    assert "Traceback" not in err
