"""Runs a validated prompt: what its outputs need, each node once, results from before where nothing changed."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from engine.files.folders import Folders
from engine.graph.cache import Key, Result, ResultCache, keys
from engine.graph.call import call_node, over_lists, wants
from engine.graph.links import is_link, links_of, reach
from engine.graph.order import Order
from engine.graph.progress import History, Progress, Sink
from engine.nodes.context import Interrupted, NodeContext
from engine.nodes.definition import NodeDefinition
from engine.worker.messages import SECRETS

log = logging.getLogger(__name__)

Prompt = Mapping[str, Any]
Status = Literal["success", "error", "interrupted"]

MAX_SHOWN = 4000  # characters of an input in an error; the text of a list of tensors may have millions
_OOM_HINT = (
    "This was too large for the memory. Smaller pictures and a smaller batch need less; "
    "all models were unloaded, so that the next prompt starts with free memory.\n"
)
# torch's words, where it raises nothing of its own: the allocator on Linux, on Windows, and sizes beyond 64 bits.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "Storage size calculation overflowed")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line decided about execution."""

    metadata: bool = True
    preview_method: str = "none"
    preview_size: int = 512


@dataclass(slots=True)
class Executor:
    """Runs prompts one after another."""

    registry: Mapping[str, NodeDefinition]
    folders: Folders
    cache: ResultCache
    settings: Settings = field(default_factory=Settings)
    services: dict[str, Any] = field(default_factory=dict)  # what nodes share, e.g. loaded models
    release_memory: Callable[[], None] = lambda: None  # called when memory ran out
    device_lost: bool = False  # nothing can run any more until the process is started again

    def run(
        self,
        prompt_id: str,
        prompt: Prompt,
        outputs: list[str],
        sink: Sink,
        *,
        extra_data: Mapping[str, Any] | None = None,
        interrupt: threading.Event | None = None,
    ) -> tuple[Status, History]:
        """Run `outputs` of a prompt that `Validator` accepted. Failures of nodes are events and not exceptions.

        Any thread may set `interrupt`: the run ends at the next node or progress report.
        """
        progress = Progress(prompt_id, sink, preview_size=self.settings.preview_size)
        run = _Run(self, prompt_id, prompt, outputs, extra_data or {}, progress, interrupt or threading.Event())
        with torch.inference_mode():
            return run.run(), progress.history


