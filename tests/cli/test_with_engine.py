"""The two programs together: a headless command starts the real engine, gets its pictures, and ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from comfytui import local_engine
from comfytui.cli.diagnostics import Exit

from .conftest import Call
from .test_run import begun

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MODEL = ROOT / "engine" / "data" / "models" / "checkpoints" / "comfytui-demo.safetensors"

pytestmark = pytest.mark.skipif(bool(local_engine.missing()), reason="the engine is not installed")


@pytest.fixture
def port(tmp_path: Path) -> int:
    """A free port, in the settings, with folders of the test's own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    (tmp_path / "config").mkdir()
    arguments = f'["--cpu", "--base-directory", "{tmp_path / "base"}"]'
    (tmp_path / "config" / "settings.toml").write_text(f"[engine]\nport = {port}\narguments = {arguments}\n")
    return port


def ended(port: int, tmp_path: Path) -> bool:
    return asyncio.run(local_engine.who_listens(port)) is None and not list((tmp_path / "state").glob("*.json"))


def test_run_local_starts_an_engine_and_ends_it(call: Call, port: int, tmp_path: Path) -> None:
    done = call("run", EXAMPLES / "trivial.json", "--local", "--output", "results")
    assert done.code == 0, done.err
    assert "starting the local engine" in done.err
    with Image.open(done.lines[0]) as image:
        # The inverse of what EmptyImage made; saving cuts fractions off, as ComfyUI does, hence 0x65 and not 0x66.
        assert image.convert("RGB").getpixel((5, 5)) == (0xCC, 0x99, 0x65)
    assert ended(port, tmp_path)


def test_ctrl_c_ends_the_engine_too(process: Any, port: int, tmp_path: Path) -> None:
    running = process("run", EXAMPLES / "trivial.json", "--local")
    begun(running, "starting the local engine")
    note = tmp_path / "state" / f"engine-{port}.json"
    while not note.exists() and running.poll() is None:
        pass
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == Exit.CTRL_C
    assert "Traceback" not in err
    assert ended(port, tmp_path)


def test_a_port_that_somebody_else_has(call: Call, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = call("run", EXAMPLES / "trivial.json", "--local")
    assert done.code == Exit.ENGINE
    assert f"port {port} is taken by {psutil.Process().name()}" in done.err


@pytest.mark.skipif(not MODEL.is_file(), reason="the demo model is not in this checkout")
@pytest.mark.parametrize(
    ("name", "samplers", "sizes"),
    [
        ("txt2img-demo", ["Sampler"], [(128, 128)]),
        pytest.param("img2img-demo", ["First pass", "Second pass"], [(160, 160)], marks=pytest.mark.slow),
        pytest.param("batch-demo", ["Sampler"], [(96, 96)] * 4, marks=pytest.mark.slow),
    ],
)
def test_the_examples_run_on_the_demo_model(
    call: Call,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    samplers: list[str],
    sizes: list[tuple[int, int]],
) -> None:
    """With a single step of what they have: this is about the files, and not about the pictures."""
    # Several test processes that each compute on every core wait for one another most of the time.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    steps = [part for sampler in samplers for part in ("--set", f"{sampler}.steps=1")]
    done = call("run", EXAMPLES / f"{name}.json", "--local", *steps, "--output", "results")
    assert done.code == 0, done.err
    found = []
    for line in done.lines:
        with Image.open(line) as image:
            found.append(image.size)
    assert found == sizes
