"""What is typed for a setting is of the kind that its value is, or is not sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.setting_values import BadValue, as_typed, kind_of, read, shown, whole

JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_what_is_shown_for_editing_is_read_as_it_was(value: Any) -> None:
    assert read(as_typed(value), value) == value


@given(st.text(max_size=30), JSON)
def test_the_kind_never_changes(text: str, old: Any) -> None:
    try:
        new = read(text, old)
    except BadValue as error:
        assert str(error).startswith("has to be ")
        return
    assert kind_of(new) == kind_of(old)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [("5", 3, 5), ("0.5", 1.5, 0.5), ("2", 1.5, 2), ("yes", False, True), ("off", True, False), ("[1]", [], [1]),
     ('{"a": 1}', {}, {"a": 1}), ("5", "x", "5"), ("", "x", ""), ("null", None, None)],
)  # fmt: skip
def test_values_that_are_taken(text: str, old: Any, new: Any) -> None:
    assert read(text, old) == new


@pytest.mark.parametrize(
    ("text", "old", "why"),
    [("many", 3, "a number"), ("0.5", 3, "whole number"), ("true", 3, "a number, not yes or no"),
     ("perhaps", True, "yes or no"), ("[1]", {}, "an object"), ("{", [], "a list"), ("NaN", 1.0, "finite"),
     ("[" * 100_000, [], "a list")],
)  # fmt: skip
def test_values_that_are_refused_with_a_reason(text: str, old: Any, why: str) -> None:
    with pytest.raises(BadValue, match=why):
        read(text, old)


def test_what_was_cleaned_is_not_sent_back() -> None:
    assert whole("Comfy.Locale", {"a": ["ü", 1]})
    assert not whole("Comfy.Lo\ufffdcale", 1) and not whole("a", ["x\ufffd"])


def test_words_for_values() -> None:
    assert [shown(each) for each in (True, [], ["a", 1], {"k": 1}, "a\nb", 3)] == [
        "yes",
        "none",
        "a, 1",
        "k",
        "a b",
        "3",
    ]
