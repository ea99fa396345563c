"""A small language to find jobs: `lighthouse status:failed model:sdxl -sampler:euler after:2026-11-01`. Pure functions.

Words that stand alone are looked for in prompts, names, models, notes, files, seeds and errors; `key:value` asks one
thing; `-` before either means not. All must hold. Quotes keep spaces together: `"red circle"`, `model:"my model"`. Case does not matter.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from comfytui.state.model import Job, JobState, Mark, Origin

NO_MARK = Mark()
Test = Callable[[Job, Mark], bool]


class BadFilter(ValueError):  # noqa: N818 -- as the other errors are named
    """A term cannot be understood; the message names it and what would be."""


class Filter(msgspec.Struct, frozen=True):
    """A filter that was understood. Empty ones match everything."""

    text: str
    tests: tuple[Test, ...] = ()

    def matches(self, job: Job, mark: Mark = NO_MARK) -> bool:
        """Whether all terms hold for this job."""
        return all(test(job, mark) for test in self.tests)


def parse(text: str) -> Filter:
    """Read a filter. Raises BadFilter. Times are local."""
    return Filter(text, tuple(_test(term) for term in _terms(text)))


def chosen(
    ids: Iterable[str], jobs: Mapping[str, Job], wanted: Filter, marks: Mapping[str, Mark] = {}
) -> tuple[str, ...]:
    """Those of these jobs that match, in the same order."""
    if not wanted.tests:
        return tuple(ids)
    return tuple(item for item in ids if item in jobs and wanted.matches(jobs[item], marks.get(item, NO_MARK)))


def by_workflow(ids: Iterable[str], jobs: Mapping[str, Job]) -> dict[str, tuple[str, ...]]:
    """The same jobs by workflow: its name if it has one, else which workflow it is (`Job.shape`); "" if unknown."""
    groups: dict[str, list[str]] = {}
    for item in ids:
        if item in jobs:
            groups.setdefault(jobs[item].facts.name or jobs[item].shape, []).append(item)
    return {key: tuple(found) for key, found in groups.items()}


KEYS: Mapping[str, str] = {
    "status": "done, failed, interrupted, lost, waiting, running, held",
    "model": "part of the model's name",
    "lora": "part of a LoRA's name",
    "sampler": "part of the sampler's name",
    "scheduler": "part of the scheduler's name",
    "prompt": "part of the positive prompt",
    "negative": "part of the negative prompt",
    "name": "part of the workflow's name",
    "workflow": "the same",
    "id": "the beginning of the job's id",
    "error": "part of what went wrong",
    "note": "part of your note",
    "seed": "a number",
    "steps": "a number, or <20, >=20",
    "cfg": "a number, or <7, >=7",
    "size": "as in 1024x1024",
    "took": "seconds, as in >60",
    "who": "ours, other, broadcast",
    "is": "starred, noted",
    "after": "a day or time: 2026-11-01, 2026-11-01T18:00, today, yesterday, 3d, 12h",
    "before": "the same",
    "on": "a day",
}
_TEXTS: Mapping[str, Callable[[Job, Mark], str]] = {
    "model": lambda job, _: job.facts.model,
    "lora": lambda job, _: "\n".join(job.facts.loras),
    "sampler": lambda job, _: job.facts.sampler,
    "scheduler": lambda job, _: job.facts.scheduler,
    "prompt": lambda job, _: job.facts.positive,
    "negative": lambda job, _: job.facts.negative,
    "name": lambda job, _: job.facts.name,
    "workflow": lambda job, _: job.facts.name,
    "error": lambda job, _: f"{job.failure.exception_type}\n{job.failure.message}" if job.failure is not None else "",
    "note": lambda _, mark: mark.note,
}
_NUMBERS: Mapping[str, Callable[[Job], float | None]] = {
    "seed": lambda job: job.facts.seed,
    "steps": lambda job: job.facts.steps,
    "cfg": lambda job: job.facts.cfg,
    "took": lambda job: job.seconds,
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_NUMBER = re.compile(r"(<=|>=|<|>|)(-?\d{1,20}(?:\.\d{1,20})?)")
_AGO = re.compile(r"(\d{1,4})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _terms(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True, punctuation_chars="")
    reader.whitespace_split = True
    reader.commenters = ""
    reader.quotes = '"'
    reader.escape = ""
    try:
        return list(reader)
    except ValueError:  # a quote that is still open while one types: as if it were closed
        return _terms(text + '"')


def _test(term: str) -> Test:
    negated = term.startswith("-") and len(term) > 1
    if negated:
        inner = _test(term[1:])
        return lambda job, mark: not inner(job, mark)
    key, colon, value = term.partition(":")
    key = key.lower()
    if not colon or key not in KEYS:
        if colon and key.isalpha() and (near := difflib.get_close_matches(key, KEYS, 1)):
            raise BadFilter(f"{key}: is no key. Did you mean {near[0]}: ({KEYS[near[0]]})?")
        return _anywhere(term)
    if not value:
        return lambda job, mark: True  # being typed
    return _keyed(key, value)


def _keyed(key: str, value: str) -> Test:
    low = value.lower()
    if key in _TEXTS:
        read = _TEXTS[key]
        return lambda job, mark: low in read(job, mark).lower()
    if key in _NUMBERS:
        number, match = _NUMBERS[key], _NUMBER.fullmatch(value)
        if match is None:
            raise BadFilter(f"{key}:{value}: give {KEYS[key]}.")
        compare = _COMPARE[match[1]]
        wanted = float(match[2]) if "." in match[2] else int(match[2])
        return lambda job, _: (found := number(job)) is not None and compare(found, wanted)
    if key == "status":
        states = _one_of(key, low, [state.value for state in JobState])
        return lambda job, _: job.state.value in states
    if key == "who":
        origins = _one_of(key, low, [origin.value for origin in Origin])
        return lambda job, _: job.origin.value in origins
    if key == "is":
        what = _one_of(key, low, ["starred", "noted"])
        return lambda _, mark: (mark.star and "starred" in what) or (bool(mark.note) and "noted" in what)
    if key == "id":
        return lambda job, _: job.id.lower().startswith(low)
    if key == "size":
        if (size := re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", low)) is None:
            raise BadFilter(f"size:{value}: give {KEYS[key]}.")
        width, height = int(size[1]), int(size[2])
        return lambda job, _: (job.facts.width, job.facts.height) == (width, height)
    return _dated(key, value)


def _dated(key: str, value: str) -> Test:
    moment = _moment(key, value.lower())
    if key == "after":
        return lambda job, _: (at := _time(job)) is not None and at >= moment.timestamp()
    if key == "before":
        return lambda job, _: (at := _time(job)) is not None and at < moment.timestamp()
    begin = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    end = begin + timedelta(days=1)
    return lambda job, _: (at := _time(job)) is not None and begin.timestamp() <= at < end.timestamp()


def _moment(key: str, value: str) -> datetime:
    now = datetime.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if value == "today":
        return midnight
    if value == "yesterday":
        return midnight - timedelta(days=1)
    if match := _AGO.fullmatch(value):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(value)
        found.timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadFilter(f"{key}:{value}: give {KEYS['after']}.") from None
    return found


def _time(job: Job) -> float | None:
    return next((at for at in (job.ended, job.started, job.created) if at is not None), None)


def _one_of(key: str, value: str, known: Sequence[str]) -> set[str]:
    """Some of these, separated by commas; beginnings are enough."""
    wanted = [part for part in value.split(",") if part]
    found = {name for part in wanted for name in known if name.startswith(part)}
    if unknown := [part for part in wanted if not any(name.startswith(part) for name in known)]:
        raise BadFilter(f"{key}:{unknown[0]}: give one of {', '.join(known)}.")
    return found


def _anywhere(term: str) -> Test:
    low = term.lower()

    def test(job: Job, mark: Mark) -> bool:
        facts = job.facts
        parts = (facts.positive, facts.negative, facts.name, facts.model, mark.note, job.id, *facts.loras)
        return (
            any(low in part.lower() for part in parts)
            or (facts.seed is not None and low == str(facts.seed))
            or (job.failure is not None and low in job.failure.message.lower())
            or any(low in output.filename.lower() for output in job.outputs)
        )

    return test
