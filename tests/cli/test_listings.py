"""The listings, cancelling, the help, and the exit codes' page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from comfytui import __version__
from comfytui.cli.diagnostics import Exit
from comfytui.cli.main import COMMANDS, main
from tests.support.replay import HOSTILE, FakeComfy, txt2img

from .conftest import Call

ROOT = Path(__file__).parents[2]


def fill(call: Call, server: FakeComfy, tmp_path: Path, count: int = 3) -> list[str]:
    """One job that runs (and is held), and others that wait; their ids."""
    import json

    (tmp_path / "w.json").write_text(json.dumps(txt2img(text=f"a cat {HOSTILE}")))
    server.call("hold", "3")
    ids = call("run", "w.json", "--server", server.url, "--count", count, "--no-wait").lines
    server.call("held")
    return ids


def test_the_queue_in_its_order(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    ids = fill(call, server, tmp_path)
    done = call("queue", "--server", server.url)
    header, *rows = done.lines
    assert header.split() == ["ID", "STATE", "WORKFLOW", "SEED", "STEPS", "PROMPT"]
    assert [row.split()[:2] for row in rows] == [[ids[0], "running"], [ids[1], "waiting"], [ids[2], "waiting"]]
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    told = call("queue", "--server", server.url, "--json").json
    assert [(each["prompt_id"], each["facts"]["seed"]) for each in told] == [(ids[0], 1), (ids[1], 2), (ids[2], 3)]
    server.call("release")


def test_cancelling_by_the_beginning_of_an_id(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    ids = fill(call, server, tmp_path)
    assert call("cancel", ids[1][:13], "--server", server.url).code == 0
    assert [each.prompt_id for each in server.pending] == [ids[2]]
    missed = call("cancel", "zzz", "--server", server.url)
    assert (missed.code, "comfytui queue lists them" in missed.err) == (Exit.USAGE, True)
    assert call("cancel", "", "--server", server.url).code == Exit.USAGE, "an empty beginning fits them all"
    assert call("cancel", ids[0], "--server", server.url).code == 0, "a running one is interrupted"
    server.call("release")


def test_the_history_newest_first(call: Call, server: FakeComfy, workflow: Path) -> None:
    call("run", workflow, "--server", server.url, "--count", 3)
    done = call("history", "--server", server.url, "--count", 2, "--json")
    assert [each["facts"]["seed"] for each in done.json] == [3, 2]
    assert [each["filename"] for each in done.json[0]["outputs"]] == ["img_00003_.png"]
    assert len(call("history", "--server", server.url).lines) == 4


def test_the_history_of_a_server_without_one(call: Call, server: FakeComfy) -> None:
    assert call("history", "--server", server.url, "--json").json == []


def test_nodes_are_found_by_class_title_or_category(call: Call, server: FakeComfy) -> None:
    assert len(call("nodes", "--server", server.url).lines) == len(server.object_info) + 1
    assert [line.split()[0] for line in call("nodes", "SAMPL", "--server", server.url).lines[1:]] == ["KSampler"]
    assert call("nodes", "ksampler", "--server", server.url, "--json").json["KSampler"]["output"] == ["LATENT"]
    missed = call("nodes", "KSamplr", "--server", server.url)
    assert (missed.code, missed.out) == (Exit.USAGE, "")
    assert "Did you mean KSampler" in missed.err


def test_stats(call: Call, server: FakeComfy) -> None:
    assert "ram " in call("stats", "--server", server.url).out
    assert call("stats", "--server", server.url, "--json").json["ram_total"] > 0


def test_the_dashboard_gets_what_the_command_line_said(tmp_path: Path) -> None:
    got: list[object] = []

    def dashboard(*arguments: object) -> int:
        got.extend(arguments)
        return 3

    with pytest.raises(SystemExit) as left:
        main(dashboard, ["--server", "box:1", "--theme", "light", "--images", "256", "--workflow", "w.json"])
    server, local, settings, workflow = got
    assert (server, local, workflow, left.value.code) == ("box:1", False, Path("w.json"), 3)
    assert (settings.theme, settings.images) == ("light", "256")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "arguments",
    [["--server", "a", "--local"], ["--images", "braille"], ["nope"], ["--server", "a", "queue"], ["run"], ["--nope"]],
)
def test_wrong_usage(call: Call, arguments: list[str]) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (Exit.USAGE, "")
    assert "comfytui: " in done.err


def test_help_names_every_command_and_version_is_the_packages(call: Call) -> None:
    shown = call("--help").out
    assert all(re.search(rf"^  {name} ", shown, re.M) for name in COMMANDS)
    assert call("--version").out == f"comfytui {__version__}\n"
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    for name in COMMANDS:
        assert call(name, "--help").code == 0


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "comfytui", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"comfytui {__version__}\n")
