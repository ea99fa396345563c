"""The filter language: what each key finds, what is refused and how, and that no text raises anything else."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.state.filters import KEYS, BadFilter, by_workflow, chosen, parse
from comfytui.state.model import Failure, Job, JobState, Mark
from comfytui.workflow.summary import Facts

NOON = datetime(2026, 11, 2, 12).timestamp()
FACTS = Facts(
    name="portrait", positive="a Lighthouse at dusk, red circle", negative="blurry", seed=42, steps=20, cfg=6.5,
    sampler="euler", scheduler="karras", width=1024, height=768, model="sdxl_base.safetensors", loras=("film grain",),
)  # fmt: skip
JOB = Job(
    id="abcd-1", state=JobState.FAILED, facts=FACTS, started=NOON - 90, ended=NOON, mine=True,
    failure=Failure(message="out of memory", exception_type="torch.OutOfMemoryError"),
)  # fmt: skip
MARK = Mark(star=True, note="for the cover")


@pytest.mark.parametrize(
    "text",
    [
        "", "lighthouse", "LIGHT dusk", '"red circle"', "status:failed", "status:fail,done", "model:sdxl sampler:euler",
        'lora:"film grain"', "-blimp", "-status:done", "seed:42", "steps:>=20 steps:<21", "cfg:6.5", "size:1024x768",
        "took:>60", "who:ours", "is:starred", "is:noted", "note:cover", "cover", "error:outofmemory", "id:ABCD", "abcd-1",
        "after:2026-11-02", "before:2026-11-03", "on:2026-11-02", "after:2026-11-02T11:59", "prompt:dusk negative:blur",
        "name:portrait", "status:", 'prompt:"red circ', "scheduler:karras",
        "lighthouse status:failed model:sdxl sampler:euler after:2026-11-01",
    ],
)  # fmt: skip
def test_found(text: str) -> None:
    assert parse(text).matches(JOB, MARK)


@pytest.mark.parametrize(
    "text",
    ["blimp", "-dusk", "status:done", "model:flux", "seed:43", "steps:<20", "size:768x1024", "took:<60", "who:other",
     "after:2026-11-03", "before:2026-11-02", "on:2026-11-01", "-is:starred", "lighthouse sampler:heun", "after:1d"],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert not parse(text).matches(JOB, MARK)


@pytest.mark.parametrize(
    ("text", "says"),
    [("statu:done", "Did you mean status"), ("status:odd", "give one of done|give one of waiting"), ("steps:many", "a number"),
     ("size:big", "1024x1024"), ("after:soon", "2026-11-01"), ("who:me", "ours")],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_what_would_be(text: str, says: str) -> None:
    with pytest.raises(BadFilter, match=says):
        parse(text)


@given(st.text() | st.builds(lambda key, value: f"{key}:{value}", st.sampled_from(sorted(KEYS)), st.text()))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parse(text).matches(JOB, MARK)
    except BadFilter as error:
        assert str(error)


def test_a_list_is_chosen_from_in_order_and_grouped() -> None:
    jobs = {str(n): Job(id=str(n), state=JobState.DONE, facts=Facts(name="ab"[n % 2], seed=n)) for n in range(10)}
    ids = tuple(reversed(jobs))
    assert chosen(ids, jobs, parse("seed:<3")) == ("2", "1", "0")
    assert chosen(ids, jobs, parse("is:starred"), {"7": MARK}) == ("7",)
    assert by_workflow(ids, jobs)["a"] == ("8", "6", "4", "2", "0")
