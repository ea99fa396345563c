"""A wrong setting is named with its file, its key, and what it could have been."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.cli.main import IMAGES
from comfytui.settings import schema
from comfytui.settings.schema import Settings, SettingsError


def test_an_empty_file_gives_the_defaults() -> None:
    assert schema.validate({}) == Settings()
    assert Settings().confirm.clear_queue
    assert not Settings().confirm.interrupt


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"themee": "x"}, "f, themee: there is no such setting. Did you mean theme?"),
        ({"theme": 3}, "f, theme: expected text, got int"),
        ({"server": ""}, "f, server: expected text of length >= 1"),
        ({"images": "chafa"}, "f, images: cannot be 'chafa'. Use one of auto, half, kitty, sixel, none, truecolor, 256, shades, off"),
        ({"confirm": {"interrupt": "yes"}}, "f, confirm.interrupt: expected true or false, got text"),
        ({"confirm": 1}, "f, confirm: expected object, got int"),
        ({"engine": {"port": 0}}, "f, engine.port: expected int >= 1"),
        ({"engine": {"prt": 1}}, "f, engine.prt: there is no such setting. Did you mean port?"),
        ({"servers": {"a": {}}}, "f, servers.a.url: is missing"),
        ({"servers": {"good": {"url": "x"}, "b": {"url": ""}}}, "f, servers.b.url: expected text of length >= 1"),
        ({"servers": {"a": {"url": "x", "tokn": "y"}}}, "f, servers.a.tokn: there is no such setting. Did you mean token?"),
        ({"keys": {"quit": 3}}, "f, keys.quit: expected text, got int"),
        ({"workflow_folders": ["a", 2]}, "f, workflow_folders[1]: expected text, got int"),
    ],
)  # fmt: skip
def test_errors_name_file_key_and_remedy(raw: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        schema.validate(raw, file="f")
    assert str(caught.value) == says
    assert caught.value.file == "f"


@given(
    st.dictionaries(
        st.sampled_from([*Settings.__struct_fields__, "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["url", "port", "a.b"]), inner),
            max_leaves=4,
        ),
        max_size=3,
    )
)
def test_any_data_is_accepted_or_explained(raw: dict[str, Any]) -> None:
    try:
        assert isinstance(schema.validate(raw), Settings)
    except SettingsError as error:
        assert error.key
        assert error.problem


def test_every_option_is_described_and_readable_by_its_key() -> None:
    options = schema.options()
    assert {each.key for each in options} >= {"server", "theme", "confirm.interrupt", "engine.port", "keys"}
    for each in options:
        assert each.description, each.key
        assert schema.get(Settings(), each.key) == each.default
        if each.choices:
            assert each.default in each.choices


def test_unknown_keys_suggest_known_ones() -> None:
    for key, says in [("confrm.x", "Did you mean confirm"), ("confirm.x", "interrupt"), ("servers.a", "is not set")]:
        with pytest.raises(SettingsError, match=says):
            schema.get(Settings(), key)


def test_the_command_line_offers_the_choices_of_the_model() -> None:
    assert get_args(schema.Images) == IMAGES
