"""What a workflow in the UI form (as the web page saves it) is about, as far as it can be read without the server.

The UI form names its nodes and their widgets' values, but not which value belongs to which input: that is known by the
server's declarations. What is told here comes from node classes whose widgets everybody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from comfytui.workflow.remedies import MODEL_FILE
from comfytui.workflow.summary import Facts

MAX_NODES = 20_000
NOT_NODES = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})  # the page's own, unknown to the server
MUTED = (2, 4)  # modes in which a node does not run: never, bypassed


class UIForm(msgspec.Struct, frozen=True):
    """A workflow in UI form. `classes` are those of the nodes that run, each as often as it is used."""

    classes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    facts: Facts = Facts()


def ui_form(data: Any, name: str = "") -> UIForm | None:
    """Read decoded JSON; None if it is not in UI form. Never raises."""
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
        return None
    nodes = [node for node in _nodes(data) if node.get("mode") not in MUTED]
    classes = tuple(str(node["type"]) for node in nodes if node["type"] not in NOT_NODES)
    values = [(str(node["type"]), _values(node)) for node in nodes]
    models = tuple(
        dict.fromkeys(v for _, given in values for v in given if isinstance(v, str) and MODEL_FILE.search(v))
    )
    return UIForm(classes, models, _facts(values, nodes, models, name))


def _nodes(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes, and those within subgraphs in place of the node that stands for one."""
    definitions = data.get("definitions")
    listed = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    subgraphs = {
        str(each.get("id")): each["nodes"]
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("nodes"), list)
    }
    waiting = list(reversed(data["nodes"][:MAX_NODES]))
    seen = 0
    while waiting and seen < MAX_NODES:  # subgraphs may hold one another
        node = waiting.pop()
        seen += 1
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            continue
        if (inner := subgraphs.get(node["type"])) is not None:
            waiting.extend(reversed(inner[:MAX_NODES]))
        else:
            yield node


def _values(node: Mapping[str, Any]) -> list[Any]:
    found = node.get("widgets_values")
    if isinstance(found, dict):
        return list(found.values())
    return found if isinstance(found, list) else []


def _facts(
    values: list[tuple[str, list[Any]]], nodes: list[Mapping[str, Any]], models: tuple[str, ...], name: str
) -> Facts:
    found: dict[str, Any] = {}
    texts: list[str] = []
    loras: list[str] = []
    for kind, given in values:
        match (kind, *given):
            case ("CLIPTextEncode", str() as text, *_) if text.strip():
                texts.append(text)
            case ("KSampler", int() as seed, _, int() as steps, int() | float() as cfg, str(), str(), *_):
                found |= {"seed": seed, "steps": steps, "cfg": float(cfg), "sampler": given[4], "scheduler": given[5]}
            case ("LoraLoader" | "LoraLoaderModelOnly", str() as lora, *_):
                loras.append(lora)
            case (_, int() as width, int() as height, int() as batch, *_) if "Latent" in kind:
                found |= {"width": width, "height": height, "batch": batch}
    base = next((model for model in models if model not in loras), "")
    # Which text is the negative one is in the links; by their order on the page it mostly is the second.
    return Facts(
        name=name,
        positive=texts[0] if texts else "",
        negative=texts[1] if len(texts) > 1 else "",
        model=base,
        loras=tuple(loras),
        **found,
    )
