"""Sweeps: as many jobs as the definition says, each with a name that stays, and none that a slip of the hand makes by the million."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.workflow.document import Document, parse
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.variations import (
    MAX_JOBS,
    Source,
    Variation,
    graph_of,
    plan,
    read_job_file,
    read_rows,
    values,
)
from tests.support.replay import txt2img

STEPS = st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True)
CFGS = st.lists(st.integers(1, 20), min_size=1, max_size=4, unique=True)


def document() -> Document:
    return parse(json.dumps(txt2img(seed=7)).encode(), "mine.json")


def jobs(folder: Path, text: str, salt: str = "salt") -> list[Variation]:
    path = folder / "jobs.yaml"
    path.write_text(text)
    found = read_job_file(path)
    rows = {part.rows: read_rows(found.beside(part.rows)) for part in found.parts if part.rows}
    names = {name for part in found.parts for name in part.workflows}
    return plan(found.parts, {name: Source(document()) for name in names}, rows, salt)


def set_in(job: Variation, name: str) -> Any:
    """The value that the job's graph has at the only input of this name."""
    return next(node["inputs"][name] for node in graph_of(job).values() if name in node["inputs"])


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, cfgs=CFGS, count=st.integers(1, 3), data=st.data())
def test_a_grid_has_every_combination_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], cfgs: list[int], count: int, data: Any
) -> None:
    folder = tmp_path_factory.mktemp("grid")
    mode = data.draw(st.sampled_from(["random", "increment"]))
    text = f"workflow: mine.json\ngrid: {{steps: {steps}, cfg: {cfgs}}}\ncount: {count}\nseed: {mode}\n"
    found = jobs(folder, text)
    assert len(found) == len(steps) * len(cfgs) * count
    assert len({job.key for job in found}) == len(found)
    made = [(set_in(job, "steps"), set_in(job, "cfg")) for job in found]
    assert sorted(set(made)) == sorted((a, b) for a in steps for b in cfgs)
    seeds = [job.seed for job in found]
    assert len(set(seeds)) == len(seeds)
    if mode == "increment":
        assert seeds == list(range(7, 7 + len(found)))


@settings(deadline=None, max_examples=40)
@given(pairs=st.lists(st.tuples(st.integers(1, 100), st.integers(1, 20)), min_size=1, max_size=6, unique=True))
def test_a_zip_goes_through_its_lists_side_by_side(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]
) -> None:
    text = f"workflow: mine.json\nzip: {{steps: {[a for a, _ in pairs]}, cfg: {[b for _, b in pairs]}}}\n"
    found = jobs(tmp_path_factory.mktemp("zip"), text)
    assert [(set_in(job, "steps"), set_in(job, "cfg")) for job in found] == pairs


def test_random_seeds_are_the_same_when_a_batch_goes_on_and_others_in_another(tmp_path: Path) -> None:
    text = "workflow: mine.json\ncount: 5\nseed: random\n"
    first, again, other = jobs(tmp_path, text, "a"), jobs(tmp_path, text, "a"), jobs(tmp_path, text, "b")
    assert [job.seed for job in first] == [job.seed for job in again]
    assert {job.seed for job in first}.isdisjoint(job.seed for job in other)
    assert [job.key for job in first] == [job.key for job in other]


