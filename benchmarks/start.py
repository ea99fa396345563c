"""Time to the first frame, against a Textual application that does nothing, an older state of ours, and a peer.

`$COMFYTUI_BEFORE` names the older state, any commit of this repository: `COMFYTUI_BEFORE=9033e43` is the first release.
A peer (posting or harlequin, on PATH or at `$COMFYTUI_PEER`) is a full program of the same kind.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result, interleaved
from tests.support.terminal import Terminal

TRIVIAL = """
from textual.app import App
from textual.widgets import Static
class Trivial(App):
    def compose(self): yield Static("first frame")
Trivial().run()
"""
HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
CACHE = tempfile.mkdtemp(prefix="comfytui-start-")
# As it is installed: the second start of a program finds its modules compiled.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": CACHE}
PEERS = {"posting": r"Collection|Send|URL", "harlequin": r"Query Editor|Data Catalog|Run Query"}


def _first(command: list[str], pattern: str, cwd: str | None = None) -> float:
    with (
        tempfile.TemporaryDirectory() as home,
        Terminal(command, 120, 40, env={**dict.fromkeys(HOMES, home), **COMPILED}, cwd=cwd) as terminal,
    ):
        return terminal.wait_for(pattern, 30)


def _peer() -> tuple[str, str] | None:
    for name, pattern in PEERS.items():
        if (
            found := os.environ.get("COMFYTUI_PEER")
            if name in os.environ.get("COMFYTUI_PEER", "")
            else shutil.which(name)
        ):
            return found, pattern
    return None


def _unpacked(commit: str, folder: str) -> None:
    """The files of a commit. Raises CalledProcessError."""
    root = Path(__file__).parents[1]
    packed = subprocess.run(["git", "-C", root, "archive", "--", commit], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder, "comfytui", "themes", "examples"], input=packed, check=True)


def run() -> Iterator[Result]:
    def ours(cwd: str | None = None) -> float:
        # Modules of the current folder come first, whatever is installed.
        return _first([sys.executable, "-m", "comfytui", "--server", "http://127.0.0.1:9"], "History", cwd)

    def trivial() -> float:
        return _first([sys.executable, "-c", TRIVIAL], "first frame")

    atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
    ours(), trivial()  # which compile them
    mine, least = interleaved(7, ours, trivial)
    yield Result("dashboard: first frame", mine * 1e3, "ms", least * 1e3, "a trivial Textual app", "at most 1.6")
    if commit := os.environ.get("COMFYTUI_BEFORE"):
        with tempfile.TemporaryDirectory() as folder:
            _unpacked(commit, folder)
            ours(folder)
            mine, before = interleaved(9, ours, lambda: ours(folder))
        yield Result("dashboard: first frame", mine * 1e3, "ms", before * 1e3, f"itself at {commit}", "at most 1.1")
    if peer := _peer():
        path, pattern = peer
        mine, theirs = interleaved(5, ours, lambda: _first([path], pattern))
        yield Result("dashboard: first frame", mine * 1e3, "ms", theirs * 1e3, path.rsplit("/", 1)[-1], "below 1")
