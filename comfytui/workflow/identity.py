"""Which workflow a graph is, whatever its values: what is learned of one run holds for the next with another seed."""

from __future__ import annotations

import hashlib

from comfytui.workflow.graph import Graph, class_type, links


def shape(graph: Graph) -> str:
    """A short name for the nodes, their classes and how they are linked; "" for an empty graph.

    Prompts, seeds, sizes and models do not matter, nor does the order of the nodes. Never raises.
    """
    if not graph:
        return ""
    parts: list[str] = []
    for node_id in sorted(graph):
        linked = sorted(f"{name}<{origin}.{slot}" for name, origin, slot in links(graph, node_id))
        parts.append(f"{node_id}:{class_type(graph, node_id)}({','.join(linked)})")
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()
