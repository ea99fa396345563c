"""Nodes that work on text give what their names say, and no pattern can hold the engine up."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from engine.nodes import strings
from engine.nodes.context import Interrupted
from tests.engine.nodes.support import Reports, context

NODES = {definition.name: definition.function for definition in strings.NODES}
EVIL = ("a" * 60 + "b", "(a|aa)+$")


def extract(tmp_path: Path, mode: str, text: str, pattern: str, **options: Any) -> str:
    flags = {"case_insensitive": False, "multiline": False, "dotall": False, "group_index": 1, **options}
    return NODES["RegexExtract"](text, pattern, mode, context=context(tmp_path), **flags)[0]


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("StringConcatenate", ("a", "b", ", "), "a, b"),
        ("StringSubstring", ("a lighthouse", 2, 7), "light"),
        ("StringSubstring", ("a lighthouse", -5, 100), "house"),
        ("StringLength", ("ß…",), 2),
        ("CaseConverter", ("a Big one", "Title Case"), "A Big One"),
        ("CaseConverter", ("a Big one", "Capitalize"), "A big one"),
        ("StringTrim", ("  x ", "Left"), "x "),
        ("StringReplace", ("a.b.c", ".", "-"), "a-b-c"),
        ("StringContains", ("A Boat", "boat", True), False),
        ("StringContains", ("A Boat", "boat", False), True),
        ("StringCompare", ("Boat", "boat", "Equal", False), True),
        ("StringCompare", ("a boat", "boat", "Ends With", True), True),
        ("StringCompare", ("a boat", "boat", "Starts With", True), False),
    ],
)
def test_what_a_node_gives(name: str, arguments: tuple[Any, ...], wanted: Any) -> None:
    assert NODES[name](*arguments) == (wanted,)


def test_extracting(tmp_path: Path) -> None:
    text = "cat 12, dog 7"
    assert extract(tmp_path, "First Match", text, r"\w+ \d+") == "cat 12"
    assert extract(tmp_path, "All Matches", text, r"\d+") == "12\n7"
    assert extract(tmp_path, "First Group", text, r"(\w+) (\d+)", group_index=2) == "12"
    assert extract(tmp_path, "All Groups", text, r"(\w+) (\d+)") == "cat\ndog"
    assert extract(tmp_path, "All Groups", text, r"(\w+)", group_index=9) == ""
    assert extract(tmp_path, "First Match", text, "DOG") == ""
    assert extract(tmp_path, "First Match", text, "DOG", case_insensitive=True) == "dog"
    assert extract(tmp_path, "First Match", text, "(") == ""


def test_replacing(tmp_path: Path) -> None:
    replace = NODES["RegexReplace"]
    c = context(tmp_path)
    assert replace("a1b2c3", r"\d", "-", context=c) == ("a-b-c-",)
    assert replace("a1b2c3", r"\d", "-", context=c, count=2) == ("a-b-c3",)
    assert replace("a1", r"(\w)(\d)", r"\2\1", context=c) == ("1a",)
    with pytest.raises(ValueError, match=r"'\(' cannot be read"):
        replace("a", "(", "", context=c)
    with pytest.raises(ValueError, match="replacement"):
        replace("a", "a", r"\7", context=c)


def test_a_pattern_that_takes_for_ever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "PATIENCE", 0.2)
    with pytest.raises(TimeoutError, match="simplify"):
        extract(tmp_path, "First Match", *EVIL)


def test_it_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "PATIENCE", 5.0)
    c = context(tmp_path, Reports())
    threading.Timer(0.1, c.interrupt.set).start()
    with pytest.raises(Interrupted):
        NODES["RegexMatch"](*EVIL, case_insensitive=False, multiline=False, dotall=False, context=c)
