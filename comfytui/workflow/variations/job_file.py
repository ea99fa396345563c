"""Job files: what a batch runs, as YAML, TOML or JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.inputs import near
from comfytui.workflow.variations.values import MAX_JOBS, kind_of, values

MAX_FILE = 16 * 1024 * 1024  # bytes
MAX_PARTS = 1000
MAX_IN_FLIGHT = 256
MAX_RETRIES = 100
PART_KEYS = ("name", "workflow", "workflows", "set", "grid", "zip", "rows", "seed", "count")
FILE_KEYS = ("server", "servers", "in_flight", "retries", "output", "jobs")
MODES = ("fixed", "random", "increment")


class Seeds(msgspec.Struct, frozen=True):
    """Which seed each job has. fixed: the workflow's own; random: each its own; increment: counting up from `first`, or from
    the workflow's own; list: one job for each of `listed`.
    """

    mode: Literal["fixed", "random", "increment", "list"] = "fixed"
    first: int | None = None
    listed: tuple[Any, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """Jobs that belong together: every workflow with every combination, `count` times. Texts are as they are in the file."""

    workflows: tuple[str, ...]
    name: str = ""
    place: str = ""  # where it stands in the file, for errors
    set: Mapping[str, Any] = {}
    grid: Mapping[str, tuple[Any, ...]] = {}
    zip: Mapping[str, tuple[Any, ...]] = {}
    rows: str = ""
    seeds: Seeds = Seeds()
    count: int = 1


class JobFile(msgspec.Struct, frozen=True):
    """A job file. Paths in it are meant from its own folder. None: what is not told."""

    path: Path
    parts: tuple[Part, ...]
    servers: tuple[str, ...] = ()
    in_flight: int | None = None
    retries: int | None = None
    output: str | None = None

    def beside(self, text: str) -> Path:
        """A path of the file, from where it is."""
        path = Path(text).expanduser()
        return path if path.is_absolute() else self.path.parent / path


def read_job_file(path: Path) -> JobFile:
    """Read and check it. Raises WorkflowError naming the file and the key; nothing else that the file names is read."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise WorkflowError(f"larger than {MAX_FILE >> 20} MiB", fix="Put the rows into a CSV file, and name it")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkflowError("not UTF-8", name=path.name, place=f"byte {error.start}", fix="Save it as UTF-8") from error
    except (OSError, ValueError) as error:
        if isinstance(error, WorkflowError):
            raise error.named(path.name) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkflowError(f"cannot be read: {reason}", name=str(path), fix="Check the path") from error
    try:
        return _job_file(path, _decoded(text, path.suffix.lower()))
    except WorkflowError as error:
        raise error.named(path.name) from error


