"""What the inputs of a workflow mean (the prompt, the seed, the size, …), found by following links from its samplers.

Nothing here knows a list of node classes: a node is a sampler if it is wired like one, and a custom sampler with the
usual input names is understood as well as a built-in one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
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
SIZES = {
    "width": ("width",),
    "height": ("height",),
    "length": ("length", "num_frames", "video_frames", "seconds"),
    "batch": ("batch_size",),
}
# Names of a guidance that another node than the sampler holds: on the guider, or on the way of the positive words.
GUIDANCES = ("guidance", "cfg_conds", "guidance_scale")
HELPERS = ("noise", "guider", "sampler", "sigmas")
TEXTS = ("text", "prompt", "text_g", "text_l", "clip_l", "t5xxl", "positive", "string")
MODELS = ("ckpt_name", "unet_name", "model_name", "gguf_name", "model_path")
SUFFIXES = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".sft", ".bin")
STARTS = {"positive": ("positive", "conditioning", "cond1", "cond"), "negative": ("negative",)}
STRENGTHS = ("strength_model", "strength_clip", "strength")
LITERALS = ("value", "int", "float", "number", "string", "text", "seed", "noise_seed", "boolean")
# Where the words of a prompt never come from; following them would find the other prompt or a model's name.
NOT_TEXT = ("clip", "model", "vae", "control_net", "image", "latent", "latent_image", "samples", "mask", "clip_vision")

ROLES = ("positive", "negative", *SCALARS, *SIZES, "model", "lora", "strength")


def samplers(graph: Graph) -> tuple[str, ...]:
    """The nodes that sample, in the order in which they are expected to run."""
    return tuple(node_id for node_id in expected(graph) if _samples(graph, node_id))


def roles(graph: Graph) -> dict[Place, str]:
    """Input → its role (one of `ROLES`), sampler by sampler in running order; the first role of an input stays."""
    found: dict[Place, str] = {}
    sampling = samplers(graph)
    for sampler in sampling:
        for place, role in roles_of(graph, sampler):
            found.setdefault(place, role)
    return found if sampling else dict(_by_name(graph))


def roles_of(graph: Graph, sampler: str) -> Iterator[tuple[Place, str]]:
    """The inputs that decide what one sampler does, each with its role."""
    positive, passed = _texts(graph, sampler, "positive")
    negative, _ = _texts(graph, sampler, "negative")
    yield from ((place, "positive") for place in positive)
    # Where both sides end at the same words, the negative one is empty: it was zeroed, or is not used.
    yield from ((place, "negative") for place in negative if place not in positive)
    family = list(_with_helpers(graph, sampler))
    for role, names in SCALARS.items():
        found = [place for node_id in family if (place := _scalar(graph, node_id, names)) is not None][:1]
        if role == "cfg" and (not found or value(graph, found[0]) in (0, 1)):
            # A model with its guidance distilled into it: the number that matters goes in with the words.
            found = [*_guidance(graph, (*family, *passed)), *found]
        yield from ((place, role) for place in found)
    yield from _size(graph, sampler)
    yield from _models(graph, family)


def helpers(graph: Graph, sampler: str) -> list[str]:
    """The nodes that only prepare a sampler's arguments: its guider, its noise, …"""
    return list(_with_helpers(graph, sampler))[1:]


def encoders(graph: Graph, sampler: str) -> list[str]:
    """The nodes that encode a sampler's words: of those on the way to them, the ones that take a text encoder."""
    passed = [*_texts(graph, sampler, "positive")[1], *_texts(graph, sampler, "negative")[1]]
    return [node_id for node_id in dict.fromkeys(passed) if link(inputs(graph, node_id).get("clip")) is not None]


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
    """Follow a chain of primitive, pass-through and switch nodes to the value that it begins with."""
    given = inputs(graph, node_id)
    for name in (*names, *LITERALS):
        if isinstance(given.get(name), (int, float, str)):
            return Place(node_id, name)
    origins = list(taken(graph, node_id))
    return _literal(graph, origins[0][1], names, depth - 1) if len(origins) == 1 and depth else None


def taken(graph: Graph, node_id: str) -> Iterator[tuple[str, str, int]]:
    """The links of a node that count: of a switch whose position is known, the one that it lets through."""
    given = inputs(graph, node_id)
    if not _switches(given):
        yield from links(graph, node_id)
        return
    position = _position(graph, node_id)
    for name, origin, slot in links(graph, node_id):
        if name == f"on_{str(position).lower()}" or (not isinstance(position, bool) and name.startswith("on_")):
            yield name, origin, slot


def _position(graph: Graph, node_id: str, depth: int = 8) -> bool | None:
    """Whether a switch is on; None if that is computed. Links alone are followed: a switch may hang on itself."""
    given = inputs(graph, node_id)
    at = next((given[name] for name in ("switch", "boolean", "condition") if name in given), None)
    while (origin := link(at)) is not None and depth:
        above = inputs(graph, origin[0])
        at = next((above[name] for name in ("value", "boolean") if name in above), None)
        depth -= 1
    return at if isinstance(at, bool) else None


