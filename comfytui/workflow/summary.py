"""What a workflow is about, found by following its links from the samplers."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from comfytui.workflow import trace
from comfytui.workflow.graph import Graph, inputs


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What a workflow is about. Widths and heights in pixels; empty or None where the graph does not say."""

    name: str = ""  # file or workflow name, if known
    positive: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler: str = ""
    scheduler: str = ""
    denoise: float | None = None
    width: int | None = None
    height: int | None = None
    batch: int | None = None
    model: str = ""
    loras: tuple[str, ...] = ()


def facts(graph: Graph, name: str = "") -> Facts:
    """The facts of the first sampler that will run; without a sampler, what the node inputs alone say.

    Never raises: any mapping gives an answer, if an empty one.
    """
    if not (samplers := trace.samplers(graph)):
        return _without_sampler(graph, name)
    texts: dict[str, list[str]] = {"positive": [], "negative": []}
    found: dict[str, Any] = {}
    loras: list[str] = []
    for place, role in trace.roles_of(graph, samplers[0]):
        value = trace.value(graph, place)
        if role in texts:
            if value.strip() and value not in texts[role]:
                texts[role].append(value)
        elif role == "lora":
            loras.append(value)
        else:
            found.setdefault(role, value)
    return Facts(
        name=name,
        positive=" | ".join(texts["positive"]),
        negative=" | ".join(texts["negative"]),
        seed=_whole(found.get("seed")),
        steps=_whole(found.get("steps")),
        cfg=_number(found.get("cfg")),
        sampler=_text(found.get("sampler")),
        scheduler=_text(found.get("scheduler")),
        denoise=_number(found.get("denoise")),
        width=_whole(found.get("width")),
        height=_whole(found.get("height")),
        batch=_whole(found.get("batch")),
        model=_text(found.get("model")),
        loras=tuple(loras),
    )


def _without_sampler(graph: Graph, name: str) -> Facts:
    """Upscalers and the like: a size and a model are still worth a column."""
    first: dict[str, Any] = {}
    for node_id in graph:
        for key, value in inputs(graph, node_id).items():
            first.setdefault(key, value)
    return Facts(
        name=name,
        width=_whole(first.get("width")),
        height=_whole(first.get("height")),
        batch=_whole(first.get("batch_size")),
        model=next((first[key] for key in trace.MODELS if isinstance(first.get(key), str)), ""),
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else int(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond any float
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
