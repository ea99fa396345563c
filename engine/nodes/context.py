"""What a running node may tell and ask: progress, previews, texts, and whether it should stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.files.folders import Folders


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The user interrupted the prompt; not an error."""


class Reporter(Protocol):
    """Where a node's reports go (the executor turns them into events)."""

    def progress(self, node_id: str, value: float, maximum: float, preview: Any | None = None) -> None: ...

    def text(self, node_id: str, text: str) -> None: ...


@dataclass(slots=True)
class NodeContext:
    """Handed to a node function that has a parameter `context`."""

    node_id: str
    prompt_id: str
    folders: Folders
    reporter: Reporter
    interrupt: threading.Event
    metadata: bool = True  # False: --disable-metadata, saved files carry no prompt
    preview_method: str = "none"  # none | latent2rgb | auto | taesd, of this prompt
    state: dict[str, Any] = field(default_factory=dict)  # the worker's shared services: "memory", …

    def check(self) -> None:
        """Raise `Interrupted` if the user asked to stop. Cheap: call it once a step."""
        if self.interrupt.is_set():
            raise Interrupted

    def progress(self, value: float, maximum: float, preview: Callable[[], Any] | None = None) -> None:
        """Report a step and stop if asked to. `preview` gives a PIL image; it is only called when somebody looks."""
        self.check()
        self.reporter.progress(self.node_id, value, maximum, preview if self.preview_method != "none" else None)
