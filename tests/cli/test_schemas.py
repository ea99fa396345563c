"""What every command prints with --json is what docs/schemas/ says, on the real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from comfytui.cli.main import COMMANDS
from comfytui.cli.shapes import SHAPES
from tests.support.engine import RunningEngine

from .conftest import Call, Done

ROOT = Path(__file__).parents[2]
TRIVIAL = ROOT / "examples" / "trivial.json"


def validate(command: str, done: Done) -> list[object]:
    """Every value that was printed, after its schema took it."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"{command}.json").read_text())
    values = [json.loads(line) for line in done.lines]
    validator = jsonschema.Draft202012Validator(schema)
    assert values, done.err
    for value in values:
        validator.validate(value)
    if not SHAPES[command][1]:
        assert len(values) == 1
    return values


def test_the_files_are_what_the_shapes_say() -> None:
    command = [sys.executable, "tools/schemas.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_has_a_schema_and_each_refuses_what_is_not_it() -> None:
    assert set(SHAPES) | {"completion"} == set(COMMANDS)
    for command, (shape, _) in SHAPES.items():
        schema = json.loads((ROOT / "docs" / "schemas" / f"{command}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(7, schema)
        assert shape is not None


@pytest.fixture
def ran(call: Call, engine: RunningEngine) -> str:
    """A job has run on the engine; its id."""
    (result,) = validate("run", call("run", TRIVIAL, "--server", engine.url, "--json"))
    assert isinstance(result, dict)
    assert result["state"] == "done"
    assert Path(result["files"][0]).is_file()
    return str(result["prompt_id"])


ARGUMENTS: dict[str, Callable[[str, Path], list[object]]] = {
    "queue": lambda *_: [],
    "history": lambda *_: ["--count", 3],
    "fetch": lambda prompt_id, _: [prompt_id, "--all", "-o", "fetched"],
    "upload": lambda _, folder: [folder / "a.png"],
    "check": lambda *_: [ROOT / "examples" / "txt2img-demo.json"],
    "nodes": lambda *_: ["KSampler"],
    "models": lambda *_: [],
    "stats": lambda *_: [],
    "logs": lambda *_: [],
    "free": lambda *_: [],
    "interrupt": lambda *_: [],
    "watch": lambda prompt_id, _: [prompt_id],
    "cancel": lambda *_: ["--all"],
    "convert": lambda *_: [TRIVIAL, "--to", "ui"],
}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_what_a_command_prints(call: Call, engine: RunningEngine, ran: str, tmp_path: Path, command: str) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture, but a file")
    done = call(command, *ARGUMENTS[command](ran, tmp_path), "--server", engine.url, "--json")
    values = validate(command, done)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    if command == "fetch":
        assert all(Path(each["path"]).stat().st_size == each["bytes"] for each in values[0])  # type: ignore[attr-defined]


def test_without_a_server(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate("inspect", call("inspect", TRIVIAL, "--json"))
    (tmp_path / "ui.json").write_text('{"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}')
    (told,) = validate("inspect", call("inspect", "ui.json", "--json"))
    assert (told["form"], told["nodes"]) == ("ui", {"KSampler": 1})  # type: ignore[index]
    validate("settings", call("settings", "--json"))
    validate("settings", call("settings", "engine.port", "--json"))
    validate("doctor", call("doctor", "--offline", "--json"))
    monkeypatch.setenv("COMFYTUI_SERVER", "127.0.0.1:1")
    (servers,) = validate("servers", call("servers", "--json"))
    assert servers[0]["state"] == "unreachable"  # type: ignore[index]


def test_no_wait_has_the_shape_of_a_run(call: Call, engine: RunningEngine) -> None:
    done = call("run", TRIVIAL, "--server", engine.url, "--json", "--no-wait")
    (told,) = validate("run", done)
    assert told["files"] == []  # type: ignore[index]
    validate("watch", call("watch", told["prompt_id"], "--server", engine.url))  # type: ignore[index]