def _decoded(text: str, suffix: str) -> Any:
    try:
        if suffix == ".toml":
            return tomllib.loads(text)
        if suffix == ".json":
            return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkflowError(f"not {suffix[1:].upper()}: {error}", fix="Correct it there") from error
    return _yaml(text)


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Safe, and keys that stand twice are refused: the first would be forgotten without a word."""

    def mapping(loader: Any, node: Any) -> Any:
        loader.flatten_mapping(node)
        keys = [loader.construct_object(key) for key, _ in node.value]
        for index, (key, (where, _)) in enumerate(zip(keys, node.value, strict=True)):
            if not isinstance(key, (str, int, float, bool)):
                raise WorkflowError("a key that is not a text", place=f"line {where.start_mark.line + 1}")
            if key in keys[:index]:
                raise WorkflowError(f"{key!r} stands twice", place=f"line {where.start_mark.line + 1}")
        return {
            str(key): loader.construct_object(value, deep=True)
            for key, (_, value) in zip(keys, node.value, strict=True)
        }

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        return yaml.load(text, Loader)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise WorkflowError(f"not YAML: {error.problem}", place=place, fix="Correct it there") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, WorkflowError):
            raise
        raise WorkflowError(f"not YAML: {error}", fix="Correct it") from error


def _job_file(path: Path, found: Any) -> JobFile:
    if not isinstance(found, dict):
        raise WorkflowError(f"is {kind_of(found)}, not a job file", fix="Begin with workflow: FILE")
    _known(found, (*PART_KEYS, *FILE_KEYS), "")
    listed = found.get("jobs")
    if listed is None:
        parts = [_part(found, "")]
    else:
        if not isinstance(listed, list) or not listed:
            raise WorkflowError("jobs is not a list", place="jobs", fix="Write each after a dash")
        if len(listed) > MAX_PARTS:
            raise WorkflowError(f"{len(listed):,} parts", place="jobs", fix="Put them as rows into a CSV file")
        common = {key: value for key, value in found.items() if key in PART_KEYS}
        parts = [_part(_merged(common, each, f"jobs[{index}]"), f"jobs[{index}]") for index, each in enumerate(listed)]
    return JobFile(
        path=path,
        parts=tuple(parts),
        servers=_texts(found, "server", "servers", ""),
        in_flight=_whole(found, "in_flight", 1, MAX_IN_FLIGHT, ""),
        retries=_whole(found, "retries", 0, MAX_RETRIES, ""),
        output=_text(found, "output", ""),
    )


def _merged(common: Mapping[str, Any], part: Any, place: str) -> Mapping[str, Any]:
    """A part with what stands above all parts; its own wins, and `set` is joined."""
    if not isinstance(part, dict):
        raise WorkflowError(f"is {kind_of(part)}", place=place, fix="Write its keys, as workflow: FILE")
    _known(part, PART_KEYS, place)
    merged = {**common, **part}
    if "workflow" in part or "workflows" in part:
        merged = {key: value for key, value in merged.items() if key not in ("workflow", "workflows") or key in part}
    if isinstance(common.get("set"), dict) and isinstance(part.get("set"), dict):
        merged["set"] = {**common["set"], **part["set"]}
    return merged


def _part(found: Mapping[str, Any], place: str) -> Part:
    workflows = _texts(found, "workflow", "workflows", place)
    if not workflows:
        raise WorkflowError("no workflow is named", place=place, fix="Write workflow: FILE")
    grid = {key: _swept(value, _at(place, f"grid.{key}")) for key, value in _table(found, "grid", place).items()}
    zipped = {key: _swept(value, _at(place, f"zip.{key}")) for key, value in _table(found, "zip", place).items()}
    lengths = {len(each) for each in zipped.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{key} {len(each)}" for key, each in zipped.items())
        fix = "Give as many values to each"
        raise WorkflowError(f"lists of different lengths: {told}", place=_at(place, "zip"), fix=fix)
    count = _whole(found, "count", 1, MAX_JOBS, place) or 1
    return Part(
        workflows=workflows,
        name=_text(found, "name", place) or "",
        place=place,
        set={key: _single(value, _at(place, f"set.{key}")) for key, value in _table(found, "set", place).items()},
        grid=grid,
        zip=zipped,
        rows=_text(found, "rows", place) or "",
        seeds=_seeds(found.get("seed"), count, _at(place, "seed")),
        count=count,
    )


def _seeds(spec: Any, count: int, place: str) -> Seeds:
    match spec:
        case None:
            return Seeds("increment" if count > 1 else "fixed")
        case "fixed" | "random" | "increment":
            return Seeds(spec)
        case {"increment": int() as first} if len(spec) == 1 and not isinstance(first, bool):
            return Seeds("increment", first)
        case dict():
            raise WorkflowError(
                "is not understood", place=place, fix="Write fixed, random, increment, {increment: 5} or a list"
            )
    listed = _swept(spec, place)
    if any(str(each).strip().lower() in MODES for each in listed):
        raise WorkflowError("modes cannot be listed", place=place, fix="Write one of them alone, or numbers")
    return Seeds("list", None, listed)


def _swept(spec: Any, place: str) -> tuple[Any, ...]:
    try:
        return values(spec)
    except WorkflowError as error:
        raise WorkflowError(error.problem, place=place, fix=error.fix) from error


def _single(value: Any, place: str) -> Any:
    if not isinstance(value, (str, int, float)):
        raise WorkflowError(f"is {kind_of(value)}", place=place, fix="Give one value; several belong into grid or zip")
    return value


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _known(found: Mapping[str, Any], keys: Iterable[str], place: str) -> None:
    listed = list(keys)
    for key in found:
        if key not in listed:
            close = near(str(key), listed)
            fix = f"Did you mean {' or '.join(close)}?" if close else f"There is: {', '.join(listed)}"
            raise WorkflowError(f"unknown key {str(key)[:60]!r}", place=place, fix=fix)


def _table(found: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = found.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorkflowError(f"is {kind_of(value)}", place=_at(place, key), fix="Write INPUT: VALUES below it")
    return value


def _text(found: Mapping[str, Any], key: str, place: str) -> str | None:
    value = found.get(key)
    if value is None or (isinstance(value, str) and value and "\0" not in value):
        return value
    raise WorkflowError(f"is {kind_of(value)}", place=_at(place, key), fix="Give a text")


def _texts(found: Mapping[str, Any], one: str, several: str, place: str) -> tuple[str, ...]:
    if one in found and several in found:
        raise WorkflowError(f"both {one} and {several}", place=place, fix="Keep one of them")
    value = found.get(several, found.get(one))
    listed = [] if value is None else value if isinstance(value, list) else [value]
    for each in listed:
        if not isinstance(each, str) or not each or "\0" in each:
            raise WorkflowError(
                f"is {kind_of(each)}", place=_at(place, one if one in found else several), fix="Give a name"
            )
    if len(set(listed)) != len(listed):
        raise WorkflowError("names one twice", place=_at(place, several), fix="Name each once")
    return tuple(listed)


def _whole(found: Mapping[str, Any], key: str, low: int, high: int, place: str) -> int | None:
    value = found.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WorkflowError(
            f"cannot be {str(value)[:40]}", place=_at(place, key), fix=f"Give a whole number from {low} to {high:,}"
        )
    return value
