"""What the modules for packs share: the engine's folders and services, all nodes, and the node that runs now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from engine.files.folders import Folders
from engine.nodes.context import NodeContext
from engine.options import Options


@dataclass(slots=True)
class Runtime:
    """One for a worker; `classes` is `nodes.NODE_CLASS_MAPPINGS`, filled as packs load."""

    options: Options
    folders: Folders
    services: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, Any] = field(default_factory=dict)
    display_names: dict[str, str] = field(default_factory=dict)


_current: Runtime | None = None
_context: ContextVar[NodeContext | None] = ContextVar("running_node", default=None)


def begin(runtime: Runtime) -> None:
    """Set what packs see from now on."""
    global _current  # noqa: PLW0603 - modules that packs import have no other way to reach it
    _current = runtime


def current() -> Runtime:
    """Raises `RuntimeError` outside of a worker."""
    if _current is None:
        raise RuntimeError("this module is for custom node packs and works only inside the engine's worker")
    return _current


def context() -> NodeContext | None:
    """Of the node that runs now in this thread or task."""
    return _context.get()


@contextmanager
def running(context: NodeContext) -> Iterator[None]:
    """The node of `context` runs inside this block."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)
