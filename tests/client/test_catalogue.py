"""A catalogue is read node by node, with the same result as in one piece."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client import sanitize
from comfytui.client.catalogue import read_catalogue
from comfytui.client.errors import BadAnswer

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=5))
def test_it_is_the_same_as_in_one_piece(catalogue: dict) -> None:
    data = json.dumps(catalogue).encode()  # with NaN and lone surrogates, as servers write them
    assert read_catalogue(data) == sanitize.json_value(json.loads(data))


@pytest.mark.parametrize("data", [b"[]", b"3", b'{"a": ', b"", b"<html>"])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_catalogue(data)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_catalogue_or_a_bad_answer(data: bytes) -> None:
    with contextlib.suppress(BadAnswer):
        assert isinstance(read_catalogue(data), dict)
