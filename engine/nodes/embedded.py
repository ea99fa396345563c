"""What a node that saves writes into its file: the prompt, and what the client told of it (its workflow)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.nodes.context import NodeContext

HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}  # the hidden inputs of every node that saves


def embedded(context: NodeContext, prompt: Any, extra_pnginfo: Mapping[str, Any] | None) -> dict[str, Any]:
    """By name; nothing where the engine was told to write none (--disable-metadata)."""
    if not context.metadata:
        return {}
    return ({} if prompt is None else {"prompt": prompt}) | dict(extra_pnginfo or {})
