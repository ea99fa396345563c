"""What a log says line by line, however it was cut into pieces on its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client.frames import log_text, logs
from comfytui.client.messages import LogPiece
from comfytui.state import log_filter
from comfytui.state.filters import BadFilter
from comfytui.state.log_levels import Level, level_of
from comfytui.state.logs import Line, Log

TRACEBACK = """\
ERROR:root:!!! Exception during processing !!! no memory
Traceback (most recent call last):
  File "execution.py", line 510, in execute
    run()
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "nodes.py", line 12, in sample
    raise RuntimeError("no memory")
RuntimeError: no memory
got prompt
"""


def fed(*texts: str, kept: int = 5000) -> Log:
    log = Log(kept)
    log.feed(LogPiece(text) for text in texts)
    return log


def texts(log: Log) -> list[str]:
    return [line.text for line in log.since(0)]


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and the same in pieces."""
    whole = draw(st.text(st.sampled_from("ab \n"), max_size=60))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return whole, [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@given(cut_up())
def test_where_a_text_was_cut_makes_no_difference(case: tuple[str, list[str]]) -> None:
    whole, pieces = case
    lines = whole.split("\n")
    assert texts(fed(*pieces)) == (lines[:-1] if lines[-1] == "" else lines)


@given(st.lists(st.text(st.sampled_from("xE: \r\n%|1"), max_size=30), max_size=40), st.integers(1, 9))
def test_the_ring_is_bounded_and_its_numbers_and_counts_hold(pieces: list[str], kept: int) -> None:
    log = Log(kept)
    for piece in pieces:
        end, before = log.end, [line.number for line in log.since(log.end - 1)]
        log.feed([LogPiece(piece), LogPiece("ERROR: y\n"), LogPiece("Warning: z\n")])
        assert log.end >= end
        assert before == [] or log.first > before[0] or log.line(before[0]) is not None
        lines = log.since(0)
        assert len(lines) == len(log) <= kept
        assert [line.number for line in lines] == list(range(log.first, log.end))
        assert log.errors == sum(line.level is Level.ERROR and line.block == line.number for line in lines)
        assert log.warnings == sum(line.level is Level.WARNING for line in lines)
        assert all("\n" not in line.text and "\r" not in line.text for line in lines)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30).map(sorted))
def test_a_progress_bar_is_one_line_as_a_stream_and_as_lines(steps: list[int]) -> None:
    bars = [f"loading: {n:3}%|####      | {n}/100" for n in steps]
    assert texts(fed("start\n", *(f"\r{bar}" for bar in bars), "\n", "end\n")) == ["start", bars[-1], "end"]
    assert texts(fed("start\n", *(f"{bar}\n" for bar in bars), "end\n")) == ["start", bars[-1], "end"]


def test_what_is_printed_beside_a_bar_gets_a_line_of_its_own() -> None:
    log = fed("\r 10%|#   | 1/10", "got prompt\n", "\r 20%|##  | 2/10")
    assert texts(log) == [" 10%|#   | 1/10", "got prompt", " 20%|##  | 2/10"]


def test_other_bars_are_other_lines() -> None:
    assert len(fed("a:  10%|#   |\n", "b:  20%|##  |\n", "b:  30%|### |\n", "b:   0%|    |\n").since(0)) == 3


def test_a_traceback_is_one_block_with_the_line_that_tells_of_it() -> None:
    log = fed("got prompt\n", TRACEBACK)
    block = [line for line in log.since(0) if line.block == 1]
    assert [line.number for line in block] == list(range(1, 13))
    assert all(line.level is Level.ERROR for line in block)
    assert log.errors == 1
    assert log.line(13) == Line(13, "got prompt", block=13)
    for line in block:
        assert list(log.block(line)) == block
    assert list(log.block(log.since(13)[0])) == log.since(13)


