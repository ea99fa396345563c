"""Node classes and prompts of a recorded server, for tests that replay it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from engine.nodes.definition import Input, NodeDefinition, Output

SHARED = Path(__file__).resolve().parents[4] / "shared" / "recordings"


@cache
def registry() -> dict[str, NodeDefinition]:
    """The recorded classes, without functions."""
    return {name: _definition(info) for name, info in json.loads((SHARED / "object_info.json").read_text()).items()}


def exchanges() -> list[dict[str, Any]]:
    """All `POST /prompt` with a JSON body, in order."""
    if not SHARED.exists():
        return []
    recorded: list[dict[str, Any]] = json.loads((SHARED / "http.json").read_text())
    return [
        exchange
        for exchange in recorded
        if exchange["request"]["method"] == "POST"
        and exchange["request"]["path"] == "/prompt"
        and "prompt" in exchange["request"].get("json", {})
    ]


def _definition(info: dict[str, Any]) -> NodeDefinition:
    inputs = []
    for section in ("required", "optional"):
        for name, spec in info["input"].get(section, {}).items():
            kind, options = spec[0], spec[1] if len(spec) > 1 else {}
            inputs.append(Input(name, kind, options, optional=section == "optional"))
    outputs = [Output(kind) for kind in info["output"]]
    validate = _no_such_file if info["name"] == "LoadImage" else None
    return NodeDefinition(
        info["name"],
        _never,
        tuple(inputs),
        tuple(outputs),
        output_node=info["output_node"],
        validate_inputs=validate,
    )


def _no_such_file(image: str) -> bool | str:
    return True if image == "up.png" else f"Invalid image file: {image}"


def _never(**_: Any) -> Any:
    raise AssertionError("a recorded class has no function")