@settings(deadline=None, max_examples=30)
@given(before=STEPS, added=st.integers(101, 200))
def test_jobs_keep_their_names_when_others_come(
    tmp_path_factory: pytest.TempPathFactory, before: list[int], added: int
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    few = jobs(folder, f"workflow: mine.json\ngrid: {{steps: {before}}}\n")
    more = jobs(folder, f"workflow: mine.json\ngrid: {{steps: {[added, *before]}}}\n")
    assert {job.key for job in few} < {job.key for job in more}


def test_the_workflow_itself_stays_as_it_is(tmp_path: Path) -> None:
    found = jobs(tmp_path, "workflow: mine.json\nset: {steps: 3}\n")[0]
    assert set_in(found, "steps") == 3
    assert found.source.graph == document().graph


def test_too_many_jobs_are_counted_and_not_made(tmp_path: Path) -> None:
    text = "workflow: mine.json\ngrid: {steps: 1..10000, cfg: 1..100, width: 64..640..8}\n"
    with pytest.raises(WorkflowError, match=rf"{10000 * 100 * 73:,} jobs, and {MAX_JOBS:,} are the most"):
        jobs(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("workflow: mine.json\ngrid: {stepz: 1..3}\n", "grid.stepz.*Did you mean 'steps'"),
        ("workflow: mine.json\ngrid: {steps: 'a,b'}\n", "grid.steps, value 1"),
        ("workflow: mine.json\ngrid: {steps: []}\n", "grid.steps.*empty list"),
        ("workflow: mine.json\nzip: {steps: '1,2', cfg: '1,2,3'}\n", "different lengths: steps 2, cfg 3"),
        ("workflow: mine.json\ngrid: {steps: '1,2'}\nset: {KSampler.steps: 3}\n", "set the same input"),
        ("workflow: mine.json\nset: {seed: 3}\nseed: random\n", "sets the seed already"),
        ("workflow: mine.json\nsed: 3\n", "unknown key 'sed'.*Did you mean s"),
        ("grid: {steps: 1..3}\n", "no workflow is named"),
        ("workflow: [1]\n", "workflow.*a number"),
        ("workflow: mine.json\nworkflow: other.json\n", "'workflow' stands twice"),
        ("- a\n- b\n", "not a job file"),
        ("workflow: mine.json\ncount: 0\n", "count.*1 to"),
        ("workflow: mine.json\nseed: {increment: x}\n", "seed.*not understood"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_slip_is_named_where_it_is(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        jobs(tmp_path, text)
    assert re.search(why, str(caught.value)), str(caught.value)


def test_rows_set_what_their_columns_name_and_empty_cells_leave_it(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('positive,steps\n"a cat, sitting",4\na dog,\n')
    found = jobs(tmp_path, "workflow: mine.json\nrows: rows.csv\n")
    assert [(set_in(job, "text"), set_in(job, "steps")) for job in found] == [
        ("a cat, sitting", 4),
        ("a dog", set_in(found[1], "steps")),
    ]
    assert set_in(found[1], "steps") == next(
        node["inputs"]["steps"] for node in document().graph.values() if "steps" in node["inputs"]
    )


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("rows.csv", "positive,stepz\na,4\n", "rows.csv.*line 1, column 2.*stepz"),
        ("rows.csv", "positive,steps\na,four\n", "rows.csv.*line 2, column 'steps'"),
        ("rows.csv", "positive,positive\na,b\n", "second column 'positive'"),
        ("rows.csv", "positive,\na,b\n", "column without a name"),
        ("rows.csv", "positive\na,b\n", "line 2.*2 cells"),
        ("rows.csv", 'positive\n"a\n', "not CSV"),
        ("rows.csv", "positive\n", "no rows"),
        ("rows.jsonl", '{"positive": "a"}\n[1]\n', "line 2.*a list"),
        ("rows.jsonl", '{"positive": {"a": 1}}\n', "line 1, key 'positive'.*a table"),
        ("rows.jsonl", '{"positive": NaN}\n', "line 1.*NaN"),
        ("rows.jsonl", '{"positive": "a", "positive": "b"}\n', "twice"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(WorkflowError) as caught:
        jobs(tmp_path, f"workflow: mine.json\nrows: {name}\n")
    assert re.search(why, str(caught.value), re.S), str(caught.value)


def test_a_file_of_rows_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=r"gone\.csv.*cannot be read"):
        jobs(tmp_path, "workflow: mine.json\nrows: gone.csv\n")


# Values --------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(first=st.integers(-1000, 1000), last=st.integers(-1000, 1000), step=st.integers(1, 50))
def test_a_range_of_whole_numbers(first: int, last: int, step: int) -> None:
    found = values(f"{first}..{last}..{step}")
    assert len(found) == abs(last - first) // step + 1
    assert found[0] == first and all(isinstance(each, int) for each in found)
    assert all(abs(b - a) == step for a, b in itertools.pairwise(found))
    assert abs(last - found[-1]) < step


@settings(deadline=None)
@given(first=st.integers(0, 100), steps=st.integers(0, 40))
def test_a_range_of_tenths_is_as_it_is_written(first: int, steps: int) -> None:
    found = values(f"{first / 10}..{(first + steps) / 10}..0.1")
    assert [repr(each) for each in found] == [repr((first + n) / 10) for n in range(steps + 1)]


def test_lists_and_quotes() -> None:
    assert values('euler, "a, b", heun') == ("euler", "a, b", "heun")
    assert values(["a", 2, True]) == ("a", 2, True)
    assert values(3) == (3,)


@pytest.mark.parametrize("spec", ["", "a,,b", "1..5..0", "0.1..0.5", "1..99999999", [], [None], {"a": 1}, None, '"a'])
def test_what_stands_for_no_values_is_refused(spec: Any) -> None:
    with pytest.raises(WorkflowError):
        values(spec)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60))
def test_any_text_has_values_or_an_error_of_ours(text: str) -> None:
    try:
        found = values(text)
    except WorkflowError:
        return
    assert found and all(not isinstance(each, float) or math.isfinite(each) for each in found)


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=300),
    st.sampled_from(["rows.csv", "rows.tsv", "rows.jsonl", "jobs.yaml", "jobs.toml", "jobs.json"]),
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        (read_rows if name.startswith("rows") else read_job_file)(path)
    except WorkflowError as error:
        assert name in str(error)