def _texts(graph: Graph, sampler: str, side: str) -> tuple[list[Place], list[str]]:
    """The words of one side of the guidance, and the nodes on the way: breadth first to the text encoders and beyond."""
    waiting: deque[tuple[str, int]] = deque()
    for node_id in _with_helpers(graph, sampler):
        given = inputs(graph, node_id)
        if (origin := next((each for name in STARTS[side] if (each := link(given.get(name)))), None)) is not None:
            waiting.append(origin)
            break
    seen: set[tuple[str, int]] = set()
    told: dict[Place, None] = {}
    passed: list[str] = []
    while waiting:
        at = waiting.popleft()
        if at in seen:
            continue
        seen.add(at)
        node_id, slot = at
        passed.append(node_id)
        given = inputs(graph, node_id)
        if "positive" in given and "negative" in given:  # a node that changes both sides: its slots are in that order
            if (origin := link(given["negative" if slot == 1 else "positive"])) is not None:
                waiting.append(origin)
            continue
        named = [name for name in TEXTS if name in given]
        words = [Place(node_id, name) for name in named if isinstance(given[name], str)]
        for name in named:
            if (origin := link(given[name])) is not None:
                words.extend(_words(graph, origin[0]))
        told.update(dict.fromkeys(words))
        if not words:
            waiting.extend((origin, slot) for name, origin, slot in taken(graph, node_id) if name not in NOT_TEXT)
    return list(told), passed


def _words(graph: Graph, node_id: str) -> Iterator[Place]:
    """The strings that a text is put together from, whatever joins, switches or passes it on."""
    waiting, seen = deque([node_id]), set[str]()
    while waiting:
        node_id = waiting.popleft()
        if node_id in seen:
            continue
        seen.add(node_id)
        for name, given in inputs(graph, node_id).items():
            if isinstance(given, str) and (name in TEXTS or name in LITERALS or name.startswith(("string", "text"))):
                yield Place(node_id, name)
        waiting.extend(origin for name, origin, _ in taken(graph, node_id) if name not in NOT_TEXT)


def _guidance(graph: Graph, passed: Iterable[str]) -> Iterator[Place]:
    places = (_scalar(graph, node_id, GUIDANCES) for node_id in passed)
    yield from [place for place in places if place is not None and isinstance(value(graph, place), (int, float))][:1]


def _by_name(graph: Graph) -> Iterator[tuple[Place, str]]:
    """Without a sampler (a service far away makes the picture, or one is only enlarged) names alone must do."""
    names = {name: role for role, each in (SCALARS | SIZES).items() for name in each}
    names |= {"prompt": "positive", "positive_prompt": "positive", "negative_prompt": "negative"}
    names |= dict.fromkeys(MODELS, "model")
    for node_id in expected(graph):
        for name in inputs(graph, node_id):
            place = _scalar(graph, node_id, (name,)) if name in names else None
            texts = names.get(name) in ("positive", "negative", "model", "sampler", "scheduler")
            if place is not None and texts == isinstance(value(graph, place), str):
                yield place, names[name]


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
        given = inputs(graph, node_id)
        if ("width" in given and "height" in given) or "batch_size" in given:
            found = {role: _scalar(graph, node_id, names) for role, names in SIZES.items()}
            yield from (
                (place, role)
                for role, place in found.items()
                if place is not None and isinstance(value(graph, place), (int, float))
            )
            return
        waiting.extend(origin for _, origin, _ in taken(graph, node_id))


def _models(graph: Graph, family: list[str]) -> Iterator[tuple[Place, str]]:
    """The checkpoint and the LoRAs along the model links, the LoRA nearest the checkpoint first."""
    loras: list[list[tuple[Place, str]]] = []
    node_id = next((origin for each in family for name, origin, _ in links(graph, each) if name == "model"), None)
    seen: set[str] = set()
    while node_id is not None and node_id not in seen:
        seen.add(node_id)
        given = inputs(graph, node_id)
        if isinstance(given.get("lora_name"), str):
            weights = [Place(node_id, name) for name in STRENGTHS if isinstance(given.get(name), (int, float))]
            loras.append([(Place(node_id, "lora_name"), "lora"), *((place, "strength") for place in weights)])
        elif (name := _file(given)) is not None:
            yield Place(node_id, name), "model"
            break
        upwards = list(taken(graph, node_id))
        named = [origin for name, origin, _ in upwards if name in ("model", "model1")]
        # What only passes a model on may call it anything; what has several links must say which.
        node_id = named[0] if named else upwards[0][1] if len(upwards) == 1 or (_switches(given) and upwards) else None
    for each in reversed(loras):
        yield from each


def _switches(given: Mapping[str, Any]) -> bool:
    return "on_true" in given and "on_false" in given


def _file(given: Mapping[str, Any]) -> str | None:
    """The input that names the file of a model."""
    known = next((name for name in MODELS if isinstance(given.get(name), str)), None)
    if known is not None or any(link(each) is not None for each in given.values()):
        return known
    return next((n for n, each in given.items() if isinstance(each, str) and each.lower().endswith(SUFFIXES)), None)
