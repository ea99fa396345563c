"""Turns what happens in a prompt into the events that clients see, in their order and with their fields."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

PREVIEWS_PER_SECOND = 8.0
PREVIEW_QUALITY = 95


class Sink(Protocol):
    """Where events go. `data` belongs to the sender and changes later: encode or copy it before returning.

    Events may be held back until `flush`, which comes before everything that may last.
    """

    def event(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None: ...

    def preview(self, ids: dict[str, Any], image_type: str, image: bytes) -> None: ...

    def text(self, node_id: str, text: str) -> None: ...

    def flush(self) -> None: ...


@dataclass(slots=True)
class History:
    """The part of a prompt's events that is kept with its result."""

    messages: list[tuple[str, dict[str, Any]]]
    outputs: dict[str, Any]
    meta: dict[str, Any]


class Progress:
    """The events of one prompt. It is the `Reporter` that nodes talk to."""

    def __init__(
        self, prompt_id: str, sink: Sink, *, preview_size: int = 512, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.history = History([], {}, {})
        self._prompt_id = prompt_id
        self._sink = sink
        self._preview_size = preview_size
        self._clock = clock
        self._last_preview = float("-inf")
        self._states: dict[str, dict[str, Any]] = {}
        self._state_event = {"prompt_id": prompt_id, "nodes": self._states}

    # ── the prompt ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self._keep("execution_start", {"prompt_id": self._prompt_id, "timestamp": _now()})

    def cached(self, node_ids: list[str]) -> None:
        data = {"nodes": node_ids, "prompt_id": self._prompt_id, "timestamp": _now()}
        self._keep("execution_cached", data)

    def success(self) -> None:
        self._keep("execution_success", {"prompt_id": self._prompt_id, "timestamp": _now()})

    def interrupted(self, node_id: str, node_type: str, executed: list[str]) -> None:
        data = {"prompt_id": self._prompt_id, "node_id": node_id, "node_type": node_type, "executed": executed}
        self._keep("execution_interrupted", {**data, "timestamp": _now()}, broadcast=True)

    def error(self, node_id: str, node_type: str, executed: list[str], details: dict[str, Any]) -> None:
        """`details`: exception_message, exception_type, traceback, current_inputs, current_outputs."""
        data = {"prompt_id": self._prompt_id, "node_id": node_id, "node_type": node_type, "executed": executed}
        self._keep("execution_error", {**data, **details, "timestamp": _now()})

    # ── a node ──────────────────────────────────────────────────────────────────────────────────

    def node_start(self, node_id: str) -> None:
        self._states[node_id] = self._state(node_id, 0.0, 1.0, "running")
        self._send_states()
        self._sink.event("executing", {"node": node_id, "display_node": node_id, "prompt_id": self._prompt_id})
        self._sink.flush()

    def node_done(self, node_id: str, ui: dict[str, Any] | None) -> None:
        """The node ran: its pictures are told, then its end."""
        if ui is not None:
            self._executed(node_id, ui)
        state = self._states[node_id]
        state["value"] = state["max"]
        state["state"] = "finished"
        self._send_states()

    def node_kept(self, node_id: str, ui: dict[str, Any] | None) -> None:
        """The node has its result from before; clients wait for `executed` of every output all the same."""
        self._executed(node_id, ui)
        self._states[node_id] = self._state(node_id, 1, 1, "finished")
        self._send_states()

    def progress(
        self, node_id: str, value: float, maximum: float, preview: Callable[[], Image | None] | None = None
    ) -> None:
        state = self._states[node_id]
        state["value"], state["max"] = value, maximum
        self._send_states()
        if preview is not None and self._preview_is_due(value >= maximum):
            self._show(node_id, preview)
        data = {"value": value, "max": maximum, "prompt_id": self._prompt_id, "node": node_id}
        self._sink.event("progress", data, broadcast=True)
        self._sink.flush()

    def text(self, node_id: str, text: str) -> None:
        self._sink.text(node_id, text)
        self._sink.flush()

    def _executed(self, node_id: str, ui: dict[str, Any] | None) -> None:
        data = {"node": node_id, "display_node": node_id, "output": ui, "prompt_id": self._prompt_id}
        self._sink.event("executed", data)
        if ui is not None:
            self.history.outputs[node_id] = ui
            self.history.meta[node_id] = {
                "node_id": node_id,
                "display_node": node_id,
                "parent_node": None,
                "real_node_id": node_id,
            }

    def _preview_is_due(self, last: bool) -> bool:
        """Few enough for a slow line and a slow encoder; the last one always, it is the one that stays."""
        now = self._clock()
        if self._last_preview > now:  # they were given up
            return False
        if not last and now - self._last_preview < 1.0 / PREVIEWS_PER_SECOND:
            return False
        self._last_preview = now
        return True

    def _show(self, node_id: str, preview: Callable[[], Image | None]) -> None:
        try:
            image = preview()
            data = None if image is None else to_jpeg(image, self._preview_size)
        except Exception as error:
            log.warning("No previews for the rest of this prompt: %s: %s", type(error).__name__, error)
            self._last_preview = float("inf")
            return
        if data is not None:
            ids = {"node_id": node_id, "display_node_id": node_id, "parent_node_id": None, "real_node_id": node_id}
            self._sink.preview(ids, "image/jpeg", data)

    def _keep(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        self.history.messages.append((kind, data))
        self._sink.event(kind, data, broadcast=broadcast)

    def _send_states(self) -> None:
        self._sink.event("progress_state", self._state_event, broadcast=True)

    def _state(self, node_id: str, value: float, maximum: float, state: str) -> dict[str, Any]:
        return {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self._prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }


def to_jpeg(image: Image, longest: int) -> bytes:
    """JPEG bytes of `image`, made smaller if a side is longer than `longest` pixels."""
    if max(image.size) > longest:
        factor = longest / max(image.size)
        image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=PREVIEW_QUALITY)
    return buffer.getvalue()


def _now() -> int:
    return int(time.time() * 1000)
