"""Finds node packs, runs their start scripts, imports them one by one, and says which failed and why."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.compat import finder, runtime
from engine.custom import classic
from engine.files.packs import packs
from engine.nodes.definition import NodeDefinition
from engine.options import Options

log = logging.getLogger(__name__)

PATIENCE = 120.0  # seconds for the import of one pack; then the others go on without it
PACKAGE = "custom_nodes"


@dataclass(slots=True)
class Loaded:
    """All packs together. `failures`: pack → one sentence; `web`: pack → the folder of its scripts for a front end."""

    definitions: dict[str, NodeDefinition] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    web: dict[str, str] = field(default_factory=dict)


def find(roots: Sequence[Path], options: Options) -> dict[str, Path]:
    """Name → folder or file of every pack that the flags let load, by name."""
    found = packs(roots)
    for root in roots:
        for path in sorted(root.glob("*.py")):
            if path.is_file() and path.name[0] not in "._":
                found.setdefault(path.stem, path)
    if options.disable_all_custom_nodes:
        allowed = set(options.whitelist_custom_nodes)
        found = {name: path for name, path in found.items() if name in allowed or path.name in allowed}
    return dict(sorted(found.items()))


def start_scripts(found: dict[str, Path]) -> dict[str, str]:
    """Run every `prestartup_script.py`, before torch is imported. Pack → what went wrong."""
    failures = {}
    for name, path in found.items():
        script = path / "prestartup_script.py"
        if script.is_file():
            problem = _bounded(name, partial(_execute, f"{PACKAGE}_start.{name}", script))
            if problem is not None:
                failures[name] = f"prestartup_script.py: {problem}"
                log.error("The start script of the custom nodes %s failed: %s", name, problem)
    return failures


def load(found: dict[str, Path], taken: Collection[str]) -> Loaded:
    """Import the packs. The names in `taken` (the engine's own nodes) stay what they are."""
    loaded = Loaded()
    if not found:
        return loaded
    finder.install()
    parent = ModuleType(PACKAGE)
    parent.__path__ = list(dict.fromkeys(str(path.parent) for path in found.values()))
    sys.modules.setdefault(PACKAGE, parent)
    for name, path in found.items():
        began = time.monotonic()
        before = set(sys.modules)
        answer: list[ModuleType] = []
        problem = _bounded(name, partial(_import_into, answer, name, path))
        _forget_helpers(name, path, before)
        if problem is None:
            problem = _take(name, path, answer[0], taken, loaded)
        if problem is not None:
            loaded.failures[name] = problem
            log.error("The custom nodes %s cannot be loaded: %s", name, problem)
        else:
            log.info("Loaded the custom nodes %s in %.1f s", name, time.monotonic() - began)
    return loaded


def _import_into(answer: list[ModuleType], name: str, path: Path) -> None:
    answer.append(_import(name, path))


def _bounded(name: str, work: Callable[[], object]) -> str | None:
    """Do it in a thread of its own, so that a pack which waits for ever only loses itself; what went wrong."""
    problem: list[str] = []

    def run() -> None:
        try:
            work()
        except SystemExit as error:
            problem.append(f"it ended the program (exit {error.code})")
        except BaseException as error:
            log.debug("%s", traceback.format_exc())
            said = f"{type(error).__name__}: {error}"
            more = finder.hint(error)
            problem.append(f"{said} ({more})" if more else said)

    thread = threading.Thread(target=run, name=f"import of {name}", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        return f"it was not imported within {PATIENCE:.0f} s"
    return problem[0] if problem else None


def _import(name: str, path: Path) -> ModuleType:
    """The pack as `custom_nodes.NAME`, so that its relative imports and other packs' imports of it work."""
    if path.is_dir() and not (path / "__init__.py").is_file():
        raise ImportError(f"{path} has no __init__.py")
    return _execute(module_name(name), path / "__init__.py" if path.is_dir() else path)


def module_name(pack: str) -> str:
    """Dots would make other packages of it."""
    return f"{PACKAGE}.{pack.replace('.', '_')}"


def _execute(name: str, file: Path) -> ModuleType:
    places = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _forget_helpers(name: str, path: Path, before: set[str]) -> None:
    """Packs put their folder on the path and import `utils`: the next pack must not get this one's."""
    own = module_name(name)
    for key, module in list(sys.modules.items()):
        if key in before or key == own or key.startswith(f"{own}."):
            continue
        file = getattr(module, "__file__", None)
        if path.is_dir() and isinstance(file, str) and Path(file).is_relative_to(path):
            del sys.modules[key]


def _take(name: str, path: Path, module: ModuleType, taken: Collection[str], loaded: Loaded) -> str | None:
    """Its nodes and web folder; what is wrong with it."""
    web = getattr(module, "WEB_DIRECTORY", None)
    if isinstance(web, str) and path.is_dir() and (folder := (path / web).resolve()).is_dir():
        loaded.web[name] = str(folder)
    classes: Any = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if not isinstance(classes, dict):
        return "it has no NODE_CLASS_MAPPINGS"
    shown = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {}
    problems = []
    for key, node_class in classes.items():
        if key in taken or key in loaded.definitions:
            log.warning("%s: the node %s is there already and stays what it is", name, key)
            continue
        try:
            definition = classic.read(key, node_class, display_name=shown.get(key), module=f"{PACKAGE}.{name}")
        except Exception as error:
            problems.append(f"node {key}: {type(error).__name__}: {error}")
            continue
        loaded.definitions[key] = definition
        runtime.current().classes[key] = node_class
        runtime.current().display_names[key] = str(shown.get(key, key))
    return "; ".join(problems) or None
