"""What the web page does with the seed after each run, as its form of a workflow says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

WORDS = ("randomize", "increment", "decrement", "fixed")


def control_of(workflow: Mapping[str, Any] | None) -> str:
    """The control of the first seed: one of WORDS, "" if the form (decoded JSON) has none. Never raises."""
    found = [word for nodes in _sheets(workflow) for node in nodes for word in _controls(node)]
    # A seed that changes is what makes two runs differ: a second one that is fixed says nothing against it.
    return next((word for word in found if word != "fixed"), found[0] if found else "")


def _sheets(workflow: Mapping[str, Any] | None) -> Iterator[list[Any]]:
    if workflow is None:
        return
    definitions = workflow.get("definitions")
    inner = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
    for sheet in (workflow, *(inner if isinstance(inner, list) else ())):
        nodes = sheet.get("nodes") if isinstance(sheet, Mapping) else None
        if isinstance(nodes, list):
            yield nodes


def _controls(node: Any) -> Iterator[str]:
    """The words that stand right behind a whole number."""
    values = node.get("widgets_values") if isinstance(node, Mapping) else None
    if not isinstance(values, list) or node.get("mode") in (2, 4):  # muted or bypassed
        return
    for number, word in pairwise(values):
        if isinstance(number, int) and not isinstance(number, bool) and isinstance(word, str) and word in WORDS:
            yield word
