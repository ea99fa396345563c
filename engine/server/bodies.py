"""Request bodies as JSON, and answers as JSON: one way to read, one shape of refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from engine.server import limits

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


_TOO_DEEP = f"the body is nested too deeply: {limits.DEPTH} levels are the limit"


class BadBodyError(Exception):
    """The body is not what the route takes; the message says where. Answered with 400."""


def answer(value: Any, *, status: int = 200) -> web.Response:
    return raw(encode(value), status=status)


def raw(body: bytes, *, status: int = 200) -> web.Response:
    """An answer whose JSON is already written."""
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


def refusal(kind: str, message: str, details: str = "", *, status: int = 400, **more: Any) -> web.Response:
    """An error in the shape that `POST /prompt` has made the custom."""
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return answer({"error": error, "node_errors": {}, **more}, status=status)


async def read(request: web.Request) -> Any:
    """The body as JSON, whatever its content type says: most clients say nothing or the wrong thing.

    Raises `BadBodyError` with the place of the error, or with the bound that was met; and 413 for a body over
    `limits.JSON_BODY` or `--max-upload-size`.
    """
    if (request.content_length or 0) > limits.JSON_BODY:
        raise too_large(request.content_length or 0, limits.JSON_BODY, "of JSON")
    body = await request.read()
    if len(body) > limits.JSON_BODY:
        raise too_large(len(body), limits.JSON_BODY, "of JSON")
    try:
        return shallow(decode(body), body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBodyError(f"{error}{_place(body, str(error))}" if body else "the body is empty") from error
    except RecursionError as error:
        raise BadBodyError(_TOO_DEEP) from error


def shallow(value: Any, text: bytes) -> Any:
    """`value`, which was read from `text`. Raises `BadBodyError` if it is nested deeper than `limits.DEPTH`.

    Level by level and not by recursion. Few brackets, as most bodies have, need no look at the values at all; else it
    costs about a sixth of the parsing.
    """
    if text.count(b"[") + text.count(b"{") <= limits.DEPTH:
        return value
    level: list[Any] = [value]
    for _ in range(limits.DEPTH):
        inner: list[Any] = []
        for one in level:
            if type(one) is dict:
                inner += [v for v in one.values() if type(v) is dict or type(v) is list]
            elif type(one) is list:
                inner += [v for v in one if type(v) is dict or type(v) is list]
        if not inner:
            return value
        level = inner
    raise BadBodyError(_TOO_DEEP)


def too_large(size: int, limit: int, what: str) -> web.HTTPRequestEntityTooLarge:
    """413 in words: how much is allowed."""
    error = web.HTTPRequestEntityTooLarge(limit, size)
    error.text = f"{size} bytes {what} are too many: {limit} are the limit"
    return error


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """As `read`, and it must be an object."""
    value = await read(request)
    if not isinstance(value, dict):
        raise BadBodyError(f"the body must be a JSON object, not {_name(value)}")
    return value


def strings(value: Any, name: str) -> list[str]:
    """A list of strings of a body, at most `limits.LISTED`. Raises `BadBodyError`."""
    if isinstance(value, list) and len(value) > limits.LISTED:
        raise BadBodyError(f"{name} has {len(value)} entries; {limits.LISTED} are the limit")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadBodyError(f"{name} must be a list of strings")
    return value


def _place(body: bytes, message: str) -> str:
    """The line and column of msgspec's `(byte N)`."""
    _, found, after = message.rpartition("(byte ")
    if not found or not (digits := after.rstrip(")")).isdigit():
        return ""
    before = body[: int(digits)]
    column = len(before) - (before.rfind(b"\n") + 1)
    return f", line {before.count(10) + 1}, column {column + 1}"


def _name(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")
