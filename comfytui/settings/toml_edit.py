"""Changes one key of a TOML text and leaves the comments and the order of everything else."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w


def changed(text: str, wanted: Mapping[str, Any], tables: Sequence[str], key: str) -> str:
    """The text with one key changed, so that it means `wanted`; without its comments if lines cannot do it."""
    at: Any = wanted
    for table in tables:
        at = at.get(table, {})
    line = tomli_w.dumps({key: at[key]}).strip() if key in at else None
    edited = _edited(text, tables, key, line)
    # The edit goes by lines, which TOML does not: what it made must mean what was wanted.
    with contextlib.suppress(tomllib.TOMLDecodeError):
        if _without_empty(tomllib.loads(edited)) == _without_empty(wanted):
            return edited
    return tomli_w.dumps(wanted)


def _without_empty(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Without tables that hold nothing: a header without keys means no more than none."""
    inner = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in raw.items()}
    return {key: value for key, value in inner.items() if value != {}}


def _edited(text: str, tables: Sequence[str], key: str, line: str | None) -> str:
    """The text with the line of one key replaced, added to its table, or (None) taken out."""
    lines = text.splitlines()
    header = f"[{'.'.join(tables)}]"
    at = 0
    if tables:
        at = next((index + 1 for index, each in enumerate(lines) if each.split("#")[0].strip() == header), -1)
        if at < 0:
            return text if line is None else "\n".join([*lines, *([""] if lines else []), header, line]) + "\n"
    end = next((index for index in range(at, len(lines)) if lines[index].lstrip().startswith("[")), len(lines))
    found = next((index for index in range(at, end) if lines[index].partition("=")[0].strip() in (key, f'"{key}"')), -1)
    if found >= 0:
        lines[found : found + 1] = [] if line is None else [line + _comment(lines[found])]
    elif line is not None:
        while end > at and not lines[end - 1].strip():  # before the empty lines that part it from the next table
            end -= 1
        lines.insert(end, line)
    return "\n".join(lines) + "\n"


def _comment(line: str) -> str:
    """The comment at the end of a line, if it has one for sure: after the last quote or bracket."""
    tail = line[max(line.rfind('"'), line.rfind("'"), line.rfind("]")) + 1 :]
    return "  " + tail[tail.index("#") :] if "#" in tail else ""
