"""Commands that the pages show exist; those of docs/headless.md are run, and print what stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from comfytui.cli.main import cli
from engine import options
from tests.docs.pages import DOCS, PAGES, ROOT, blocks
from tests.docs.test_names import CONTEXT, ours
from tests.support.engine import RunningEngine

BIN = Path(sys.executable).parent
LINES = [
    (page.name, line)
    for page in PAGES
    for block in blocks(page, "sh")
    for line in block.text.replace("\\\n", " ").splitlines()
    if line.strip()
]
# Programs of others; what they are given here is theirs to know.
THEIRS = {"ssh", "pip", "systemctl", "loginctl", "journalctl", "openssl", "git", "cd"}


def words(line: str) -> list[str]:
    """The words of one command, without variables and what stands before it."""
    found = shlex.split(line, comments=True)
    while found and re.fullmatch(r"[A-Z_]+=\S*", found[0]):
        found.pop(0)
    return found


@pytest.mark.parametrize(("page", "line"), LINES)
def test_what_is_shown_exists(page: str, line: str) -> None:
    program, *rest = words(line)
    flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
    if program == "comfytui":
        named = next((word for word in rest if word in cli.list_commands(CONTEXT)), None)
        known = {name for each in cli.params for name in each.opts} | {"--help"}
        if named is not None:
            command = cli.get_command(CONTEXT, named)
            assert command is not None
            known |= ours(command)
        assert set(flags) <= known, line
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
        assert set(rest) <= set(targets), line
    elif program == "python" and rest[:2] == ["-m", "engine"]:
        if "--help" not in rest:
            options.parse(rest[2:])
    elif program == "python" and rest[0] == "-m":
        assert (ROOT / "tools" / Path(*rest[1].split("."))).with_suffix(".py").exists() or rest[1] == "benchmarks", line
    elif program == "python":
        assert (ROOT / rest[0]).exists(), line
    elif program == "pytest":
        paths = [word.partition("::")[0] for word in rest if word.startswith("tests")]
        assert all((ROOT / path).exists() for path in paths), line
    else:
        assert program in THEIRS, f"{page}: {line}: is it ours? Then a test should look at it"


def examples() -> list[tuple[str, str]]:
    """(command, what it prints) of the page, in order: later ones see what earlier ones did."""
    found = []
    for block in blocks(DOCS / "headless.md", "console"):
        first, _, output = block.text.partition("\n")
        assert first.startswith("$ ")
        found.append((first[2:], output))
    return found


def plain(text: str) -> list[str]:
    """Output without what differs from run to run: ids, times, durations, and how wide that makes a column."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b\d+\.\d+\b", "SECONDS", text)
    text = re.sub(r"_\d{5}_", "_NUMBER_", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def test_the_headless_page_is_what_happens(
    engine: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYTUI_SERVER", engine.url)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    wanted = examples()
    assert len(wanted) >= 5
    for command, output in wanted:
        done = subprocess.run(
            [str(BIN / "comfytui"), *shlex.split(command)[1:]],
            cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert plain(done.stdout or done.stderr) == plain(output), f"{command}\n{done.stderr}"
        if "--no-wait" in command:  # what comes next looks at the history
            while httpx.get(f"{engine.url}/prompt", timeout=60).json()["exec_info"]["queue_remaining"]:
                pass  # each answer takes its time
