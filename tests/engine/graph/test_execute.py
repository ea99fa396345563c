"""What runs, in which order, with which inputs, and what clients are told."""

from __future__ import annotations

import asyncio
import json
import threading
from io import BytesIO
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.graph.execute import Settings
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output
from tests.engine.graph import recorded
from tests.engine.graph.graphs import GRAPH, SHOW, Engine, chain, counter, define, node, sampler


def test_only_what_outputs_need_runs() -> None:
    add, _ = counter()
    engine = Engine(add)
    events = engine.run({**chain(1), "9": node("Add", x=5)})
    assert events.ran() == ["1", "2", "3"]
    assert engine.shown() == {"3": ["3"]}


def test_outputs_come_as_soon_as_they_can() -> None:
    add, _ = counter()
    graph = {
        "a": node("Add", x=1),
        "b": node("Add", x=["a", 0]),
        "slow": node("Add", x=["b", 0]),
        "end": node("Show", x=["slow", 0]),
        "early": node("Show", x=["a", 0]),
    }
    assert Engine(add).run(graph).ran() == ["a", "early", "b", "slow", "end"]


# Node n may use nodes below n: every graph without a cycle can be written so.
GRAPHS = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *(
            st.tuples(
                st.integers(0, 2),
                st.lists(st.integers(0, n - 1), max_size=3) if n else st.just([]),
                st.booleans(),
            )
            for n in range(size)
        )
    )
)


def build(graph: Any, names: list[str]) -> dict[str, Any]:
    prompt: dict[str, Any] = {}
    for number, (constant, sources, output) in enumerate(graph):
        inputs = {f"i{slot}": [names[source], 0] for slot, source in enumerate(sources)}
        prompt[names[number]] = node("End" if output else "Mid", c=constant, **inputs)
    prompt[names[-1]]["class_type"] = "End"
    return prompt


def recorder() -> tuple[list[NodeDefinition], list[Any]]:
    calls: list[Any] = []

    def work(c: int, i0: Any = None, i1: Any = None, i2: Any = None) -> tuple[Any]:
        value = (c, i0, i1, i2)
        calls.append(value)
        return (value,)

    inputs = ("c", "i0?", "i1?", "i2?")
    return [define("Mid", work, *inputs), define("End", lambda **k: (*work(**k),), *inputs, output_node=True)], calls


