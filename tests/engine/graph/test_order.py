"""Which of the ready nodes goes first."""

from __future__ import annotations

from engine.graph.order import Order

#   load ─ text ─┐
#        └───── sample ─ decode ─ save*
#                  └─ latent*
GRAPH = {
    "load": [],
    "text": ["load"],
    "sample": ["load", "text"],
    "decode": ["sample"],
    "save": ["decode"],
    "latent": ["sample"],
}


def run(outputs: list[str], done: set[str] | None = None) -> list[str]:
    done = done or set()
    order = Order(GRAPH.__getitem__, done.__contains__, {"save", "latent"}.__contains__)
    order.add(*outputs)
    taken = []
    while (node_id := order.take()) is not None:
        taken.append(node_id)
        order.done(node_id)
    return taken


def test_outputs_go_first_when_they_can() -> None:
    assert run(["save", "latent"]) == ["load", "text", "sample", "latent", "decode", "save"]


def test_only_what_is_asked_for() -> None:
    assert run(["latent"]) == ["load", "text", "sample", "latent"]


def test_results_that_exist_are_not_made_again() -> None:
    assert run(["save"], {"sample"}) == ["decode", "save"]


def test_an_output_that_exists_is_announced_and_pulls_nothing() -> None:
    assert run(["save"], {"save"}) == ["save"]


def test_a_taken_node_may_wait_for_more() -> None:
    order = Order(GRAPH.__getitem__, set[str]().__contains__, lambda _: False)
    order.add("load")
    assert order.take() == "load"
    order.wait("load", [])
    assert order.take() == "load", "it needs nothing more and may run"
    lazy = Order(lambda _: [], set[str]().__contains__, lambda _: False)
    lazy.add("switch")
    assert lazy.take() == "switch"
    lazy.wait("switch", ["branch"])
    assert lazy.take() == "branch"
    assert lazy.take() is None
    lazy.done("branch")
    assert lazy.take() == "switch"
