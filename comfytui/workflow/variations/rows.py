"""Files with one job a row: CSV with a header, and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.variations.values import MAX_JOBS, MAX_TEXT, kind_of, plain

MAX_FILE = 64 * 1024 * 1024  # bytes
MAX_COLUMNS = 1000
LINES = (".jsonl", ".ndjson", ".json")


class Row(msgspec.Struct, frozen=True):
    """One job: the inputs that it sets. An empty cell leaves the workflow's own value."""

    values: dict[str, Any]
    line: int


class RowFile(msgspec.Struct, frozen=True):
    """A file of rows. `columns`: name → where it was first named, for errors."""

    name: str
    columns: dict[str, str]
    rows: tuple[Row, ...]


def read_rows(path: Path) -> RowFile:
    """The rows of a CSV file (comma, semicolon or tab), or of JSON lines. Raises WorkflowError naming file and line."""
    name = path.name
    try:
        if path.stat().st_size > MAX_FILE:
            raise WorkflowError(f"larger than {MAX_FILE >> 20} MiB", name=name, fix="Split it into several files")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fix = "Save it as UTF-8"
        raise WorkflowError("not UTF-8", name=name, place=f"byte {error.start}", fix=fix) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkflowError(f"cannot be read: {reason}", name=str(path), fix="Check the path") from error
    found = _json_lines(text, name) if path.suffix.lower() in LINES else _csv(text, name, path.suffix.lower())
    if not found.rows:
        raise WorkflowError("has no rows", name=name, fix="Give one row for each job")
    return found


def _csv(text: str, name: str, suffix: str) -> RowFile:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, suffix), strict=True)
    rows = _read(reader, name)
    line, header = next(rows, (0, []))
    columns: dict[str, str] = {}
    for index, cell in enumerate(header):
        column, place = cell.strip(), f"line {line}, column {index + 1}"
        if not column:
            raise WorkflowError("a column without a name", name=name, place=place, fix="Name the input that it sets")
        if column in columns:
            raise WorkflowError(f"a second column {column!r}", name=name, place=place, fix="Remove one of them")
        columns[column] = place
    if len(columns) > MAX_COLUMNS:
        raise WorkflowError(f"{len(columns)} columns", name=name, fix=f"At most {MAX_COLUMNS} are read")
    found: list[Row] = []
    for line, cells in rows:
        if len(cells) > len(columns):
            text = f"{len(cells)} cells, and the header names {len(columns)}"
            raise WorkflowError(text, name=name, place=f"line {line}", fix="Put values with commas into quotes")
        _count(len(found), name)
        values = {column: cell for column, cell in zip(columns, cells, strict=False) if cell.strip()}
        found.append(Row(values, line))
    return RowFile(name, columns, tuple(found))


def _delimiter(text: str, suffix: str) -> str:
    """Spreadsheets of countries with a decimal comma write semicolons."""
    header = text.partition("\n")[0]
    if suffix == ".tsv" or ("\t" in header and "," not in header):
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _read(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line where it ends, cells), without empty lines."""
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            place = f"line {reader.line_num}"
            raise WorkflowError(f"not CSV: {error}", name=name, place=place, fix="Check the quotes") from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _json_lines(text: str, name: str) -> RowFile:
    columns: dict[str, str] = {}
    found: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            value = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise WorkflowError(f"not JSON: {error}", name=name, place=place, fix="Write one object a line") from error
        if not isinstance(value, dict):
            raise WorkflowError(f"is {kind_of(value)}", name=name, place=place, fix="Write one object a line")
        for key, cell in value.items():
            where = f"{place}, key {key[:60]!r}"
            if cell is not None and not plain(cell):
                fix = "Give a text, a number, true or false"
                raise WorkflowError(f"is {kind_of(cell)}", name=name, place=where, fix=fix)
            if isinstance(cell, str) and len(cell) > MAX_TEXT:
                raise WorkflowError(f"has {len(cell):,} characters", name=name, place=where)
            columns.setdefault(key, where)
        _count(len(found), name)
        found.append(Row({key: cell for key, cell in value.items() if cell is not None}, number))
    if len(columns) > MAX_COLUMNS:
        raise WorkflowError(f"{len(columns)} different keys", name=name, fix=f"At most {MAX_COLUMNS} are read")
    return RowFile(name, columns, tuple(found))


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _count(rows: int, name: str) -> None:
    if rows >= MAX_JOBS:
        raise WorkflowError(f"more than {MAX_JOBS:,} rows", name=name, fix="Split it into several files")
