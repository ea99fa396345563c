"""When results may be used again, and how many are kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph.cache import Result, ResultCache, keys
from engine.graph.links import reach
from tests.engine.graph.graphs import define, node

REGISTRY = {
    "A": define("A", lambda **_: (), "x?", "y?"),
    "Other": define("Other", lambda **_: (), "x?", "y?"),
    "Once": define("Once", lambda **_: (), "x?", not_idempotent=True),
}
RESULT = Result(())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def key(prompt: dict[str, Any], node_id: str) -> bytes | None:
    return keys(prompt, reach(prompt, [node_id], REGISTRY), REGISTRY, lambda _: None)[node_id]


@given(JSON, JSON)
def test_equal_constants_have_equal_keys(first: Any, second: Any) -> None:
    same = repr(first) == repr(second)
    assert (key({"1": node("A", x={"v": first})}, "1") == key({"2": node("A", x={"v": second})}, "2")) == same


@pytest.mark.parametrize(
    "changed",
    [
        {"1": node("A", x=2), "2": node("A", x=["1", 0], y=3)},
        {"1": node("A", x=1), "2": node("A", x=["1", 0], y=4)},
        {"1": node("A", x=1), "2": node("A", x=["1", 1], y=3)},
        {"1": node("A", x=1), "2": node("A", y=["1", 0], x=3)},
        {"1": node("Other", x=1), "2": node("A", x=["1", 0], y=3)},
        {"1": node("A", x=1), "2": node("A", x=["1", 0])},
    ],
)
def test_every_difference_above_counts(changed: dict[str, Any]) -> None:
    original = {"1": node("A", x=1), "2": node("A", x=["1", 0], y=3)}
    assert key(original, "2") != key(changed, "2")
    renumbered = {"b": node("A", y=3, x=["a", 0]), "a": node("A", x=1)}
    assert key(original, "2") == key(renumbered, "b")


def test_nodes_that_give_different_results_for_equal_inputs_keep_their_own() -> None:
    assert key({"1": node("Once")}, "1") != key({"2": node("Once")}, "2")


def test_what_cannot_be_compared_has_no_key_nor_anything_below() -> None:
    prompt = {"1": node("A", x=float("nan")), "2": node("A", x=["1", 0])}
    assert key(prompt, "2") is None
    cache = ResultCache()
    cache.put(None, RESULT)
    assert len(cache) == 0
    assert cache.get(None) is None


def test_a_cycle_is_an_error_and_no_endless_walk() -> None:
    with pytest.raises(ValueError, match="cycle"):
        reach({"1": node("A", x=["2", 0]), "2": node("A", x=["1", 0])}, ["1"], REGISTRY)


def test_lru_forgets_what_was_used_longest_ago() -> None:
    cache = ResultCache("lru", 2)
    for name in (b"a", b"b"):
        cache.put(name, RESULT)
    cache.get(b"a")
    cache.put(b"c", RESULT)
    assert [cache.get(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]


def test_scarce_memory_drops_the_oldest() -> None:
    free = [10.0]
    cache = ResultCache("ram", spare=5.0, available=lambda: free[0])
    for name in (b"a", b"b", b"c"):
        cache.put(name, RESULT)
    assert len(cache) == 3
    free[0] = 1.0
    cache.put(b"d", RESULT)
    assert len(cache) == 1
    assert cache.get(b"d") is RESULT
