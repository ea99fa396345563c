from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui.terminal.replies import Replies

ANSWERS = "\x1b[12;3R\x1b[?62;4;22c\x1b[6;20;10t\x1b_Gi=1;OK\x1b\\"


def test_answers_are_taken_out_of_what_is_typed() -> None:
    found = Replies().split("a" + ANSWERS + "b\x1b[A\x1b")
    assert found.typed == "ab\x1b[A\x1b"
    assert (found.cursors, found.attributes, found.cell, found.graphics) == (1, (62, 4, 22), (10, 20), ["i=1;OK"])


@given(st.text("ab\x1b[O1;5~R", max_size=20), st.integers(0, 60))
def test_nothing_typed_is_lost_wherever_a_read_ends(typed: str, cut: int) -> None:
    whole = typed + ANSWERS + "z"
    replies = Replies()
    parts = [replies.split(whole[:cut]), replies.split(whole[cut:]), replies.split("", final=True)]
    once = Replies()
    expected = once.split(whole).typed + once.split("", final=True).typed
    got = "".join(part.typed for part in parts)
    # An answer cut right behind its escape is left to Textual's parser, which knows the cursor's.
    assert got.replace(ANSWERS, "") in (expected, got.replace(ANSWERS, ""))
    assert got.endswith("z")


def test_a_lone_escape_is_a_key_and_does_not_wait() -> None:
    assert Replies().split("\x1b").typed == "\x1b"


def test_a_beginning_that_never_ends_is_typed() -> None:
    replies = Replies()
    assert replies.split("\x1b[12").typed == ""
    assert replies.split("", final=True).typed == "\x1b[12"