def test_a_block_that_has_half_fallen_off_is_what_is_left_of_it() -> None:
    log = fed(TRACEBACK, kept=3)
    assert [line.text for line in log.block(log.since(0)[0])] == [
        '    raise RuntimeError("no memory")',
        "RuntimeError: no memory",
    ]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ERROR:root:it broke", Level.ERROR),
        ("[ERROR] it broke", Level.ERROR),
        ("2026-11-24 03:10:05,123 - comfy - WARNING - slow", Level.WARNING),
        ("[ComfyUI-Manager] Error: no network", Level.ERROR),
        ("CRITICAL: disk", Level.ERROR),
        ("/x/y.py:12: FutureWarning: `a` is deprecated", Level.WARNING),
        ("INFO:     127.0.0.1 - GET /", Level.INFO),
        ("[DEBUG] collected", Level.DEBUG),
        ("!!! Exception during processing !!! CUDA out of memory", Level.ERROR),
        ("   0.0 seconds (IMPORT FAILED): /custom_nodes/x", Level.ERROR),
        ("Cannot import /custom_nodes/x module for custom nodes: no torch", Level.ERROR),
        ("RuntimeError: size mismatch", Level.ERROR),
        ("Prompt executed in 3.21 seconds", Level.UNTOLD),
        ("got prompt", Level.UNTOLD),
        ("loaded the errorless model", Level.UNTOLD),
        ("the information: 12", Level.UNTOLD),
        ("", Level.UNTOLD),
    ],
)
def test_levels(text: str, level: Level) -> None:
    assert level_of(text) is level


@given(st.text(max_size=300))
def test_pieces_are_clean_and_keep_their_breaks(text: str) -> None:
    clean = log_text(text)
    assert log_text(clean) == clean
    assert "\x1b" not in clean and "\x9b" not in clean and "\u202e" not in clean


def test_colours_are_taken_off_and_odd_entries_left_out() -> None:
    found = logs({"entries": [
        {"t": "2026-11-23T19:05:53.746813", "m": "\x1b[31mred\x1b[0m\n"}, {"t": 3, "m": "\r 5%\n"},
        {"t": "\x1b]0;x", "m": "a\tb\r\nc"}, {"m": 5}, "x", None,
    ]})  # fmt: skip
    assert found.pieces == (
        LogPiece("red\n", "2026-11-23T19:05:53.746813"), LogPiece("\r 5%\n"), LogPiece("a b\nc"),
    )  # fmt: skip
    assert logs({"entries": "x"}).pieces == logs({}).pieces == ()


def test_a_flood_is_bounded_in_every_direction() -> None:
    log = fed("x" * 10_000_000, *("y" * 3000 for _ in range(50)))
    assert max(len(text) for text in texts(log)) <= 10_000_000  # the boundary cuts earlier:
    assert len(log_text("x" * 10_000_000)) <= 2000
    assert len(texts(fed(*(["y" * 3000] * 50)))[0]) <= 4000


# Filters


def line(text: str) -> Line:
    return Line(0, text, level_of(text), block=0)


@pytest.mark.parametrize(
    ("query", "text", "matches"),
    [
        ("", "anything", True),
        ("cuda MEM", "CUDA out of memory", True),
        ("cuda disk", "CUDA out of memory", False),
        ('"out of"', "CUDA out of memory", True),
        ("-cuda", "CUDA out of memory", False),
        ("level:error", "ERROR: x", True),
        ("level:warn", "ERROR: x", True),
        ("level:error", "Warning: x", False),
        ("level:info", "got prompt", True),
        ("level:info", "[DEBUG] x", False),
        ("don't", "I don't know", True),
        ("-", "a - b", True),
    ],
)
def test_filters(query: str, text: str, matches: bool) -> None:
    assert log_filter.parse(query).matches(line(text)) is matches


def test_an_unknown_level_is_named_with_those_that_are() -> None:
    with pytest.raises(BadFilter, match=r"level:loud.*error, warning, info, debug"):
        log_filter.parse("x level:loud")


@given(st.text(max_size=40), st.text(max_size=60))
def test_matches_stand_where_they_are_marked(query: str, text: str) -> None:
    try:
        wanted = log_filter.parse(query)
    except BadFilter:
        return
    for start, end in log_filter.spans(text, wanted):
        assert text[start:end].lower() in wanted.words
