"""What is installed, and the settings: found without importing anything heavy."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

from comfytui import __version__
from comfytui.cli.doctor.checks import Checks
from comfytui.cli.doctor.findings import Finding, State
from comfytui.settings import files
from comfytui.settings.schema import Settings, SettingsError

OLDEST = (3, 11)
EXTRAS = {
    "images": ("textual-image", "pictures of pixels where a terminal has sixel"),
    "keyring": ("keyring", "secrets from the system's keyring"),
    "web": ("comfyui-frontend-package", "the engine also serves ComfyUI's web page"),
}


def facts() -> Iterator[Finding]:
    """Versions, and which extras there are."""
    from comfytui.local_engine import missing

    section = "program"
    yield Finding(section, "comfytui", f"{__version__} in {Path(files.__file__).parents[1]}")
    python = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info[:2] < OLDEST
    yield Finding(section, "Python", python, State.WRONG if old else State.OK)
    absent = missing()
    if not absent:
        yield Finding(section, "engine", f"installed, PyTorch {_version('torch')}")
    else:
        said = "not installed; only needed to run models on this machine"
        if len(absent) < 5:
            said = f"not complete: {', '.join(absent)} missing"
        yield Finding(section, "engine", said, State.NOTE, "if you want it", ("pip install 'comfytui[engine]'",))
    for extra, (package, what) in EXTRAS.items():
        if found := _version(package):
            yield Finding(section, extra, f"{package} {found}")
        else:
            yield Finding(section, extra, f"not installed ({what}): pip install 'comfytui[{extra}]'", State.NOTE)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def settings() -> tuple[Settings, Iterator[Finding]]:
    """The settings, the defaults if the file is wrong; and what is to be said of the file."""
    path = files.settings_path()
    try:
        found = files.load()
    except SettingsError as error:
        return Settings(), iter([Finding("settings", "file", str(error), State.WRONG)])
    there = str(path) if path.exists() else f"none; it would be {path}"
    return found, iter([Finding("settings", "file", there)])


def own(settings: Settings, checks: Checks | None) -> Iterator[Finding]:
    """Keys and themes, which only the dashboard knows."""
    section = "settings"
    if checks is None:
        return
    wrong = checks.keys(settings)
    for problem in wrong:
        yield Finding(section, "keys", problem, State.WRONG)
    if settings.keys and not wrong:
        yield Finding(section, "keys", f"{len(settings.keys)} of your own")
    count, broken = checks.themes(settings)
    for problem in broken:
        yield Finding(section, "theme", problem, State.WRONG)
    yield Finding(section, "themes", f"{count} can be used; now {settings.theme}")
