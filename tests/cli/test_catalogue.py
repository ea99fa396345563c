"""What a server has and says: `comfytui models`, `logs`, `free`, `check`; and `inspect`, which asks none."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from comfytui.cli.diagnostics import Exit
from tests.support.engine import RunningEngine
from tests.support.replay import HOSTILE, FakeComfy, txt2img

from .conftest import Call

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_models_by_folder_with_sizes(call: Call, engine: RunningEngine) -> None:
    folder = engine.base / "models" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.safetensors").write_bytes(bytes(1_500_000))
    done = call("models", "loras", "--server", engine.url)
    assert done.lines == ["FOLDER  SIZE     NAME", "loras   1.4 MiB  tiny.safetensors"]
    (told,) = call("models", "loras", "--server", engine.url, "--json").json
    assert (told["name"], told["size"]) == ("tiny.safetensors", 1_500_000)
    every = call("models", "--folders", "--server", engine.url).lines
    assert any(line.split()[:2] == ["loras", "1"] for line in every)
    missed = call("models", "lora", "--server", engine.url)
    assert (missed.code, "Did you mean loras" in missed.err) == (Exit.USAGE, True)


def test_models_of_a_server_that_tells_no_sizes(call: Call, server: FakeComfy) -> None:
    rows = [line.split() for line in call("models", "--server", server.url).lines[1:]]
    assert ["checkpoints", "-", "demo.safetensors"] in rows


def test_the_log_and_its_levels(call: Call, server: FakeComfy) -> None:
    server.log[:] = ["Starting", f"[ERROR] bad {HOSTILE}", "WARNING: careful", "  5%|#", "100%|#####"]
    at = ("--server", server.url)
    done = call("logs", *at)
    assert done.lines[0] == "Starting"
    assert done.lines[-1] == "100%|#####", "a bar is one line"
    assert len(done.lines) == 4
    assert "\x1b" not in done.out
    assert [line.split()[0] for line in call("logs", "--level", "warning", *at).lines] == ["[ERROR]", "WARNING:"]
    assert call("logs", "-n", 1, "--level", "error", "--json", *at).json["level"] == "error"
    assert call("logs", "-n", 0, *at).lines == []


def test_following_the_log_over_a_dropped_socket(process: Any, server: FakeComfy) -> None:
    following = process("logs", "-f", "--server", server.url)
    for line in list(server.log):
        assert following.stdout.readline() == line + "\n"
    server.call("prints", "first")
    assert following.stdout.readline() == "first\n"
    server.call("drop_sockets")
    server.call("prints", "second")
    assert following.stdout.readline() == "second\n", "what was written meanwhile is asked for"
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=30)
    assert following.returncode == Exit.CTRL_C


def test_free_says_what_is_kept(call: Call, server: FakeComfy) -> None:
    assert call("free", "--server", server.url).out == ""
    assert call("free", "--models-only", "--json", "--server", server.url).json == {"models": True, "cache": False}
    bodies = [each.body for each in server.asked("POST", "/free")]
    assert bodies == [
        {"unload_models": True, "free_memory": True},
        {"unload_models": True, "free_memory": False},
    ]


def test_what_a_server_lacks_and_what_is_near(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    graph = txt2img()
    graph["x"] = {"class_type": "KSamplr", "inputs": {}}
    graph["4"]["inputs"]["ckpt_name"] = "sub/demo.safetensors"
    (tmp_path / "w.json").write_text(json.dumps(graph))
    done = call("check", "w.json", "--server", server.url, "--json")
    assert done.code == Exit.LACKING
    told = {each["kind"]: each for each in done.json["missing"]}
    assert (told["node"]["name"], told["node"]["near"]) == ("KSamplr", ["KSampler"])
    assert (told["file"]["name"], told["file"]["near"][0]) == ("sub/demo.safetensors", "demo.safetensors")
    assert "KSamplr" in call("check", "w.json", "--server", server.url).out
    assert [each for each in server.requests if each.method == "POST"] == [], "it only looks"


def test_what_is_wrong_with_a_workflow_although_nothing_is_missing(
    call: Call, server: FakeComfy, tmp_path: Path
) -> None:
    graph = txt2img()
    graph["3"]["inputs"]["model"] = ["99", 0]
    (tmp_path / "w.json").write_text(json.dumps(graph))
    done = call("check", "w.json", "--server", server.url)
    assert (done.code, "which is not there" in done.out) == (Exit.REFUSED, True)
    del graph["3"]["inputs"]["model"]
    (tmp_path / "w.json").write_text(json.dumps(txt2img()))
    assert call("check", "w.json", "--server", server.url).code == 0


def test_inspecting_asks_no_server(call: Call, server: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_SERVER", server.url)
    told = call("inspect", EXAMPLES / "txt2img-demo.json", "--json").json
    assert (told["form"], told["facts"]["seed"], told["models"]) == ("api", 42, ["comfytui-demo.safetensors"])
    seed = next(each for each in told["inputs"] if each["role"] == "seed")
    done = call("inspect", EXAMPLES / "txt2img-demo.json", "--inputs")
    assert f"{seed['node_id']}.seed" in done.out
    assert "a red circle" in call("inspect", EXAMPLES / "txt2img-demo.json").out
    assert server.requests == []


def test_hostile_text_in_a_file_is_harmless(call: Call, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(txt2img(text=f"a cat {HOSTILE}\x9b2J")))
    for more in ((), ("--inputs",), ("--json",)):
        done = call("inspect", "w.json", *more)
        assert done.code == 0
        assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(done.out + done.err)
