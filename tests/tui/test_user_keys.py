from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.actions import ACTIONS
from comfytui.tui.actions.user_keys import checked, name_of
from tests.tui import sample
from tests.tui.support import running, settle, text


def problems(**keys: str) -> tuple[str, ...]:
    return checked({name.replace("__", "."): key for name, key in keys.items()}, ACTIONS).problems


def test_a_name_gives_the_key_to_all_actions_of_that_name_and_an_id_to_one() -> None:
    found = checked({"run_again": "f9", "queue.again": "f8"}, ACTIONS)
    assert found.keys["history.again"] == "f9"
    assert found.keys["queue.again"] == "f8"
    assert not found.problems


def test_an_unknown_action_is_named_with_a_suggestion_and_the_rest_is_used() -> None:
    found = checked({"queue.cancle": "z", "queue.hold": "z"}, ACTIONS)
    assert any("queue.cancle" in each and "queue.cancel" in each for each in found.problems)
    assert found.keys == {"queue.hold": "z"}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("pgup", "pageup"),
        ("control+x", "'control'"),
        ("ctrl+m", "enter"),
        ("ctrl+i", "tab"),
        ("ctrl+esc", "escape"),
        ("", "no key"),
    ],
)
def test_an_unknown_key_is_named_and_skipped(key: str, said: str) -> None:
    found = checked({"queue.hold": key}, ACTIONS)
    if key:
        assert said in found.problems[0]
        assert not found.keys
    else:  # an empty text is a comma's neighbour, and no crash
        assert found.problems or found.keys


def test_characters_and_names_are_the_same_key() -> None:
    assert checked({"app.help": "?"}, ACTIONS).keys["app.help"] == "question_mark"
    assert checked({"app.help": "ctrl+/,f1"}, ACTIONS).keys["app.help"] == "ctrl+slash,f1"
    assert checked({"app.help": "+"}, ACTIONS).keys["app.help"] == "plus"


def test_two_actions_with_one_key_are_both_named() -> None:
    (first,) = problems(queue__hold="z", queue__front="z")
    assert "queue.hold" in first and "queue.front" in first
    (second,) = problems(queue__hold="x")
    assert "queue.cancel" in second and "no key now" in second
    assert problems(queue__hold="x", queue__cancel="p") == ()
    assert any("app.messages" in each for each in problems(queue__hold="ctrl+e"))


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4))
def test_nothing_that_a_file_says_stops_the_program(keys: dict[str, str]) -> None:
    found = checked(keys, ACTIONS)
    assert all(isinstance(each, str) for each in found.problems)


@given(st.characters(min_codepoint=33, max_codepoint=126))
def test_a_characters_name_is_the_toolkits(character: str) -> None:
    from textual.keys import _character_to_key

    assert name_of(character) == _character_to_key(character)


async def test_a_users_key_works_on_a_screen_in_a_list_in_a_dialog_and_everywhere() -> None:
    keys = {"queue.cancel": "z", "list.down": "ctrl+n", "help.leave": "f7", "app.help": "f6"}
    async with running(sample.busy(4), (120, 40), "2", keys=keys) as (pilot, app, connection):
        view = app.view
        assert view is not None and view.job is not None
        first = view.job.id
        for key in ("j", "x"):
            await pilot.press(key)
            await settle(pilot)
        assert view.job.id == first and not [a for a in connection.asked if a[0] in ("cancel", "interrupt")]
        await pilot.press("ctrl+n")
        await settle(pilot)
        assert view.job.id != first
        await pilot.press("f6")
        await settle(pilot)
        assert "Let the job run next." in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(app.screen_stack) == 2
        await pilot.press("f7")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        await pilot.press("z")
        await settle(pilot)
        assert [a for a in connection.asked if a[0] == "cancel"]
