"""Clients from PyPI that nobody here wrote, each with the real engine: a workflow in, its picture out."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.support.engine import RunningEngine

_COMFY = shutil.which("comfy", path=str(Path(sys.executable).parent)) or shutil.which("comfy")


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


def test_comfy_api_simplified(engine: RunningEngine, graph_file: Path) -> None:
    simplified = pytest.importorskip("comfy_api_simplified")
    workflow = simplified.ComfyWorkflowWrapper(str(graph_file))
    workflow.set_node_param("Size", "width", 96)
    # Its way is to post first and to open the socket afterwards.
    results = simplified.ComfyApiWrapper(engine.url + "/").queue_and_wait_images(workflow, "Save")
    assert [size(data) for data in results.values()] == [(96, 64)]


def test_comfy_api_simplified_uploads(engine: RunningEngine, tmp_path: Path) -> None:
    simplified = pytest.importorskip("comfy_api_simplified")
    path = tmp_path / "uploaded.png"
    Image.new("RGB", (8, 8), "red").save(path)
    told = simplified.ComfyApiWrapper(engine.url + "/").upload_image(str(path))
    assert told["name"] == "uploaded.png"


def test_comfyui_cli_passes_its_own_tests(engine: RunningEngine, environment: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("comfyui.comfyui_cli")
    environment |= {"COMFYUI_TEST_SERVER": urlsplit(engine.url).netloc}
    environment |= {"COMFYUI_TEST_CHECKPOINT": "comfytui-demo.safetensors"}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += ["--rootdir", str(tmp_path), "--pyargs", "comfyui.tests.test_full_e2e"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout


@pytest.mark.skipif(_COMFY is None, reason="comfy-cli is not installed: make clients")
def test_comfy_cli(engine: RunningEngine, graph: dict[str, Any], graph_file: Path, environment: dict[str, str]) -> None:
    assert _COMFY is not None
    address = urlsplit(engine.url)

    def comfy(*arguments: str) -> str:
        command = [_COMFY, "--skip-prompt", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=graph_file.parent, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    comfy("tracking", "disable")
    where = ("--host", str(address.hostname), "--port", str(address.port))
    said = comfy("--where", "local", "run", "--workflow", str(graph_file), "--wait", "--json", *where)
    last = json.loads(said.strip().splitlines()[-1])
    assert last["ok"] is True, said
    prefix = next(node["inputs"]["filename_prefix"] for node in graph.values() if node["class_type"] == "SaveImage")
    name = f"{prefix}_00001_.png"
    assert name.rpartition("/")[2] in said
    assert size((engine.base / "output" / name).read_bytes()) == (64, 64)
