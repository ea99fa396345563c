"""Fuzzy matching: what was meant comes first, the letters that are marked are those that were typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.fuzzy import ranked, score, spans, words_of

NAMES = ["dpmpp_2m", "dpmpp_2m_sde", "euler", "euler_ancestral", "sd_xl_base_1.0.safetensors", "flux1-dev.safetensors"]


@pytest.mark.parametrize(
    ("query", "first"),
    [("euler", "euler"), ("anc", "euler_ancestral"), ("2m sde", "dpmpp_2m_sde"), ("flxdev", "flux1-dev.safetensors"),
     ("xl", "sd_xl_base_1.0.safetensors"), ("eulan", "euler_ancestral")],
)  # fmt: skip
def test_what_was_meant_comes_first(query: str, first: str) -> None:
    assert NAMES[ranked(query, NAMES)[0]] == first


def test_nothing_typed_leaves_the_order() -> None:
    assert ranked("  ", NAMES) == list(range(len(NAMES)))
    assert ranked("qqq", NAMES) == []


def test_words_of_names() -> None:
    assert words_of("CLIPTextEncode") == ["clip", "text", "encode"]
    assert words_of("sd_xl_base-1.0") == ["sd", "xl", "base", "1", "0"]
    assert words_of("画像を Load") == ["画像を", "load"]


@pytest.mark.parametrize(
    ("text", "word", "marked"),
    [("KSampler", "sam", "Sam"), ("CLIPTextEncode", "cte", "CTE"), ("KSampler", "ksmplr", "KSmplr"), ("Blur", "x", "")],
)
def test_the_marked_letters_are_those_that_were_meant(text: str, word: str, marked: str) -> None:
    assert "".join(text[start:end] for start, end in spans(text, [word])) == marked


@given(st.text(max_size=30), st.lists(st.text(max_size=6), max_size=3))
def test_spans_lie_within_the_text_in_order_and_apart(text: str, words: list[str]) -> None:
    end = -1
    for start, stop in spans(text, [word.lower() for word in words]):
        assert end < start < stop <= len(text)
        end = stop


@given(st.text(alphabet="abcAB_1 é画", max_size=12), st.text(alphabet="abcab_1é画", min_size=1, max_size=6))
def test_what_matches_is_marked_and_what_is_part_of_a_name_matches(text: str, word: str) -> None:
    word = word.lower()
    assert (score(word, text) > 0) == bool(spans(text, [word])), "a match without letters would look like a mistake"
    if word in text.lower():
        assert score(word, text) >= 60


@given(st.lists(st.text(max_size=8), max_size=8), st.text(max_size=6))
def test_ranking_only_leaves_out(names: list[str], query: str) -> None:
    found = ranked(query, names)
    assert len(set(found)) == len(found) and set(found) <= set(range(len(names)))
