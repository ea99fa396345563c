from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from comfytui.settings.schema import Notify
from comfytui.state.model import Job, JobState, ServerState
from comfytui.tui.notify import Ended, ended, filled, run_command, told_of, wanted
from comfytui.tui.terminal.notices import message, understood
from tests.tui import sample
from tests.tui.support import running, settle, until

EVIL = "--help\x1b]0;evil\x07 $(touch x); \u202eexe"


def finished(state: ServerState, how: JobState = JobState.DONE, seconds: float = 42.0) -> ServerState:
    """The running job has ended that way, after that time."""
    job = state.jobs[state.running[0]]
    done = replace(job, state=how, started=sample.NOW - seconds, ended=sample.NOW)
    return replace(state, jobs={**state.jobs, job.id: done}, running=(), run=None, history=(job.id, *state.history))


def test_jobs_that_ended_between_two_states_are_found_also_those_that_only_waited() -> None:
    before = sample.busy(3)
    after = finished(before)
    assert [job.id for job in ended("box", before, after)] == list(before.running)
    gone = before.waiting[1]
    lost = replace(after.jobs[gone], state=JobState.LOST)
    away = replace(after, jobs={**after.jobs, gone: lost}, waiting=tuple(w for w in after.waiting if w != gone))
    assert [job.id for job in ended("box", before, away)] == [*before.running, gone]
    assert not list(ended("box", after, after))


@pytest.mark.parametrize(
    ("settings", "how", "seconds", "mine", "expected"),
    [
        (Notify(), JobState.DONE, 42, True, True),
        (Notify(), JobState.DONE, 2, True, False),
        (Notify(), JobState.FAILED, 2, True, True),
        (Notify(), JobState.DONE, 42, False, False),
        (Notify(jobs="all"), JobState.DONE, 42, False, True),
        (Notify(jobs="none"), JobState.FAILED, 42, True, False),
        (Notify(failures_only=True), JobState.DONE, 42, True, False),
        (Notify(failures_only=True), JobState.LOST, 0, True, True),
        (Notify(seconds=0), JobState.DONE, 0, True, True),
    ],
)
def test_only_what_is_wanted_is_told(
    settings: Notify, how: JobState, seconds: float, mine: bool, expected: bool
) -> None:
    job = replace(sample.finished(1, how), mine=mine, started=sample.NOW, ended=sample.NOW + seconds)
    assert wanted(job, told_of("box", job), settings) is expected


def evil_job() -> Job:
    job = sample.finished(1)
    return replace(job, facts=replace(job.facts, name=EVIL))


def test_foreign_text_neither_ends_a_sequence_nor_becomes_an_option() -> None:
    told = told_of("box", evil_job())
    assert not told.name.startswith("-")
    for environment in ({"TERM": "xterm"}, {"TERM": "tmux", "TMUX": "x"}, {"TERM": "screen", "STY": "x"}):
        sequence = message("a;b", told.sentence, "both", environment)
        inner = (
            sequence.replace("\x1bPtmux;", "").replace("\x1b\x1b", "\x1b").replace("\x1bP", "").replace("\x1b\\", "")
        )
        assert inner.count("\x1b") == inner.count("\x07") == 2
        assert "\x1b]0" not in inner and "\u202e" not in inner
        assert "]777;notify;a,b;" in inner
    assert filled(("prog", "{name}", "{unknown} {seconds}"), told)[1:] == [told.name, "{unknown} 21"]


@pytest.mark.parametrize(
    ("environment", "how"),
    [
        ({"TERM": "xterm-kitty"}, "osc9"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "osc777"),
        ({"TERM": "tmux-256color", "TMUX": "x", "TERM_PROGRAM": "iTerm.app"}, "both"),
        ({"TERM": "xterm-256color"}, "both"),
    ],
)
def test_a_terminal_that_is_known_gets_one_message_and_not_two(environment: dict[str, str], how: str) -> None:
    assert understood(environment) == how


def test_off_is_off() -> None:
    assert message("a", "b", "off", {"TERM": "xterm"}) == ""


async def test_a_command_gets_the_job_as_arguments_and_in_its_environment_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    script = "import json,os,sys; json.dump([sys.argv[2:],{k:v for k,v in os.environ.items() if k.startswith('COMFYTUI_JOB')}],open(sys.argv[1],'w'))"
    told = Ended("box", "id1", "a name; $(id)", "failed", 12, "out of memory")
    assert await run_command((sys.executable, "-c", script, str(out), "{name}", "{state} {error}"), told) == ""
    arguments, environment = json.loads(out.read_text("utf-8"))
    assert arguments == ["a name; $(id)", "failed out of memory"]
    assert environment["COMFYTUI_JOB_SERVER"] == "box" and environment["COMFYTUI_JOB_SECONDS"] == "12"


async def test_a_command_that_fails_hangs_or_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Ended("box", "id1", "x", "done", 12)
    assert "No such file" in await run_command(("/nonexistent/x",), told)
    assert "code 3" in await run_command((sys.executable, "-c", "raise SystemExit(3)"), told)
    monkeypatch.setattr("comfytui.tui.notify.COMMAND_SECONDS", 0.2)
    assert "stopped" in await run_command((sys.executable, "-c", "import time; time.sleep(60)"), told)


async def test_the_terminal_is_told_once_and_a_broken_command_complains_once(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Notify(command=("/nonexistent/x",), terminal="both")
    async with running(sample.busy(3), (80, 24), notify=settings) as (pilot, app, connection):
        written: list[str] = []
        monkeypatch.setattr(app.link, "write", written.append)
        before = connection.state
        app.notifier.heard("box", before, finished(before))
        await until(pilot, lambda: app.last_error, "the complaint")
        assert written[-1] == "\x07" and "portrait_v4 done" in written[0]
        app.say("fine")
        app.notifier.heard("box", before, finished(before))
        await settle(pilot)
        assert app.last_error is None
        assert len(written) == 4
        app.notifier.focused = True
        app.notifier.heard("box", before, finished(before))
        assert len(written) == 4
