"""The raw forms of prompts, kept apart from what is shown."""

from __future__ import annotations

from comfytui.client.readers import prompt
from comfytui.state.model import Job, JobState
from comfytui.state.raw import RawPrompts
from tests.support.replay import HOSTILE, txt2img


def seen(raw: RawPrompts, prompt_id: str, text: str) -> Job:
    item = prompt([1, prompt_id, txt2img(text=text), {}, ["9"]])
    assert item is not None
    raw.remember([item])
    return Job(id=item.prompt_id, state=JobState.DONE, graph=item.graph or {})


def test_a_clean_prompt_is_its_own_raw_form() -> None:
    raw = RawPrompts()
    job = seen(raw, "p", "a cat")
    assert raw.graph("p", job) == txt2img(text="a cat")
    assert raw.id("p") == "p"


def test_ids_too_go_back_as_they_were() -> None:
    raw = RawPrompts()
    job = seen(raw, "p\x1b[31m", "a cat")
    assert job.id == "p"
    assert raw.id("p") == "p\x1b[31m"


def test_what_is_no_longer_kept_is_not_known_rather_than_wrong() -> None:
    raw = RawPrompts(kept=2)
    jobs = {name: seen(raw, name, HOSTILE + name) for name in "abc"}
    assert raw.graph("c", jobs["c"]) == txt2img(text=HOSTILE + "c")
    assert raw.graph("a", jobs["a"]) is None
    known = raw.known(jobs)
    assert "a" not in known  # so it is read again with the next answer
    assert "c" in known
    seen(raw, "a", HOSTILE + "a")
    assert raw.graph("a", jobs["a"]) == txt2img(text=HOSTILE + "a")


def test_a_mark_of_older_servers_is_not_sent_back() -> None:
    graph = txt2img()
    graph["3"]["is_changed"] = [float("nan")]
    raw = RawPrompts()
    assert raw.graph("p", Job(id="p", state=JobState.DONE, graph=graph)) == txt2img()
    assert "is_changed" in graph["3"]  # a copy was changed


def test_the_raw_form_is_never_shown() -> None:
    item = prompt([1, "p", txt2img(text=HOSTILE), {}, []])
    assert "\\x1b" not in repr(item)
    assert "\x1b" not in str(item)
