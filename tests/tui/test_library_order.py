"""Which workflow files are listed and in what order."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.tui.library import Entry
from comfytui.tui.library_order import Order, matches, ordered
from comfytui.tui.shelf import used_by
from comfytui.workflow.summary import Facts

SEA = Entry(
    Path("/w/sea.json"), "mine", "sea.json", (3, 1), "api", facts=Facts(positive="a house", model="sd/flux1-dev.safetensors"),
    classes=("KSampler", "SaveImage"), models=("sd/flux1-dev.safetensors",),
)  # fmt: skip
CAVE = Entry(
    Path("/w/a/cave.json"), "mine", "a/cave.json", (9, 1), "api", classes=("KSamplerAdvanced",), models=("x.gguf",)
)
BAD = Entry(Path("/w/bad.json"), "mine", "bad.json", (5, 1), error="not JSON")
THERE = Entry(Path("sea.json"), "server", "sea.json", (1, 1), unread=True, on_server="sea.json")
ALL = [BAD, SEA, CAVE, THERE]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("node:ksampler", [SEA]),
        ("node:KSampler*", [SEA, CAVE]),
        ("model:flux1", [SEA]),
        ("in:server", [THERE]),
        ("house flux", [SEA]),
        ("cve", [CAVE]),
        ("sea", [SEA, THERE]),
        ("", ALL),
        ("nothing", []),
    ],
)
def test_words_and_keys(query: str, found: list[Entry]) -> None:
    assert [entry for entry in ALL if matches(entry, query)] == found


def test_orders() -> None:
    recent = ["server:sea.json", "/w/a/cave.json"]
    assert ordered(ALL, Order.RECENT, recent) == [THERE, CAVE, SEA, BAD], "used last first, what is broken last"
    assert [each.name for each in ordered(ALL, Order.NAME, ())] == ["a/cave.json", "bad.json", "sea.json", "sea.json"]
    assert ordered(ALL, Order.DATE, ()) == [CAVE, BAD, SEA, THERE]


def test_who_uses_a_model_whatever_folder_it_lies_in() -> None:
    assert used_by(ALL, "other\\FLUX1-dev.safetensors") == [SEA]
