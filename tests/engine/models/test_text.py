import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.text import CHUNK, Span, Token, chunk, parse, tokenize


@pytest.mark.parametrize(
    ("prompt", "spans"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("a (red) cat", [("a ", 1.0), ("red", 1.1), (" cat", 1.0)]),
        ("((red))", [("red", 1.21)]),
        ("(red:1.3)", [("red", 1.3)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 2.0), (" c", 0.5)]),
        ("(a (b))", [("a ", 1.1), ("b", 1.21)]),
        (r"\(red\) cat", [("(red) cat", 1.0)]),
        (r"(a \(b\):1.5)", [("a (b)", 1.5)]),
        ("[red]", [("[red]", 1.0)]),
        ("(red", [("(red", 1.0)]),
        ("red)", [("red)", 1.0)]),
        ("(red:)", [("red:", 1.1)]),
        ("(12:30 o'clock)", [("12:30 o'clock", 1.1)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        ("(a:inf)", [("a:inf", 1.1)]),
        ("(a:-1)", [("a", -1.0)]),
        ("()", []),
        ("", []),
    ],
)
def test_the_syntax(prompt, spans):
    found = [(s.text, round(s.weight, 6)) for s in parse(prompt)]
    assert found == spans


@given(st.text(alphabet="ab():.\\1 [],", max_size=60))
def test_any_text_parses_to_finite_weights_and_loses_no_letters(prompt):
    spans = parse(prompt)
    assert all(isinstance(s, Span) and math.isfinite(s.weight) for s in spans)
    assert re.sub("[^ab]", "", "".join(s.text for s in spans)) == re.sub("[^ab]", "", prompt)


@given(st.text(alphabet=st.characters(exclude_characters="()\\\ue000\ue001"), min_size=1))
def test_text_without_parentheses_is_one_span_of_weight_one(text):
    assert parse(text) == [Span(text, 1.0)]


@given(st.text(alphabet="ab ", min_size=1, max_size=10), st.floats(0.1, 3).map(lambda w: round(w, 2)))
def test_an_explicit_weight_is_taken_as_it_is(text, weight):
    assert parse(f"(({text}:{weight}))") == [Span(text, weight)]


def test_a_thousand_parentheses_are_no_stack_overflow():
    assert parse("(" * 1000 + "a" + ")" * 1000)


def letters(text):
    return [ord(c) for c in text if c != " "]


def names(**known):
    return known.get


@pytest.mark.parametrize(
    ("prompt", "values"),
    [
        ("ab embedding:x c", [97, 98, "v", "w", 99]),
        ("embedding:x", ["v", "w"]),
        ("embedding:x, c", ["v", "w", 44, 99]),
        ("embedding:none c", [99]),
        ("embedding:none, c", [44, 99]),
        ("embedding:", []),
        ("(embedding:x:1.2)", ["v", "w"]),
    ],
)
def test_embeddings(prompt, values):
    runs = tokenize(prompt, letters, names(x=["v", "w"]))
    assert [t.value for run in runs for t in run] == values


def flat(chunks):
    return [t.value for c in chunks for t in c if t.value not in ("<", ">", "_")]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=200), max_size=8))
def test_chunks_are_full_and_keep_every_token_in_order(runs):
    made = chunk([[Token(v) for v in run] for run in runs], Token("<"), Token(">"), Token("_"))
    assert made
    assert all(len(c) == CHUNK + 2 and c[0].value == "<" and [t.value for t in c].count(">") == 1 for c in made)
    assert flat(made) == [v for run in runs for v in run]


def test_short_runs_are_not_cut_at_the_end_of_a_chunk():
    made = chunk([[Token(1)] * 72, [Token(2)] * 5], Token("<"), Token(">"), Token("_"))
    assert [t.value for t in made[0]].count(2) == 0
    made = chunk([[Token(1)] * 72, [Token(2)] * 9], Token("<"), Token(">"), Token("_"))
    assert [t.value for t in made[0]].count(2) == 3
