"""The wheel holds all that an installed program needs: commands, themes, examples, the demo model."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel in it; returns its bin directory.

    The dependencies are lent from the environment that runs the tests, so that nothing is fetched.
    A path named in a .pth file lends packages but not their own .pth files: the editable install
    of the checkout stays out, and what is imported is what the wheel brought.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    bin_dir = home / "bin"
    subprocess.run([bin_dir / "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    site = next((home / "lib").glob("python*")) / "site-packages"
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return bin_dir


def test_the_wheel_brings_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "engine/data/models/checkpoints/comfytui-demo.safetensors" in names
    assert "engine/data/clip/bpe_simple_vocab_16e6.txt.gz" in names
    assert any(n.startswith("comfytui/themes/") and n.endswith(".toml") for n in names)
    assert "comfytui/examples/txt2img-demo.json" in names
    assert not any(n.startswith(("tests/", "tools/", "benchmarks/")) for n in names)


def test_the_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    for command in ([installed / "comfytui", "--version"], [installed / "python", "-m", "comfytui", "--version"]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "0." in done.stdout


def test_themes_and_examples_are_found(installed: Path, tmp_path: Path) -> None:
    code = (
        "import comfytui; from comfytui.settings.files import data_dir;"
        "print(comfytui.__file__); print(*sorted(p.name for d in ('themes', 'examples') for p in data_dir(d).iterdir()))"
    )
    done = subprocess.run(
        [installed / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    where, names = done.stdout.splitlines()
    assert str(installed.parent) in where
    assert "txt2img-demo.json" in names
    assert ".toml" in names


def test_the_installed_engine_draws_with_the_demo_model(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = (tmp_path / "log").open("wb")
    command = [
        installed / "python",
        "-m",
        "engine",
        "--port",
        str(port),
        "--base-directory",
        str(tmp_path / "base"),
        "--cpu",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{url}/object_info/CheckpointLoaderSimple", timeout=60) as reply:
                    info = json.load(reply)
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
        assert "comfytui-demo.safetensors" in info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
        done = subprocess.run(
            [
                installed / "comfytui",
                "run",
                "txt2img-demo.json",
                "--server",
                url,
                "--set",
                "KSampler.steps=2",
                "--output",
                "out",
                "--json",
            ],
            cwd=_examples_copy(installed, tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _examples_copy(installed: Path, tmp_path: Path) -> Path:
    site = next((installed.parent / "lib").glob("python*")) / "site-packages"
    (tmp_path / "txt2img-demo.json").write_bytes((site / "comfytui" / "examples" / "txt2img-demo.json").read_bytes())
    return tmp_path
