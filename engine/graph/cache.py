"""Results that are kept between prompts, and the keys that say when one may be used again.

A key stands for a node's class, its constants and the same of everything above it. Node ids are not part of it, so that
a renumbered graph keeps its results, unless the node asks for its id or says that equal inputs give unequal results.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from engine.graph.links import is_link
from engine.nodes.definition import NodeDefinition

Key = bytes

_PLAIN = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Result:
    """What a node gave: a list of values for each output, what it shows (or None), and the types of the outputs."""

    outputs: tuple[list[Any], ...]
    ui: dict[str, Any] | None = None
    types: tuple[str, ...] = ()


class ResultCache:
    """Key → result. `mode`: classic keeps what the last prompt used, lru the newest `limit`, none nothing.

    `ram` keeps everything while more than `spare` bytes of memory are available, then drops the oldest.
    """

    def __init__(
        self, mode: str = "classic", limit: int = 0, spare: float = 0.0, available: Callable[[], float] | None = None
    ) -> None:
        self._mode = mode
        self._limit = limit
        self._spare = spare
        self._available = available or (lambda: math.inf)
        self._results: OrderedDict[Key, Result] = OrderedDict()

    def __len__(self) -> int:
        return len(self._results)

    def begin(self, keys: Iterable[Key | None]) -> None:
        """A prompt with these keys starts: with the classic mode, results of no use to it go."""
        if self._mode == "classic":
            used = set(keys)
            for key in [key for key in self._results if key not in used]:
                del self._results[key]

    def get(self, key: Key | None) -> Result | None:
        if key is None or (result := self._results.get(key)) is None:
            return None
        self._results.move_to_end(key)
        return result

    def put(self, key: Key | None, result: Result) -> None:
        """Keep a result; a node without a key is never kept."""
        if key is None or self._mode == "none":
            return
        self._results[key] = result
        self._results.move_to_end(key)
        if self._mode == "lru":
            while len(self._results) > self._limit:
                self._results.popitem(last=False)
        elif self._mode == "ram":
            while len(self._results) > 1 and self._available() < self._spare:
                self._results.popitem(last=False)

    def drop_types(self, types: frozenset[str]) -> None:
        """Forget results with an output of one of these types (models, when their memory is wanted).

        What was made with them stays: a prompt that needs no more of them does not load them again.
        """
        for key in [key for key, result in self._results.items() if not types.isdisjoint(result.types)]:
            del self._results[key]

    def clear(self) -> None:
        self._results.clear()


def keys(
    prompt: Mapping[str, Any],
    order: Iterable[str],
    registry: Mapping[str, NodeDefinition],
    changed: Callable[[str], Any],
) -> dict[str, Key | None]:
    """The key of each node in `order`, which names ancestors before what uses them. None: never use a result again.

    `changed(node_id)` gives what the node's `is_changed` says, NaN if it must always run.
    """
    found: dict[str, Key | None] = {}
    for node_id in order:
        found[node_id] = _key(node_id, prompt[node_id], registry, changed, found)
    return found


def _key(
    node_id: str,
    node: Mapping[str, Any],
    registry: Mapping[str, NodeDefinition],
    changed: Callable[[str], Any],
    above: Mapping[str, Key | None],
) -> Key | None:
    definition = registry[node["class_type"]]
    parts: list[Any] = [definition.name]
    if definition.is_changed is not None:
        value = changed(node_id)
        if not _is_plain(value):
            return None
        parts.append(value)
    if definition.not_idempotent or "UNIQUE_ID" in definition.hidden.values():
        parts.append(("id", node_id))
    for name, value in sorted(node["inputs"].items()):
        if is_link(value):
            key = above.get(value[0])
            if key is None:
                return None
            parts.append((name, key, value[1]))
        elif _is_plain(value):
            parts.append((name, value))
        else:
            return None
    # repr tells 1 from 1.0 and True, quotes all text, and is written in C.
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=20).digest()


def _is_plain(value: Any) -> bool:
    """A value that equals itself and shows all of itself: JSON, bytes and tuples of these. NaN does not."""
    if isinstance(value, _PLAIN):
        return not (isinstance(value, float) and math.isnan(value))
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, dict) and all(_is_plain(item) for pair in value.items() for item in pair)