@given(GRAPHS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_graph(graph: Any, random: Any) -> None:
    """Sources before users, each needed node once, equal nodes once, all kept for an equal and renumbered prompt."""
    names = [f"n{number}" for number in range(len(graph))]
    random.shuffle(names)
    prompt = build(graph, names)
    classes, calls = recorder()
    engine = Engine(*classes)
    events = engine.run(prompt)
    assert engine.status == "success"

    ran = events.ran()
    done = [data["node"] for data in events.of("executed")]
    needed: set[str] = set()
    waiting = [name for name, entry in prompt.items() if entry["class_type"] == "End"]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [value[0] for value in prompt[name]["inputs"].values() if isinstance(value, list)]
    assert len(ran) == len(set(ran))
    # What did not run was the twin of a node that did, and was told as such.
    assert set(ran) | set(done) == needed
    assert not set(ran) & set(done)
    place = {name: number for number, name in enumerate(ran)}
    for name in ran:
        for value in prompt[name]["inputs"].values():
            if isinstance(value, list) and value[0] in place:
                assert place[value[0]] < place[name]
    mids = [call for call in calls if call]
    assert len(mids) == len(ran)

    calls.clear()
    renamed = build(graph, [f"other{number}" for number in range(len(graph))])
    assert engine.run(renamed).ran() == []
    assert calls == []


@given(GRAPHS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_change_runs_exactly_what_depends_on_it(graph: Any, data: Any) -> None:
    # Constants of their own: no node has a twin.
    graph = [(number * 10, sources, output) for number, (_, sources, output) in enumerate(graph)]
    names = [str(number) for number in range(len(graph))]
    classes, _ = recorder()
    engine = Engine(*classes)
    first = engine.run(build(graph, names)).ran()
    changed = data.draw(st.integers(0, len(graph) - 1))
    graph[changed] = (1, *graph[changed][1:])
    affected = {changed}
    for number, (_, sources, _output) in enumerate(graph):
        if affected & set(sources):
            affected.add(number)
    assert set(engine.run(build(graph, names)).ran()) == {names[n] for n in affected} & set(first)


def lists(name: str, *values: Any) -> NodeDefinition:
    return define(name, lambda: (list(values),), outputs=(Output("*", is_list=True),))


def test_lists_run_a_node_for_each_and_shorter_ones_repeat_their_last() -> None:
    add, calls = counter()
    engine = Engine(add, lists("Three", 1, 2, 3), lists("Two", 10, 20))
    engine.run(
        {"a": node("Three"), "b": node("Two"), "c": node("Add", x=["a", 0], y=["b", 0]), "d": node("Show", x=["c", 0])}
    )
    assert calls == [1, 2, 3]
    assert engine.shown() == {"d": ["12", "23", "24"]}


def test_whole_lists_go_to_nodes_that_ask() -> None:
    total = define("Total", lambda x, c: (sum(x) * c[0],), "x", "c", input_is_list=True)
    engine = Engine(total, lists("Three", 1, 2, 3))
    engine.run({"a": node("Three"), "b": node("Total", x=["a", 0], c=2), "d": node("Show", x=["b", 0])})
    assert engine.shown() == {"d": ["12"]}


def test_empty_list_beside_values_is_an_error() -> None:
    add, _ = counter()
    engine = Engine(add, lists("None"))
    engine.run({"a": node("None"), "b": node("Add", x=["a", 0], y=1), "d": node("Show", x=["b", 0])})
    assert engine.status == "error"
    assert "empty list" in engine.events.of("execution_error")[0]["exception_message"]


def test_hidden_inputs() -> None:
    seen: list[Any] = []
    spy = define(
        "Spy",
        lambda **given: seen.append(given),
        outputs=(),
        output_node=True,
        hidden={"prompt": "PROMPT", "extra": "EXTRA_PNGINFO", "me": "UNIQUE_ID"},
    )
    graph = {"7": node("Spy")}
    Engine(spy).run(graph, extra_data={"extra_pnginfo": {"workflow": {}}})
    assert seen == [{"prompt": graph, "extra": {"workflow": {}}, "me": "7"}]


def test_undeclared_inputs_are_not_handed_over() -> None:
    engine = Engine()
    engine.run({"1": node("Show", x=1, sneaky=2)})
    assert engine.status == "success"


def switch() -> NodeDefinition:
    def choose(first: bool, a: Any = None, b: Any = None) -> tuple[Any]:
        return (a if first else b,)

    def needs(first: bool, a: Any = None, b: Any = None) -> list[str]:
        return (["a"] if a is None else []) if first else (["b"] if b is None else [])

    lazy = {"lazy": True}
    return define("Switch", choose, "first", Input("a", "*", lazy), Input("b", "*", lazy), check_lazy=needs)


@pytest.mark.parametrize(("first", "expected"), [(True, 11), (False, 21)])
def test_lazy_inputs_run_only_when_asked_for(first: bool, expected: int) -> None:
    add, calls = counter()
    engine = Engine(add, switch())
    engine.run(
        {
            "a": node("Add", x=10),
            "b": node("Add", x=20),
            "s": node("Switch", first=first, a=["a", 0], b=["b", 0]),
            "o": node("Show", x=["s", 0]),
        }
    )
    assert engine.shown() == {"o": [str(expected)]}
    assert calls == [expected - 1]


def test_raw_links_arrive_as_links_and_pull_nothing() -> None:
    add, calls = counter()
    raw = define("Raw", lambda x: (x,), Input("x", "*", {"rawLink": True}))
    engine = Engine(add, raw)
    engine.run({"1": node("Add", x=1), "2": node("Raw", x=["1", 0]), "3": node("Show", x=["2", 0])})
    assert engine.shown() == {"3": ["['1', 0]"]}
    assert calls == []


def test_async_nodes_are_awaited() -> None:
    async def later(x: int) -> tuple[int]:
        await asyncio.sleep(0)
        return (x * 2,)

    engine = Engine(define("Later", later, "x"))
    engine.run({"1": node("Later", x=21), "2": node("Show", x=["1", 0])})
    assert engine.shown() == {"2": ["42"]}


def test_gradients_do_not_leak() -> None:
    def grow() -> tuple[torch.Tensor]:
        assert torch.is_inference_mode_enabled()
        with torch.inference_mode(False), torch.enable_grad():
            return (torch.ones(2, requires_grad=True) * 2,)

    engine = Engine(
        define("Grow", grow),
        define("Ask", lambda x: {"ui": {"text": [str(x.requires_grad)]}}, "x", outputs=(), output_node=True),
    )
    engine.run({"1": node("Grow"), "2": node("Ask", x=["1", 0])})
    assert engine.shown() == {"2": ["False"]}


def test_previews_only_when_somebody_looks() -> None:
    engine = Engine(sampler(threading.Event(), 0))
    assert engine.run(GRAPH).previews == []
    engine = Engine(sampler(threading.Event(), 0), settings=Settings(preview_method="auto"))
    events = engine.run(GRAPH)
    ids, kind, data = events.previews[0]
    assert (ids["node_id"], kind) == ("1", "image/jpeg")
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (512, 256)
    assert len(events.previews) < 8, "steps faster than anybody sees send fewer pictures"
    engine = Engine(sampler(threading.Event(), 0), settings=Settings(preview_method="auto"))
    assert engine.run(GRAPH, extra_data={"preview_method": "none"}).previews == []
    engine = Engine(sampler(threading.Event(), 0))
    assert engine.run(GRAPH, extra_data={"preview_method": "latent2rgb"}).previews


def test_a_broken_preview_does_not_stop_the_work() -> None:
    def sample(context: NodeContext) -> tuple[int]:
        for step in range(1, 5):
            context.progress(step, 4, lambda: 1 / 0)
        return (1,)

    engine = Engine(define("Sample", sample, wants_context=True), settings=Settings(preview_method="auto"))
    events = engine.run({"1": node("Sample"), "2": node("Show", x=["1", 0])})
    assert engine.status == "success"
    assert len(events.of("progress")) == 4


def shape(kind: str, data: dict[str, Any]) -> Any:
    """An event without what differs from run to run."""
    if kind == "progress_state":
        return (
            kind,
            sorted(data),
            [(list(entry), entry["value"], entry["max"], entry["state"]) for entry in data["nodes"].values()],
        )
    return kind, list(data)


@pytest.mark.skipif(not recorded.SHARED.exists(), reason="needs the recordings")
def test_events_are_those_of_the_recording() -> None:
    """The first part of a recorded run: a sampler with previews, then a quick output."""
    lines = (recorded.SHARED / "ws-txt2img-previews.jsonl").read_text().splitlines()
    frames = [json.loads(line) for line in lines]
    want = []
    for frame in frames:
        if "binary_base64" in frame:
            want.append(("preview",))
            continue
        kind, data = frame["text"]["type"], frame["text"]["data"]
        if kind in ("status", "feature_flags"):
            continue
        if data.get("node") == "8":  # the recorded run goes on with a decoder
            break
        if kind == "progress_state" and "8" in data["nodes"]:
            continue
        want.append(shape(kind, data))

    def sample(context: NodeContext) -> tuple[int]:
        for step in range(1, 7):
            context.progress(step, 6, lambda: Image.new("RGB", (8, 8)))
        return (1,)

    engine = Engine(define("Sample", sample, wants_context=True), settings=Settings(preview_method="auto"))
    events = engine.run({"3": node("Sample"), "10": node("Show", x=["3", 0])})
    got = [("preview",) if kind == "preview" else shape(kind, data) for kind, data in events.all]
    without_previews = [entry for entry in got if entry != ("preview",)]
    assert without_previews[:-1] == [entry for entry in want if entry != ("preview",)]
    assert without_previews[-1][0] == "execution_success"
    # The picture of a step comes between its two progress events.
    first = got.index(("preview",))
    assert got[first - 1][0] == "progress_state"
    assert got[first + 1][0] == "progress"
    assert events.broadcast == {"progress", "progress_state"}


def test_nothing_is_held_back_while_a_node_runs() -> None:
    seen: list[tuple[int, int]] = []
    look = define("Look", lambda: seen.append((engine.events.flushed, len(engine.events.all))))
    engine = Engine(look)
    engine.run({"1": node("Look"), "2": node("Show", x=5), "3": node("Show", x=["1", 0])})
    ((flushed, told),) = seen
    assert flushed == told > 0


def test_history_has_outputs_and_where_they_are_from() -> None:
    engine = Engine()
    engine.run({"1": node("Show", x=5)}, "id")
    assert engine.history.outputs == {"1": {"text": ["5"]}}
    assert engine.history.meta == {"1": {"node_id": "1", "display_node": "1", "parent_node": None, "real_node_id": "1"}}
    assert [kind for kind, _ in engine.history.messages] == ["execution_start", "execution_cached", "execution_success"]
    assert SHOW.output_node
