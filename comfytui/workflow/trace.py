"""What the inputs of a workflow mean (the prompt, the seed, the size, …), found by following links from its samplers.

Nothing here knows a list of node classes: a node is a sampler if it is wired like one, and a custom sampler with the
usual input names is understood as well as a built-in one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from comfytui.workflow.graph import Graph, Place, class_type, inputs, link, links
from comfytui.workflow.order import expected

# role → the input names that carry it, on the sampler or on one of its helpers (RandomNoise, BasicScheduler, …)
SCALARS: dict[str, tuple[str, ...]] = {
    "seed": ("seed", "noise_seed"),
    "steps": ("steps",),
    "cfg": ("cfg", "guidance"),
    "sampler": ("sampler_name",),
    "scheduler": ("scheduler",),
    "denoise": ("denoise",),
}
SIZES = {"width": ("width",), "height": ("height",), "batch": ("batch_size",)}
HELPERS = ("noise", "guider", "sampler", "sigmas")
TEXTS = ("text", "prompt", "text_g", "text_l", "clip_l", "t5xxl", "positive", "string")
MODELS = ("ckpt_name", "unet_name", "model_name", "gguf_name", "model_path")
LITERALS = ("value", "int", "float", "number", "string", "text", "seed", "noise_seed", "boolean")
# Where the words of a prompt never come from; following them would find the other prompt or a model's name.
NOT_TEXT = ("clip", "model", "vae", "control_net", "image", "latent", "latent_image", "samples", "mask", "clip_vision")

ROLES = ("positive", "negative", *SCALARS, *SIZES, "model", "lora")


def samplers(graph: Graph) -> tuple[str, ...]:
    """The nodes that sample, in the order in which they are expected to run."""
    return tuple(node_id for node_id in expected(graph) if _samples(graph, node_id))


def roles(graph: Graph) -> dict[Place, str]:
    """Input → its role (one of `ROLES`), sampler by sampler in running order; the first role of an input stays."""
    found: dict[Place, str] = {}
    for sampler in samplers(graph):
        for place, role in roles_of(graph, sampler):
            found.setdefault(place, role)
    return found


def roles_of(graph: Graph, sampler: str) -> Iterator[tuple[Place, str]]:
    """The inputs that decide what one sampler does, each with its role."""
    for place in _texts(graph, sampler, "positive"):
        yield place, "positive"
    for place in _texts(graph, sampler, "negative"):
        yield place, "negative"
    family = list(_with_helpers(graph, sampler))
    for role, names in SCALARS.items():
        found = (_scalar(graph, node_id, names) for node_id in family)
        if (scalar := next((each for each in found if each is not None), None)) is not None:
            yield scalar, role
    yield from _size(graph, sampler)
    yield from _models(graph, family)


def value(graph: Graph, place: Place) -> Any:
    """What stands at a place; None if nothing does."""
    return inputs(graph, place.node_id).get(place.input)


def _samples(graph: Graph, node_id: str) -> bool:
    given = inputs(graph, node_id)
    if "guider" in given and "sigmas" in given:
        return True
    wired = link(given.get("positive")) is not None and link(given.get("model")) is not None
    latent = any(link(given.get(name)) is not None for name in ("latent_image", "latent", "samples"))
    named = any(name in given for name in ("seed", "noise_seed", "sampler_name", "sampler", "steps"))
    return (wired and named) or ("ampler" in class_type(graph, node_id) and latent and named)


def _with_helpers(graph: Graph, sampler: str) -> Iterator[str]:
    """The sampler, then the nodes that only prepare its arguments."""
    yield sampler
    waiting = deque([sampler])
    seen = {sampler}
    while waiting:
        for name, origin, _ in links(graph, waiting.popleft()):
            if name in HELPERS and origin not in seen:
                seen.add(origin)
                waiting.append(origin)
                yield origin


def _scalar(graph: Graph, node_id: str, names: tuple[str, ...]) -> Place | None:
    """The place of a plain value with one of these names, on the node or on the primitive node that feeds it."""
    for name in names:
        given = inputs(graph, node_id).get(name)
        if given is None:
            continue
        origin = link(given)
        if origin is None:
            return Place(node_id, name) if isinstance(given, (int, float, str)) else None
        return _literal(graph, origin[0], names)
    return None


def _literal(graph: Graph, node_id: str, names: tuple[str, ...], depth: int = 8) -> Place | None:
    """Follow a chain of primitive and pass-through nodes to the value that it begins with."""
    given = inputs(graph, node_id)
    for name in (*names, *LITERALS):
        if isinstance(given.get(name), (int, float, str)):
            return Place(node_id, name)
    origins = [origin for _, origin, _ in links(graph, node_id)]
    return _literal(graph, origins[0], names, depth - 1) if len(origins) == 1 and depth else None


def _texts(graph: Graph, sampler: str, side: str) -> Iterator[Place]:
    """The words of one side of the guidance: breadth first from the conditioning input to text encoders."""
    waiting: deque[tuple[str, int]] = deque()
    for node_id in _with_helpers(graph, sampler):
        given = inputs(graph, node_id)
        start = given.get(side)
        if start is None and side == "positive":
            start = given.get("conditioning")
        if (origin := link(start)) is not None:
            waiting.append(origin)
            break
    seen: set[tuple[str, int]] = set()
    told: set[Place] = set()
    while waiting:
        at = waiting.popleft()
        if at in seen:
            continue
        seen.add(at)
        node_id, slot = at
        given = inputs(graph, node_id)
        if "positive" in given and "negative" in given:  # a node that changes both sides: its slots are in that order
            if (origin := link(given["negative" if slot == 1 else "positive"])) is not None:
                waiting.append(origin)
            continue
        places = [_scalar(graph, node_id, (name,)) for name in TEXTS if name in given]
        words = [place for place in places if place is not None and isinstance(value(graph, place), str)]
        yield from (place for place in words if place not in told)
        told.update(words)
        if not words:
            waiting.extend((origin, slot) for name, origin, slot in links(graph, node_id) if name not in NOT_TEXT)


def _size(graph: Graph, sampler: str) -> Iterator[tuple[Place, str]]:
    """Width, height and batch from the nearest node above the latent that has a size."""
    starts = [inputs(graph, sampler).get(name) for name in ("latent_image", "latent", "samples")]
    waiting = deque(origin[0] for start in starts if (origin := link(start)) is not None)
    seen: set[str] = set()
    while waiting:
        node_id = waiting.popleft()
        if node_id in seen or (node_id != sampler and _samples(graph, node_id)):
            continue
        seen.add(node_id)
        found = {role: _scalar(graph, node_id, names) for role, names in SIZES.items()}
        if found["width"] is not None and found["height"] is not None:
            yield from ((place, role) for role, place in found.items() if place is not None)
            return
        waiting.extend(origin for _, origin, _ in links(graph, node_id))


def _models(graph: Graph, family: list[str]) -> Iterator[tuple[Place, str]]:
    """The checkpoint and the LoRAs along the model links, the LoRA nearest the checkpoint first."""
    loras: list[Place] = []
    node_id = next((origin for each in family for name, origin, _ in links(graph, each) if name == "model"), None)
    seen: set[str] = set()
    while node_id is not None and node_id not in seen:
        seen.add(node_id)
        given = inputs(graph, node_id)
        if isinstance(given.get("lora_name"), str):
            loras.append(Place(node_id, "lora_name"))
        name = next((name for name in MODELS if isinstance(given.get(name), str)), None)
        if name is not None:
            yield Place(node_id, name), "model"
            break
        node_id = next((origin for name, origin, _ in links(graph, node_id) if name in ("model", "model1")), None)
    yield from ((place, "lora") for place in reversed(loras))