class _Run:
    """One prompt while it runs."""

    def __init__(
        self,
        executor: Executor,
        prompt_id: str,
        prompt: Prompt,
        outputs: list[str],
        extra_data: Mapping[str, Any],
        progress: Progress,
        interrupt: threading.Event,
    ) -> None:
        self._executor = executor
        self._registry = executor.registry
        self._prompt_id = prompt_id
        self._prompt = prompt
        self._outputs = outputs
        self._extra_data = extra_data
        self._progress = progress
        self._interrupt = interrupt
        self._preview_method = _preview_method(extra_data, executor.settings.preview_method)
        self._keys: dict[str, Key | None] = {}
        self._results: dict[str, Result] = {}  # by node: from before, and of this run
        self._executed: list[str] = []

    def run(self) -> Status:
        """Everything, from the first event to the last."""
        cache = self._executor.cache
        self._progress.start()
        needed = reach(self._prompt, self._outputs, self._registry)
        self._keys = keys(self._prompt, needed, self._registry, self._changed)
        cache.begin(self._keys.values())
        # Looked up once and held: a cache with a limit may drop them while the prompt runs.
        self._results = {
            node_id: result for node_id in self._prompt if (result := cache.get(self._keys.get(node_id))) is not None
        }
        self._progress.cached(list(self._results))
        order = Order(self._sources, self._results.__contains__, self._is_output)
        order.add(*self._outputs)
        while (node_id := order.take()) is not None:
            try:
                finished = self._step(node_id, order)
            except Interrupted:
                self._progress.interrupted(node_id, self._definition(node_id).name, self._executed)
                return "interrupted"
            except BaseException as error:
                self._fail(node_id, error)
                return "error"
            if finished:
                order.done(node_id)
        self._progress.success()
        return "success"

    def _step(self, node_id: str, order: Order) -> bool:
        """Run a node or find its result. False if it has to wait for lazy inputs first."""
        key = self._keys[node_id]
        kept = self._results.get(node_id) or self._executor.cache.get(key)
        if kept is not None:  # from the last prompt, or a twin in this one
            self._results[node_id] = kept
            self._progress.node_kept(node_id, kept.ui)
            return True
        self._check_interrupt()
        definition = self._definition(node_id)
        if definition.check_lazy is not None and (missing := self._missing(node_id, definition)):
            order.wait(node_id, missing)
            return False
        self._progress.node_start(node_id)
        extra: dict[str, Any] = {}
        if definition.wants_context:
            extra["context"] = self._context(node_id)
        result = call_node(definition, dict(self._inputs(node_id, definition)), self._check_interrupt, extra)
        self._results[node_id] = result
        self._executor.cache.put(key, result)
        self._progress.node_done(node_id, result.ui)
        self._executed.append(node_id)
        return True

    def _inputs(self, node_id: str, definition: NodeDefinition) -> Iterator[tuple[str, list[Any]]]:
        """Each input that has a value, as a list; a lazy one that was not asked for is left out."""
        inputs = self._prompt[node_id]["inputs"]
        for item in definition.inputs:
            if item.name not in inputs:
                continue
            value = inputs[item.name]
            if not is_link(value) or item.options.get("rawLink"):
                yield item.name, [value]
            elif (source := self._results.get(value[0])) is not None:
                yield item.name, source.outputs[value[1]]
        for name, kind in definition.hidden.items():
            yield name, [self._hidden(kind, node_id)]

    def _hidden(self, kind: str, node_id: str) -> Any:
        match kind:
            case "PROMPT" | "DYNPROMPT":
                return self._prompt
            case "EXTRA_PNGINFO":
                return self._extra_data.get("extra_pnginfo")
            case "UNIQUE_ID":
                return node_id
            case _:
                return self._extra_data.get(kind.lower())

    def _missing(self, node_id: str, definition: NodeDefinition) -> list[str]:
        """Nodes behind lazy inputs that this one asks for and that have no result yet."""
        assert definition.check_lazy is not None  # noqa: S101 - asked by the caller
        linked = {name: source for name, source, _ in links_of(self._prompt[node_id], definition)}
        lists = dict(self._inputs(node_id, definition))
        for name in linked:
            lists.setdefault(name, [None])
        asked: dict[str, None] = {}
        for names in over_lists(definition.check_lazy, lists, {}):
            asked.update(dict.fromkeys(names or ()))
        return [linked[name] for name in asked if name in linked and linked[name] not in self._results]

    def _changed(self, node_id: str) -> Any:
        """What the node's `is_changed` says of its constants; NaN, which no key may hold, if it fails."""
        definition = self._definition(node_id)
        assert definition.is_changed is not None  # noqa: S101 - asked by the caller
        inputs = self._prompt[node_id]["inputs"]
        constants = {
            item.name: inputs[item.name]
            for item in definition.inputs
            if item.name in inputs and not is_link(inputs[item.name])
        }
        extra = {"folders": self._executor.folders} if wants(definition.is_changed, "folders") else {}
        try:
            return definition.is_changed(**constants, **extra)
        except Exception as error:
            log.warning("%s cannot tell whether it changed and runs again: %s", definition.name, error)
            return float("nan")

    def _context(self, node_id: str) -> NodeContext:
        executor = self._executor
        return NodeContext(
            node_id=node_id,
            prompt_id=self._prompt_id,
            folders=executor.folders,
            reporter=self._progress,
            interrupt=self._interrupt,
            metadata=executor.settings.metadata,
            preview_method=self._preview_method,
            state=executor.services,
        )

    def _fail(self, node_id: str, error: BaseException) -> None:
        """Tell what happened; after want of memory, make room for the next prompt."""
        definition = self._definition(node_id)
        lines = [self._without_secrets(line) for line in traceback.format_tb(error.__traceback__)]
        said = self._without_secrets(str(error))
        message = f"{said}\n"
        out_of_memory = is_out_of_memory(error)
        if out_of_memory:
            message += _OOM_HINT
        log.error("%s (node %s) failed: %s: %s", definition.name, node_id, qualified(error), _sendable(said))
        log.debug("%s", "".join(lines))
        try:
            inputs = dict(self._inputs(node_id, definition))
        except (LookupError, TypeError):  # the failure was that an input cannot be had
            inputs = {}
        details = {
            "exception_message": _sendable(message),
            "exception_type": qualified(error),
            "traceback": [_sendable(line) for line in lines],
            "current_inputs": {
                name: [self._shown(value) for value in values]
                for name, values in inputs.items()
                if name not in definition.hidden
            },
            "current_outputs": list(self._prompt),  # all nodes, as ComfyUI has it, whatever its name says
        }
        self._progress.error(node_id, definition.name, self._executed, details)
        self._executor.device_lost |= is_device_lost(error)
        if out_of_memory:
            # What this function and the frames of the failure hold of the node's tensors would outlive the unloading.
            inputs.clear()
            _drop_frames(error)
            self._results.clear()
            self._executor.cache.clear()
            self._executor.release_memory()

    def _shown(self, value: Any) -> Any:
        found = shown(value)
        return self._without_secrets(found) if isinstance(found, str) else found

    def _without_secrets(self, text: str) -> str:
        """A node that was given a key may say it in its error: errors are stored and shown to everybody."""
        for key in SECRETS:
            secret = self._extra_data.get(key)
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "…")
        return text

    def _definition(self, node_id: str) -> NodeDefinition:
        return self._registry[self._prompt[node_id]["class_type"]]

    def _sources(self, node_id: str) -> list[str]:
        return [source for _, source, waits in links_of(self._prompt[node_id], self._definition(node_id)) if waits]

    def _is_output(self, node_id: str) -> bool:
        return self._definition(node_id).output_node

    def _check_interrupt(self) -> None:
        if self._interrupt.is_set():
            raise Interrupted


def qualified(error: BaseException) -> str:
    """The exception's type as clients get it: with its module, unless it is a built-in one."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def is_out_of_memory(error: BaseException) -> bool:
    """Memory of a device or of the system ran out (torch says the latter with a plain RuntimeError)."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


def _drop_frames(error: BaseException | None) -> None:
    """Forget where an exception, and those it came from, were raised: the frames keep all their variables."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def is_device_lost(error: BaseException) -> bool:
    """A GPU after an illegal access or a failed assertion: every later call of the process fails too."""
    return isinstance(error, RuntimeError) and not is_out_of_memory(error) and "CUDA error:" in str(error)


def shown(value: Any) -> Any:
    """An input as an error shows it: plain values as they are, others as text."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    text = _sendable(value if isinstance(value, str) else str(value))
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _sendable(text: str) -> str:
    """Text without lone surrogates (file names have them), which no message can carry."""
    return text.encode("utf-8", "replace").decode()


def _preview_method(extra_data: Mapping[str, Any], default: str) -> str:
    """The prompt's own `preview_method`, or the command line's; `default` and nonsense mean the latter."""
    wanted = extra_data.get("preview_method")
    return wanted if wanted in ("none", "auto", "latent2rgb", "taesd") else default
