"""The worker at work: one thread answers the front at once, the other runs prompts one after another."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import torch

from engine.files.folders import Folders
from engine.graph.execute import Executor, qualified
from engine.graph.validate import Validator
from engine.nodes.registry import Registry
from engine.worker import messages as m
from engine.worker.line import Line, to_frame

log = logging.getLogger(__name__)

MODEL_TYPES = frozenset(
    {"MODEL", "CLIP", "VAE", "CONTROL_NET", "CLIP_VISION", "STYLE_MODEL", "GLIGEN", "UPSCALE_MODEL"}
)
_IDLE = 0.2  # seconds without work after which the rest of the start is done
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
        when_idle: Iterable[Callable[[], object]] = (),
    ) -> None:
        """`when_idle` are short pieces of work for the first idle moments; a prompt waits for one at most."""
        self._line = line
        self._registry = registry
        self._folders = folders
        self._executor = executor
        self._validator = Validator(registry, folders)
        self._describe_devices = describe_devices
        self._unload_models = unload_models
        self._when_idle = deque(when_idle)
        self._work: queue.SimpleQueue[m.Execute | m.Free | None] = queue.SimpleQueue()
        # A flag a prompt, made when it arrives: an interrupt may overtake the start.
        self._interrupts: dict[str, threading.Event] = {}

    def run(self) -> None:
        """Work until told to stop. Ends the whole process when the front goes away."""
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        with torch.inference_mode():
            while True:
                try:
                    message = self._work.get(timeout=_IDLE if self._when_idle else None)
                except queue.Empty:
                    self._when_idle.popleft()()
                    continue
                if message is None:
                    return
                if isinstance(message, m.Execute):
                    self._execute(message)
                else:
                    self._free(message)

    # ── the listening thread ────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        while True:
            try:
                message = self._line.receive()
            except msgspec.DecodeError as error:
                log.error("A message from the front cannot be read: %s", error)  # noqa: TRY400 - the text says it all
                continue
            if message is None:
                os._exit(0)  # the front has gone
            if isinstance(message, m.Shutdown):
                for flag in list(self._interrupts.values()):
                    flag.set()
                self._work.put(None)
                # The main thread ends the process; a node that does not look at its flag must not keep it alive.
                last = threading.Timer(_GRACE, os._exit, (0,))
                last.daemon = True  # or leaving would always take as long
                last.start()
                return
            try:
                self._handle(message)
            except Exception:
                # One message that cannot be handled must not make the worker deaf.
                log.exception("Cannot handle %s", type(message).__name__)

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
        except Exception as error:  # a fault of the engine and not of a node: this prompt is lost, the next is not
            log.exception("Prompt %s could not be run", prompt_id)
            failure = _failure(prompt_id, error)
            sink.event("execution_error", failure)
            finished = m.Finished(prompt_id, "error", messages=[("execution_error", failure)])
        finally:
            self._interrupts.pop(prompt_id, None)
        sink.finish(finished)
        if self._executor.device_lost:
            log.error("The GPU answers nothing any more; the worker is started again")
            os._exit(3)

    def _free(self, message: m.Free) -> None:
        if message.free_memory:
            self._executor.cache.clear()
        self._executor.cache.drop_types(MODEL_TYPES)  # results hold the models that their loaders gave
        self._unload_models()


def _failure(prompt_id: str, error: Exception) -> dict[str, Any]:
    """The `execution_error` of a prompt that failed outside of any node."""
    return {
        "prompt_id": prompt_id,
        "node_id": "",
        "node_type": "",
        "executed": [],
        "exception_message": f"The engine could not run this prompt: {error}\n",
        "exception_type": qualified(error),
        "traceback": traceback.format_tb(error.__traceback__),
        "current_inputs": {},
        "current_outputs": [],
        "timestamp": int(time.time() * 1000),
    }


class _PromptSink:
    """The events of one prompt as messages, sent when something begins that may last.

    A short prompt has a dozen events, and each write costs two system calls and wakes the front: together they are
    cheaper than one node.
    """

    def __init__(self, line: Line, prompt_id: str) -> None:
        self._line = line
        self._prompt_id = prompt_id
        self._frames: list[bytes] = []

    def event(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        self._frames.append(to_frame(m.Event(self._prompt_id, kind, data, broadcast)))

    def preview(self, ids: dict[str, Any], image_type: str, image: bytes) -> None:
        message = m.Preview(prompt_id=self._prompt_id, image_type=image_type, image=image, **ids)
        self._frames.append(to_frame(message))

    def text(self, node_id: str, text: str) -> None:
        self._frames.append(to_frame(m.Text(self._prompt_id, node_id, text)))

    def flush(self) -> None:
        frames, self._frames = self._frames, []
        self._line.send_frames(b"".join(frames))

    def finish(self, finished: m.Finished) -> None:
        """The last message, together with the events before it."""
        self._frames.append(to_frame(finished))
        self.flush()
