"""Small node classes that record what is done to them, and a sink that keeps the events."""

from __future__ import annotations

import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

from PIL import Image

from engine.files.folders import Folders
from engine.graph.cache import ResultCache
from engine.graph.execute import Executor
from engine.graph.validate import Validator
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output
from engine.options import Options

FOLDERS = Folders.from_options(Options(base_directory=str(Path("/nonexistent"))))


class Events:
    """Keeps events as a client would get them."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []
        self.previews: list[tuple[dict[str, Any], str, bytes]] = []
        self.broadcast: set[str] = set()
        self.flushed = 0  # events that clients have surely got

    def event(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        self.all.append((kind, deepcopy(data)))
        if broadcast:
            self.broadcast.add(kind)

    def preview(self, ids: dict[str, Any], image_type: str, image: bytes) -> None:
        self.all.append(("preview", dict(ids)))
        self.previews.append((ids, image_type, image))

    def text(self, node_id: str, text: str) -> None:
        self.all.append(("text", {"node": node_id, "text": text}))

    def flush(self) -> None:
        self.flushed = len(self.all)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.all if name == kind]

    def ran(self) -> list[str]:
        return [data["node"] for data in self.of("executing")]


def define(
    name: str,
    function: Any,
    *inputs: Input | str,
    outputs: tuple[str | Output, ...] = ("*",),
    **flags: Any,
) -> NodeDefinition:
    """A class; an input given by name takes any link or value, one with `?` at the end may be absent."""
    declared = tuple(
        item if isinstance(item, Input) else Input(item.rstrip("?"), "*", optional=item.endswith("?"))
        for item in inputs
    )
    made = tuple(item if isinstance(item, Output) else Output(item) for item in outputs)
    return NodeDefinition(name, function, declared, made, **flags)


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def show(x: Any) -> dict[str, Any]:
    return {"ui": {"text": [str(x)]}}


SHOW = define("Show", show, "x", outputs=(), output_node=True)


class Engine:
    """An executor over some classes, with its cache, and what the last run told."""

    def __init__(self, *classes: NodeDefinition, cache: ResultCache | None = None, **options: Any) -> None:
        self.registry = {item.name: item for item in (SHOW, *classes)}
        self.executor = Executor(self.registry, FOLDERS, ResultCache() if cache is None else cache, **options)
        self.events = Events()
        self.status = ""
        self.history: Any = None

    def run(self, prompt: dict[str, Any], prompt_id: str = "p", **options: Any) -> Events:
        verdict = Validator(self.registry, FOLDERS).validate(prompt)
        assert verdict.error is None, verdict
        self.events = Events()
        self.status, self.history = self.executor.run(prompt_id, prompt, verdict.outputs, self.events, **options)
        return self.events

    def shown(self) -> dict[str, list[str]]:
        return {node_id: ui["text"] for node_id, ui in self.history.outputs.items()}


def counter() -> tuple[NodeDefinition, list[Any]]:
    """A class that returns its input plus one, and the list of what it was called with."""
    calls: list[Any] = []

    def add(x: Any, y: Any = 0) -> tuple[Any]:
        calls.append(x)
        return (x + 1 + y,)

    return define("Add", add, "x", "y?"), calls


def chain(value: Any) -> dict[str, Any]:
    return {"1": node("Add", x=value), "2": node("Add", x=["1", 0]), "3": node("Show", x=["2", 0])}


def sampler(flag: threading.Event, stop_at: int) -> NodeDefinition:
    def sample(x: Any, context: NodeContext) -> tuple[Any]:
        for step in range(1, 9):
            if step == stop_at:
                flag.set()
            context.progress(step, 8, lambda: Image.new("RGB", (1024, 512)))
        return (x,)

    return define("Sample", sample, "x", wants_context=True)


GRAPH = {"1": node("Sample", x=1), "2": node("Show", x=["1", 0])}
