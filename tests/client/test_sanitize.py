"""What a hostile string is turned into before anything shows it."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client import sanitize

ANY = st.text(st.characters(), max_size=300)  # surrogates included
HOSTILE = st.text(
    st.sampled_from("\x1b\x9b\x9d\x90\x07\x9c]P[0;?mJ\\\u202e\u2066\u2028\r\n\t\0\x85ab…é\U0001f469\u200d\ufe0f"),
    max_size=80,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=20,
)


def harmless(text: str) -> bool:
    return not any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(c) in
        ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for c in text
    )  # fmt: skip


@given(ANY | HOSTILE)
def test_a_line_never_holds_what_a_terminal_obeys(text: str) -> None:
    clean = sanitize.line(text)
    assert harmless(clean)
    assert len(clean) <= sanitize.MAX_LINE
    clean.encode()


@given(ANY | HOSTILE)
def test_a_block_keeps_line_breaks_and_tabs_and_nothing_else(text: str) -> None:
    clean = sanitize.block(text)
    assert harmless(clean.replace("\n", "").replace("\t", ""))
    assert "\r" not in clean


@given(ANY | HOSTILE, st.integers(2, 30))
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    for clean in (sanitize.line, sanitize.block):
        once = clean(text, limit)
        assert clean(once, limit) is once
        assert len(once) <= limit


@given(JSON)
def test_a_document_is_clean_throughout_and_cleaning_it_is_idempotent(value: object) -> None:
    clean = sanitize.json_value(value)

    def check(item: object) -> None:
        if isinstance(item, dict):
            for name, inner in item.items():
                assert harmless(name)
                check(inner)
        elif isinstance(item, list):
            for inner in item:
                check(inner)
        elif isinstance(item, str):
            assert harmless(item.replace("\n", "").replace("\t", ""))
        elif isinstance(item, float):
            assert math.isfinite(item)

    check(clean)
    assert sanitize.json_value(clean) is clean


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 family",  # zero-width joiners
        "❤️ heart",  # variation selector
        "東京の夜 – 한국어",
        "हिन्दी क्‍ष",  # joiner inside a script
        "שלום עולם, مرحبا",
        "é è ñ Å",
        "[bold red]no markup here[/] (cat:1.2) <lora:x:1>",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "",
    ],
)
def test_good_text_stays_as_it_is(text: str) -> None:
    assert sanitize.line(text) == text
    assert sanitize.block(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x9b31mred", "red"),
        ("a\x1b\x1b[31m[31mb", "a�[31mb"),  # what is left may not become a sequence
        ("\x1b]0;never ends", "0;never ends"),
        ("photo\u202egnp.exe", "photo�gnp.exe"),
        ("a\rb\r\nc\u2028d\te", "a b c d e"),
        ("nul\0bell\x07del\x7f", "nul�bell�del�"),
        ("lone \ud800 surrogate", "lone � surrogate"),
    ],
)
def test_a_line(text: str, expected: str) -> None:
    assert sanitize.line(text) == expected


def test_a_block_has_lines() -> None:
    assert sanitize.block("one\r\ntwo\rthree\u2029four\x0bfive\n\tsix") == "one\ntwo\nthree\nfour\nfive\n\tsix"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert sanitize.line("x" * 600) == "x" * 499 + "…"
    assert len(sanitize.block("\x1b[0m" * 1_000_000 + "y" * 100_000)) <= sanitize.MAX_BLOCK


def test_a_clean_document_is_returned_itself() -> None:
    document = {"3": {"inputs": {"text": "a cat\nand a dog", "seed": 2**64 - 1, "model": ["4", 0]}}}
    assert sanitize.json_value(document) is document


def test_a_document_has_bounds() -> None:
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    shown = str(sanitize.json_value(deep))
    assert "…" in shown
    assert len(shown) < 500
    assert sanitize.json_value({"a": [1] * 100, "b": [2], "c": [3]}, items=50) == {"a": [1] * 100, "b": "…", "c": "…"}


def test_keys_that_become_equal_keep_the_first() -> None:
    assert sanitize.json_value({"a\0": 1, "a\1": 2}) == {"a�": 1}


def test_numbers_that_json_cannot_write_are_dropped() -> None:
    assert sanitize.json_value([math.nan, math.inf, 1.5, 10**400]) == [None, None, 1.5, "…"]
