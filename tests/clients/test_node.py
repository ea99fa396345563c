"""Clients from npm that nobody here wrote, each with the real engine: a workflow in, its picture out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.support.engine import RunningEngine

FOLDER = Path(__file__).parent / "node"
_NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(_NODE is None, reason="there is no node"),
    pytest.mark.skipif(
        not (FOLDER / "node_modules").is_dir(), reason="the npm packages are not installed: make clients"
    ),
]


def run(program: Path, *arguments: object, environment: dict[str, str]) -> str:
    """What a program of JavaScript prints."""
    command = [str(_NODE), str(program), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_saintno_comfyui_sdk(
    engine: RunningEngine, graph_file: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    for attempt in range(2):  # the second time everything is kept from before, and it must see its picture all the same
        said = run(FOLDER / "sdk.mjs", engine.url, graph_file, picture, environment=environment)
        seen = json.loads(said.strip().splitlines()[-1])
        assert size(picture) == (64, 64)
        picture.unlink()
        assert seen["nodes"] > 20
        assert seen["progress"] >= (1 if attempt == 0 else 0)


def test_the_command_line_of_saintno_comfyui_sdk(
    engine: RunningEngine, graph_file: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    program = FOLDER / "node_modules/@saintno/comfyui-sdk/dist/cli.js"
    arguments = ("-f", graph_file, "-H", engine.url, "-j", "-d", "-o", tmp_path / "got", "-i", "4.inputs.width=96")
    said = json.loads(run(program, *arguments, environment=environment))
    assert said["status"] == "completed", said
    assert [size(path) for path in (tmp_path / "got").rglob("*.png")] == [(96, 64)]


def test_its_code_generator_reads_every_node(
    engine: RunningEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    program = FOLDER / "node_modules/@saintno/comfyui-sdk/dist/cli.js"
    run(program, "codegen", "-H", engine.url, "-o", tmp_path / "nodes.ts", environment=environment)
    made = (tmp_path / "nodes.ts").read_text(encoding="utf-8")
    status, body = engine.get("/object_info")
    assert status == 200
    classes: dict[str, Any] = json.loads(body)
    assert not [name for name in classes if name not in made]


def test_comfy_ui_client(engine: RunningEngine, graph_file: Path, environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    said = run(FOLDER / "client.mjs", urlsplit(engine.url).netloc, graph_file, folder, environment=environment)
    # Beside its own log, which is JSON, too.
    assert {"nodes": ["7"], "devices": 1} in [json.loads(line) for line in said.splitlines()]
    assert [size(path) for path in folder.iterdir()] == [(64, 64)]
