"""Nodes that fail, want of memory, and interruptions: what is told, and that the next prompt runs."""

from __future__ import annotations

import json
import threading
import weakref
from typing import Any

import pytest
import torch

from tests.engine.graph.graphs import GRAPH, Engine, chain, counter, define, node, sampler


@pytest.mark.parametrize("error", [ValueError("too odd"), SystemExit("bye"), KeyboardInterrupt("no")])
def test_failing_node_is_reported_and_the_next_prompt_runs(error: BaseException) -> None:
    add, _ = counter()

    def fail(x: Any, name: str) -> None:
        raise error

    engine = Engine(add, define("Fail", fail, "x", "name"))
    graph = {
        "1": node("Add", x=1),
        "2": node("Show", x=["1", 0]),
        "3": node("Fail", x=["1", 0], name="n"),
        "4": node("Show", x=["3", 0]),
    }
    events = engine.run(graph)
    (data,) = events.of("execution_error")
    assert engine.status == "error"
    assert data["node_id"] == "3"
    assert data["node_type"] == "Fail"
    assert data["exception_type"] == type(error).__name__
    assert data["exception_message"] == f"{error}\n"
    assert data["current_inputs"] == {"x": [2], "name": ["n"]}
    assert data["executed"] == ["1", "2"]
    assert any("raise error" in line for line in data["traceback"])
    assert engine.history.messages[-1] == ("execution_error", data)
    assert engine.shown() == {"2": ["2"]}, "what was finished stays"
    engine.run(chain(1))
    assert engine.status == "success"


def test_errors_show_inputs_that_can_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("bad \udcff name")

    engine = Engine(define("Fail", fail, "big", "long", "odd", output_node=True))
    (data,) = engine.run({"1": node("Fail", big=1 << 80, long="x" * 9999, odd="\udcff")}).of("execution_error")
    json.dumps(data).encode("ascii")
    assert data["current_inputs"]["big"] == [str(1 << 80)]
    assert len(data["current_inputs"]["long"][0]) < 5000
    data["exception_message"].encode()
    caplog.text.encode()  # a log line that cannot be encoded ends whoever passes it on


def test_nothing_of_the_failed_prompt_is_alive_when_memory_is_released() -> None:
    """The device's cache is emptied only once: what is still held then stays occupied."""
    made: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def make() -> tuple[torch.Tensor]:
        tensor = torch.zeros(4)
        made.append(weakref.ref(tensor))
        return (tensor,)

    def fail(x: torch.Tensor) -> tuple[torch.Tensor]:
        copy = x + 1
        made.append(weakref.ref(copy))
        try:
            copy.expand(1 << 40, 1 << 40).contiguous()
        except RuntimeError as error:
            raise MemoryError("too large") from error
        return (copy,)

    release = lambda: alive.append(sum(one() is not None for one in made))  # noqa: E731
    engine = Engine(define("Make", make), define("Fail", fail, "x"), release_memory=release)
    engine.run({"1": node("Make"), "2": node("Fail", x=["1", 0]), "3": node("Show", x=["2", 0])})
    assert engine.status == "error"
    assert alive == [0]


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_after_want_of_memory_everything_is_released(error: Exception) -> None:
    def fail(x: Any) -> None:
        raise error

    released: list[int] = []
    add, _ = counter()
    engine = Engine(add, define("Fail", fail, "x"), release_memory=lambda: released.append(1))
    (data,) = engine.run({"1": node("Add", x=1), "2": node("Fail", x=["1", 0]), "3": node("Show", x=["2", 0])}).of(
        "execution_error"
    )
    assert data["exception_message"].startswith(f"{error}\n")
    assert "smaller" in data["exception_message"].lower()
    assert data["exception_message"].endswith("\n")
    assert released == [1]
    assert len(engine.executor.cache) == 0


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (torch.OutOfMemoryError("CUDA error: out of memory"), False),
    ],
)
def test_a_lost_device_is_noticed(error: Exception, lost: bool) -> None:
    def fail() -> None:
        raise error

    engine = Engine(define("Fail", fail, outputs=(), output_node=True))
    engine.run({"1": node("Fail")})
    assert engine.executor.device_lost is lost


def test_wrong_return_value_names_the_class() -> None:
    engine = Engine(define("Odd", lambda: 3))
    (data,) = engine.run({"1": node("Odd"), "2": node("Show", x=["1", 0])}).of("execution_error")
    assert "Odd returned int" in data["exception_message"]


def test_interrupt_acts_at_the_next_report() -> None:
    flag = threading.Event()
    engine = Engine(sampler(flag, 3))
    events = engine.run(GRAPH, interrupt=flag)
    assert engine.status == "interrupted"
    assert len(events.of("progress")) == 2
    (data,) = events.of("execution_interrupted")
    assert {**data, "timestamp": 0} == {
        "prompt_id": "p",
        "node_id": "1",
        "node_type": "Sample",
        "executed": [],
        "timestamp": 0,
    }
    assert engine.history.messages[-1][0] == "execution_interrupted"


def test_interrupt_before_the_start_runs_nothing() -> None:
    flag = threading.Event()
    flag.set()
    add, calls = counter()
    engine = Engine(add)
    engine.run(chain(1), interrupt=flag)
    assert (engine.status, calls) == ("interrupted", [])
