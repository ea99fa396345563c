"""The README is true: its commands run, its files exist, its keys are bound, its pages say what the program says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from comfytui.tui import actions
from tests.support.engine import RunningEngine

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent

# Commands that a test cannot run as they stand, and what shows instead that they work.
ELSEWHERE = {
    "make demo": "runs `comfytui --local`: tests/tui/test_server.py",
    "make test": "what runs this",
    "pip install .": "tests/test_packaging.py installs the wheel",
    "ssh -L 8188:127.0.0.1:8188 gpu-box": "needs a box",
    "comfytui --server http://127.0.0.1:8188": "tests/tui",
    "python -m engine --port 8188": "tests/support/engine.py starts it so",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    return [line for block in blocks for line in block.strip().splitlines() if line]


def test_every_command_is_run_somewhere() -> None:
    runnable = [c for c in commands() if c not in ELSEWHERE]
    assert runnable
    assert all(c.startswith("comfytui ") for c in runnable), runnable
    assert set(ELSEWHERE) <= set(commands()), "ELSEWHERE names a command that the README no longer has"


@pytest.mark.parametrize("command", [c for c in commands() if c not in ELSEWHERE])
def test_the_headless_commands_run(command: str, engine: RunningEngine, tmp_path: Path) -> None:
    line = command.replace("http://127.0.0.1:8188", engine.url).replace("--local", f"--server {engine.url}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        [str(BIN / "comfytui"), *shlex.split(line)[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if "--output pictures" in line:
        assert list((tmp_path / "pictures").glob("*.png"))


def test_links_and_pictures_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_keys_are_the_programs() -> None:
    """Each key in the README's table is bound by some action."""
    table = README.split("## Keys")[1].split("\n## ")[0]
    told = {
        k for row in table.splitlines() if row.startswith("| `") for k in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    names = {"/": "slash", "?": "question_mark", "esc": "escape"}
    bound = {key for action in actions.ACTIONS for key in action.keys.split(",")}
    assert {names.get(k, k) for k in told} <= bound


def test_generated_pages_are_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
