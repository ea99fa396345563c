"""The headless half of the program runs without a terminal toolkit, and none of it touches the engine's libraries."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import comfytui

HEAVY = ("textual", "rich", "torch", "diffusers", "transformers", "numpy", "aiohttp", "engine")
PACKAGES = ("client", "workflow", "state", "settings", "cli")


def headless() -> list[str]:
    names = ["comfytui", "comfytui.__main__", "comfytui.local_engine"]
    for package in PACKAGES:
        folder = Path(comfytui.__file__).parent / package
        names += [
            f"comfytui.{package}",
            *(f"comfytui.{package}.{each.name}" for each in pkgutil.iter_modules([str(folder)])),
        ]
    return names


def loaded_by(names: list[str]) -> set[str]:
    """What is in sys.modules after these imports, in a fresh process."""
    code = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_headless_modules_load_nothing_heavy() -> None:
    """All at once first: one process tells whether there is a culprit, and which one only matters then."""
    if loaded_by(headless()).intersection(HEAVY):
        guilty = {name: sorted(loaded_by([name]).intersection(HEAVY)) for name in headless()}
        pytest.fail(f"{ {name: found for name, found in guilty.items() if found} }")


def test_help_loads_neither_the_connection_nor_the_settings() -> None:
    loaded = loaded_by(["comfytui.cli.main"])
    assert not loaded.intersection({"httpx", "websockets", "msgspec", "psutil", "asyncio", "PIL"})


@pytest.mark.parametrize("name", ["comfytui.workflow.document", "comfytui.workflow.check", "comfytui.settings.files"])
def test_the_bottom_layers_stand_alone(name: str) -> None:
    assert not loaded_by([name]).intersection(
        {"httpx", "websockets", "click", "comfytui.client", "comfytui.state", "PIL"}
    )
