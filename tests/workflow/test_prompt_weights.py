"""Weights in a prompt: what is put on a word is what text encoders read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.prompt_weights import LEAST, MOST, STEP, adjust, parse


@pytest.mark.parametrize(
    ("marked", "by", "becomes"),
    [
        ("a |cat sleeps", STEP, "a (cat:1.05) sleeps"),
        ("a cat| sleeps", STEP, "a (cat:1.05) sleeps"),
        ("a (c|at:1.05) sleeps", STEP, "a (cat:1.1) sleeps"),
        ("a (cat:1.05|) sleeps", -STEP, "a cat sleeps"),
        ("a (cat:1.05) sle|eps", -STEP, "a (cat:1.05) (sleeps:0.95)"),
        ("a [[red cat]], b", STEP, "a (red cat:1.05), b"),
        ("a [[red cat ]]b", STEP, "a (red cat:1.05) b"),
        ("a [[(red cat:1.2)]]", STEP, "a (red cat:1.25)"),
        ("a ([[red cat]]:1.2)", STEP, "a (red cat:1.25)"),
        ("a (red| cat)", STEP, "a (red cat:1.15)"),
        ("a (red (c|at:1.3):1.2)", STEP, "a (red (cat:1.35):1.2)"),
        ("a (re|d (cat:1.3):1.2)", -STEP, "a (red (cat:1.3):1.15)"),
        ("a ([[red]] cat:1.2)", STEP, "a ((red:1.25) cat:1.2)"),
        ("[[a (red]] cat:1.2) b", STEP, "(a (red cat:1.2):1.05) b"),
        (r"a \(ca|t\)", STEP, r"a (\(cat\):1.05)"),
        ("embedding:ea|sy.pt, x", STEP, "(embedding:easy.pt:1.05), x"),
        ("a cat|. It sleeps", STEP, "a (cat:1.05). It sleeps"),
        ("at 12:3|0", STEP, "at (12:30:1.05)"),
        ("(x|:10)", STEP, "(x:10)"),
        ("(x|:0)", -STEP, "(x:0)"),
    ],
)
def test_a_key_on_a_word(marked: str, by: float, becomes: str) -> None:
    if "[[" in marked:
        start, end = marked.index("[["), marked.replace("[[", "").index("]]")
        text = marked.replace("[[", "").replace("]]", "")
        found = adjust(text, start, end, by)
    else:
        found = adjust(marked.replace("|", ""), marked.index("|"), None, by)
    assert found is not None
    assert found.text == becomes


@pytest.mark.parametrize("text", ["", "  ", "a (b", "a) b", ", ,"])
def test_where_nothing_can_be_weighed(text: str) -> None:
    assert adjust(text, 1) is None


def test_the_key_can_be_pressed_again_and_taken_back() -> None:
    text, at = "a red cat, a dog", 3
    for _ in range(4):
        found = adjust(text, at)
        assert found is not None
        text, at = found.text, found.start
    assert text == "a (red:1.2) cat, a dog"
    for _ in range(4):
        found = adjust(text, at, None, -STEP)
        assert found is not None
        text, at = found.text, found.start
    assert text == "a red cat, a dog"


def test_words_and_weights_are_read() -> None:
    assert parse(r"a (b (c:0.5)) (d:1.3) \(e\)") == [
        ("a ", 1.0), ("b ", 1.1), ("c", 0.5), (" ", 1.0), ("d", 1.3), (r" \(e\)", 1.0),
    ]  # fmt: skip
    assert parse("((x))") == [("x", pytest.approx(1.21))]
    assert parse("a (b") == [("a (b", 1.0)]


texts = st.text(st.sampled_from("ab ,.:01()\\{|}\n"), max_size=24)


@given(texts, st.integers(0, 24), st.none() | st.integers(0, 24), st.sampled_from([STEP, -STEP]))
def test_what_it_makes_reads_as_the_same_words_with_the_new_weight(
    text: str, start: int, end: int | None, by: float
) -> None:
    found = adjust(text, start, end, by)
    if found is None:
        return

    def letters(whole: str) -> list[tuple[str, float]]:
        return [(letter, weight) for words, weight in parse(whole) for letter in words]

    before, after = letters(text), letters(found.text)
    assert [letter for letter, _ in before] == [letter for letter, _ in after]
    changed = [(old, new) for (_, old), (_, new) in zip(before, after, strict=True) if abs(old - new) > 1e-9]
    for old, new in changed:
        assert LEAST <= new <= max(MOST * 1.1**12, old)
    inside = found.text[found.start : found.end]
    assert inside.strip()


@given(st.text(max_size=60), st.integers(-3, 70), st.none() | st.integers(-3, 70))
def test_any_text(text: str, start: int, end: int | None) -> None:
    adjust(text, start, end)
    parse(text)
