"""What is kept of a prompt for the next: results by what they were made from, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from engine.graph.cache import ResultCache
from tests.engine.graph.graphs import Engine, chain, counter, define, node


def test_kept_outputs_are_told_again() -> None:
    add, calls = counter()
    engine = Engine(add)
    engine.run(chain(1))
    calls.clear()
    events = engine.run(chain(1), "q")
    assert calls == []
    assert events.of("execution_cached")[0]["nodes"] == ["1", "2", "3"]
    assert [kind for kind, _ in events.all] == [
        "execution_start",
        "execution_cached",
        "executed",
        "progress_state",
        "execution_success",
    ]
    assert events.of("executed") == [{"node": "3", "display_node": "3", "output": {"text": ["3"]}, "prompt_id": "q"}]
    assert engine.shown() == {"3": ["3"]}


def test_results_of_the_last_prompt_only_are_kept() -> None:
    add, calls = counter()
    engine = Engine(add)
    for value in (1, 5, 1):
        engine.run(chain(value))
    assert calls == [1, 2, 5, 6, 1, 2]


@pytest.mark.parametrize(("cache", "expected"), [(ResultCache("none"), 6), (ResultCache("lru", 100), 4)])
def test_other_ways_to_keep(cache: ResultCache, expected: int) -> None:
    add, calls = counter()
    engine = Engine(add, cache=cache)
    for value in (1, 5, 1):
        engine.run(chain(value))
    assert len(calls) == expected


def test_lru_is_bounded() -> None:
    add, _ = counter()
    engine = Engine(add, cache=ResultCache("lru", 2))
    engine.run(chain(1))
    assert len(engine.executor.cache) == 2


def test_models_can_be_forgotten_alone() -> None:
    add, calls = counter()
    load = define("Load", lambda: calls.append("load") or (1,), outputs=("MODEL",))
    engine = Engine(add, load)

    def graph(y: int) -> dict[str, Any]:
        return {
            "1": node("Load"),
            "2": node("Add", x=["1", 0]),
            "3": node("Add", x=["2", 0], y=y),
            "4": node("Show", x=["3", 0]),
        }

    engine.run(graph(0))
    engine.executor.cache.drop_types(frozenset({"MODEL"}))
    calls.clear()
    engine.run(graph(1))
    assert calls == [2], "what the model made is still there, so nobody needs the model"


def test_twins_run_once_and_the_second_is_told_with_nothing_to_show() -> None:
    add, calls = counter()
    engine = Engine(add)
    graph = {
        "1": node("Add", x=1),
        "2": node("Add", x=1),
        "3": node("Add", x=["1", 0], y=["2", 0]),
        "4": node("Show", x=["3", 0]),
    }
    events = engine.run(graph)
    assert calls == [1, 2]
    assert engine.shown() == {"4": ["5"]}
    assert [data["output"] for data in events.of("executed")] == [None, {"text": ["5"]}]


def test_kinds_of_numbers_are_not_equal() -> None:
    add, calls = counter()
    engine = Engine(add)
    for value in (1, 1.0, True):
        engine.run(chain(value))
    assert len(calls) == 6


def test_changed_world_runs_again() -> None:
    state = [0]
    add, _ = counter()
    look = define("Look", lambda: (state[0],), is_changed=lambda: state[0])
    engine = Engine(add, look)
    graph = {"1": node("Look"), "2": node("Show", x=["1", 0])}
    assert engine.run(graph).ran() == ["1", "2"]
    assert engine.run(graph).ran() == []
    state[0] = 7
    assert engine.run(graph).ran() == ["1", "2"]
    assert engine.shown() == {"2": ["7"]}


@pytest.mark.parametrize("answer", [lambda: float("nan"), lambda: 1 / 0, object])
def test_always_changed_nodes_always_run(answer: Any) -> None:
    engine = Engine(define("Dice", lambda: (4,), is_changed=answer))
    graph = {"1": node("Dice"), "2": node("Show", x=["1", 0])}
    for _ in range(2):
        assert engine.run(graph).ran() == ["1", "2"]


def test_nodes_that_see_their_id_do_not_share_results() -> None:
    who = define("Who", lambda me: (me,), hidden={"me": "UNIQUE_ID"})
    engine = Engine(who)
    engine.run({"1": node("Who"), "2": node("Who"), "3": node("Show", x=["1", 0]), "4": node("Show", x=["2", 0])})
    assert engine.shown() == {"3": ["1"], "4": ["2"]}
