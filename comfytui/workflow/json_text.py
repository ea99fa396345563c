"""Decodes the JSON of workflow files as they are found in the wild, and says precisely what is wrong with it."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

from comfytui.workflow.errors import WorkflowError

MAX_BYTES = 64 * 1024 * 1024  # of a JSON file; the largest published workflows have about 2 MB
# A list of one byte in the file takes 60 in memory: counting brackets first keeps a hostile file from filling it.
MAX_OBJECTS = 2_000_000  # lists and objects
MAX_ITEMS = 8_000_000
MAX_DEPTH = 100  # of lists and objects in one another; real workflows have less than twenty
FIX = "Give a JSON file, or a picture that ComfyUI made"
AGAIN = "Export it again"


def loads(data: bytes | str) -> Any:
    """Decode it: UTF-8 or UTF-16, with or without a byte-order mark, with NaN in what old servers left in metadata.

    Raises WorkflowError, and nothing else: of what is not text, not JSON, too large, too deep, or names a key twice.
    """
    text = data if isinstance(data, str) else _text(data)
    if len(text) > MAX_BYTES:
        raise WorkflowError(f"larger than {MAX_BYTES >> 20} MiB", fix="Is it the right file?")
    if not text.strip():
        raise WorkflowError("empty", fix="Give a workflow in the API format: nodes, each with class_type and inputs")
    if text.count("[") + text.count("{") > MAX_OBJECTS or text.count(",") > MAX_ITEMS:
        raise WorkflowError("has millions of values, and no workflow has", fix="Is it the right file?")
    twice: list[tuple[str, dict[str, Any]]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items) and not twice:
            seen: set[str] = set()
            key = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            twice.append((key, found))
        return found

    try:
        found = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        problem = "ends in the middle: the file is incomplete" if cut else f"not JSON: {error.msg}"
        fix = "Save or copy it again" if cut else FIX
        raise WorkflowError(problem, place=f"line {error.lineno}, column {error.colno}", fix=fix) from error
    except RecursionError as error:
        raise WorkflowError("lists and objects are nested too deeply for a workflow", fix=AGAIN) from error
    except ValueError as error:  # an integer of thousands of digits
        raise WorkflowError(f"a number in it is too large: {error}", fix=AGAIN) from error
    if twice:
        key, where = twice[0]
        raise WorkflowError(
            f"{key[:80]!r} is given twice, and only one of them can be meant",
            place=_path(found, where),
            fix="Remove or rename one of them",
        )
    return found


def kept(value: Any) -> Any:
    """A decoded value as it can be sent on: NaN and infinities become null, half characters `�`; all else stays.

    Returns the value itself if nothing had to change. Raises WorkflowError if it is nested too deeply.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            break
        level = [
            each
            for outer in level
            for each in (outer.values() if type(outer) is dict else outer)
            if type(each) is dict or type(each) is list
        ]
    if level:
        raise WorkflowError("lists and objects are nested too deeply for a workflow", fix=AGAIN)
    try:  # nearly always all is well, and nothing sees that faster than what would send it
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return _mended(value)
    return value


def _mended(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="surrogatepass").decode(errors="replace")
    if isinstance(value, list):
        return [_mended(each) for each in value]
    return {_mended(key): _mended(each) for key, each in value.items()} if isinstance(value, dict) else value


def _text(data: bytes) -> str:
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data[:1] in (b"{", b"[") and data[1:2] == b"\0":
        encoding = "utf-16-le"
    elif data[:1] == b"\0" and data[1:2] in (b"{", b"["):
        encoding = "utf-16-be"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise WorkflowError("not text", place=f"byte {error.start}", fix=FIX) from error


def _path(top: Any, wanted: dict[str, Any]) -> str:
    """Where an object is: the keys that lead to it."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(top, ())]
    while waiting:
        value, path = waiting.pop()
        if value is wanted:
            return " → ".join(path)
        if len(path) < MAX_DEPTH:
            if isinstance(value, dict):
                waiting.extend(
                    (each, (*path, str(key)[:80])) for key, each in value.items() if isinstance(each, (dict, list))
                )
            elif isinstance(value, list):
                waiting.extend(
                    (each, (*path, str(at))) for at, each in enumerate(value) if isinstance(each, (dict, list))
                )
    return ""  # it was itself given twice, and the other one counted
