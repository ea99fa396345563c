"""The worker at work: one thread answers the front at once, the other runs prompts one after another."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

import torch

from engine.files.folders import Folders
from engine.graph.execute import Executor
from engine.graph.validate import Validator
from engine.nodes.registry import Registry
from engine.worker import messages as m
from engine.worker.line import Line

log = logging.getLogger(__name__)

_GRACE = 1.0  # seconds that a running node gets to notice a shutdown


class Loop:
    """Connects a line to an executor and a validator."""

    def __init__(
        self,
        line: Line,
        registry: Registry,
        folders: Folders,
        executor: Executor,
        *,
        describe_devices: Callable[[], list[dict[str, Any]]],
        unload_models: Callable[[], None],
    ) -> None:
        self._line = line
        self._registry = registry
        self._folders = folders
        self._executor = executor
        self._validator = Validator(registry, folders)
        self._describe_devices = describe_devices
        self._unload_models = unload_models
        self._work: queue.SimpleQueue[m.Execute | m.Free | None] = queue.SimpleQueue()
        # A flag a prompt, made when it arrives: an interrupt may overtake the start.
        self._interrupts: dict[str, threading.Event] = {}

    def run(self) -> None:
        """Work until told to stop. Ends the whole process when the front goes away."""
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        with torch.inference_mode():
            while (message := self._work.get()) is not None:
                if isinstance(message, m.Execute):
                    self._execute(message)
                else:
                    self._free(message)

    # ── the listening thread ────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        while (message := self._line.receive()) is not None:
            if isinstance(message, m.Shutdown):
                for flag in list(self._interrupts.values()):
                    flag.set()
                self._work.put(None)
                # The main thread ends the process; a node that does not look at its flag must not keep it alive.
                threading.Timer(_GRACE, os._exit, (0,)).start()
                return
            try:
                self._handle(message)
            except Exception:
                # One message that cannot be handled must not make the worker deaf.
                log.exception("Cannot handle %s", type(message).__name__)
        os._exit(0)

    def _handle(self, message: m.ToWorker) -> None:
        match message:
            case m.Validate():
                self._line.send(self._validate(message))
            case m.Execute():
                self._interrupts[message.prompt_id] = threading.Event()
                self._work.put(message)
            case m.Interrupt(prompt_id=None):
                for flag in list(self._interrupts.values())[:1]:
                    flag.set()
            case m.Interrupt():
                if (known := self._interrupts.get(message.prompt_id or "")) is not None:
                    known.set()
            case m.Free():
                self._work.put(message)
            case m.DescribeNodes():
                body = self._registry.describe(self._folders, message.node)
                self._line.send(m.NodesDescribed(message.request, body))
            case m.DescribeDevices():
                devices = self._describe_devices()
                self._line.send(m.DevicesDescribed(message.request, devices, str(str(torch.__version__))))

    def _validate(self, message: m.Validate) -> m.Validated:
        try:
            verdict = self._validator.validate(message.prompt, message.targets)
            answer = m.Validated(message.request, message.prompt, verdict.outputs, verdict.node_errors, verdict.error)
            m.encode(answer)
        except Exception as error:  # the front waits for an answer, whatever was in the prompt
            log.exception("Cannot validate prompt %s", message.prompt_id)
            refusal = {"type": "invalid_prompt", "message": "The prompt cannot be checked.", "details": str(error)}
            return m.Validated(message.request, {}, [], {}, {**refusal, "extra_info": {}})
        return answer

    # ── the working thread ──────────────────────────────────────────────────────────────────────

    def _execute(self, message: m.Execute) -> None:
        prompt_id = message.prompt_id
        sink = _PromptSink(self._line, prompt_id)
        finished = m.Finished(prompt_id, "error")
        try:
            status, history = self._executor.run(
                prompt_id,
                message.prompt,
                message.outputs,
                sink,
                extra_data=message.extra_data,
                interrupt=self._interrupts[prompt_id],
            )
            finished = m.Finished(prompt_id, status, history.outputs, history.meta, history.messages)
        except Exception:  # a fault of the engine and not of a node: this prompt is lost, the next is not
            log.exception("Prompt %s could not be run", prompt_id)
        finally:
            self._interrupts.pop(prompt_id, None)
        self._line.send(finished)

    def _free(self, message: m.Free) -> None:
        if message.free_memory:
            self._executor.cache.clear()
        self._unload_models()


class _PromptSink:
    """The events of one prompt as messages."""

    def __init__(self, line: Line, prompt_id: str) -> None:
        self._line = line
        self._prompt_id = prompt_id

    def event(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        self._line.send(m.Event(self._prompt_id, kind, data, broadcast))

    def preview(self, ids: dict[str, Any], image_type: str, image: bytes) -> None:
        self._line.send(m.Preview(prompt_id=self._prompt_id, image_type=image_type, image=image, **ids))

    def text(self, node_id: str, text: str) -> None:
        self._line.send(m.Text(self._prompt_id, node_id, text))
