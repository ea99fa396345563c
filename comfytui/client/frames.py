"""From a frame of the socket to an event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from comfytui.client import messages as m
from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer
from comfytui.client.readers import MAX_ITEMS, decode, ident, idents, mapping, media, number, seconds, sequence, text

MAX_TRACEBACK = 200  # entries
MAX_PIECES = 5000  # of a log, in one answer; ComfyUI keeps 300
MAX_LOG_LINE = 2000  # characters
MAX_LOG_PIECE = 256 * 1024
BLOCKED = "ExecutionBlocked"


def text_frame(frame: str | bytes) -> m.Event:
    """A text frame of the socket: `{"type": …, "data": {…}}`."""
    try:
        value = decode(frame)
    except BadAnswer as problem:
        return m.Garbage(str(problem))
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return m.Garbage("a text frame without a type")
    kind = value["type"]
    reader = _EVENTS.get(kind)
    if reader is None:
        return m.Unknown(sanitize.line(kind, 80))
    return reader(mapping(value.get("data"))) or m.Garbage(f"{kind} without a prompt_id or a node")


def _status(data: Mapping[str, Any]) -> m.Event:
    remaining = mapping(mapping(data.get("status")).get("exec_info")).get("queue_remaining")
    count = max(0, int(number(remaining))) if isinstance(remaining, int | float) else None
    return m.Status(queue_remaining=count, sid=ident(data.get("sid")))


def features(data: Mapping[str, Any]) -> m.FeatureFlags:
    """`/features`, or the answer to our own flags."""
    return m.FeatureFlags(sanitize.json_value(data))


def _start(data: Mapping[str, Any]) -> m.Event | None:
    prompt_id = ident(data.get("prompt_id"))
    return None if prompt_id is None else m.ExecutionStart(prompt_id, seconds(data.get("timestamp")))


def _cached(data: Mapping[str, Any]) -> m.Event | None:
    prompt_id = ident(data.get("prompt_id"))
    return None if prompt_id is None else m.ExecutionCached(prompt_id, idents(data.get("nodes")))


def _executing(data: Mapping[str, Any]) -> m.Event | None:
    node = ident(data.get("node"))
    if node is None and data.get("node", "") is not None:
        return None  # only an explicit null means the end
    return m.Executing(node, ident(data.get("display_node")) or node, ident(data.get("prompt_id")))


def _progress(data: Mapping[str, Any]) -> m.Event:
    return m.Progress(
        value=number(data.get("value")),
        maximum=number(data.get("max")),
        node=ident(data.get("node")),
        prompt_id=ident(data.get("prompt_id")),
    )


def _progress_state(data: Mapping[str, Any]) -> m.Event | None:
    prompt_id = ident(data.get("prompt_id"))
    if prompt_id is None:
        return None
    nodes: list[m.NodeProgress] = []
    for name, entry in mapping(data.get("nodes")).items():
        node_id = ident(name)
        if node_id is not None and isinstance(entry, dict) and len(nodes) < MAX_ITEMS:
            nodes.append(
                m.NodeProgress(
                    node_id=node_id,
                    display_node=ident(entry.get("display_node_id")) or node_id,
                    state=text(entry.get("state")),
                    value=number(entry.get("value")),
                    maximum=number(entry.get("max")),
                )
            )
    return m.ProgressState(prompt_id, tuple(nodes))


def _executed(data: Mapping[str, Any]) -> m.Event | None:
    prompt_id, node = ident(data.get("prompt_id")), ident(data.get("node"))
    if prompt_id is None or node is None:
        return None
    shown = ident(data.get("display_node")) or node
    return m.Executed(prompt_id, node, shown, media(shown, data.get("output")))


def _success(data: Mapping[str, Any]) -> m.Event | None:
    prompt_id = ident(data.get("prompt_id"))
    return None if prompt_id is None else m.ExecutionSuccess(prompt_id, seconds(data.get("timestamp")))


def error(data: Mapping[str, Any]) -> m.ExecutionError | None:
    """The data of an `execution_error`; None without a prompt_id."""
    prompt_id = ident(data.get("prompt_id"))
    if prompt_id is None:
        return None
    kind = text(data.get("exception_type"))
    lines = "".join(text(item, "", sanitize.block) for item in sequence(data.get("traceback"))[:MAX_TRACEBACK])
    return m.ExecutionError(
        prompt_id=prompt_id,
        message=text(data.get("exception_message"), "", sanitize.block).strip() or kind or "the server gave no reason",
        exception_type=kind,
        node_id=ident(data.get("node_id")),
        node_type=ident(data.get("node_type")),
        traceback=tuple(lines.rstrip("\n").split("\n")) if lines else (),
        inputs=sanitize.json_value(mapping(data.get("current_inputs"))),
        executed=idents(data.get("executed")),
        timestamp=seconds(data.get("timestamp")),
        blocked=kind == BLOCKED,
    )


def interrupted(data: Mapping[str, Any]) -> m.ExecutionInterrupted | None:
    """The data of an `execution_interrupted`; None without a prompt_id."""
    prompt_id = ident(data.get("prompt_id"))
    if prompt_id is None:
        return None
    return m.ExecutionInterrupted(
        prompt_id=prompt_id,
        node_id=ident(data.get("node_id")),
        node_type=ident(data.get("node_type")),
        executed=idents(data.get("executed")),
        timestamp=seconds(data.get("timestamp")),
    )


def logs(data: Mapping[str, Any]) -> m.Logs:
    """`/internal/logs/raw`, or the event of the same shape; of too many entries the last ones."""
    entries = (mapping(entry) for entry in sequence(data.get("entries"))[-MAX_PIECES:])
    return m.Logs(
        tuple(
            m.LogPiece(log_text(entry["m"]), _stamp(entry.get("t")))
            for entry in entries
            if isinstance(entry.get("m"), str)
        )
    )


def log_text(value: str) -> str:
    """A piece of log, cleaned: the two breaks that mean something stay, each part between them is a line of its own."""
    plain = value[:-1] if value.endswith("\n") else value
    if len(plain) <= MAX_LOG_LINE and plain.isascii() and plain.isprintable():
        return value  # nearly every one, and there may be thousands a second
    value = value[-MAX_LOG_PIECE:].replace("\r\n", "\n")
    parts = _LOG_BREAKS.split(value)  # text, break, text, break, … text
    return "".join(part if index % 2 else sanitize.line(part, MAX_LOG_LINE) for index, part in enumerate(parts))


def old_logs(value: Any) -> m.Logs:
    """`/internal/logs`: one string of `time - message`. Raises BadAnswer."""
    if not isinstance(value, str):
        raise BadAnswer("the answer is no log")
    found: list[m.LogPiece] = []
    for part in value.splitlines(keepends=True)[-MAX_PIECES:]:
        stamp, dash, said = part.partition(" - ")
        if dash and _STAMP.fullmatch(stamp):
            found.append(m.LogPiece(log_text(said), stamp))
        else:  # the second line of a message
            found.append(m.LogPiece(log_text(part), found[-1].stamp if found else ""))
    return m.Logs(tuple(found))


def _stamp(value: Any) -> str:
    return value if isinstance(value, str) and _STAMP.fullmatch(value) else ""


_LOG_BREAKS = re.compile("([\n\r])")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,20}")

_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], m.Event | None]] = {
    "status": _status,
    "feature_flags": features,
    "execution_start": _start,
    "execution_cached": _cached,
    "executing": _executing,
    "progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": _success,
    "execution_error": error,
    "execution_interrupted": interrupted,
    "logs": logs,
}


def binary_frame(frame: bytes) -> m.Event:
    """A binary frame: u32 event (big-endian), then 1: u32 format, image; 3: u32 n, node id, text; 4: u32 n, JSON, image."""
    kind, rest = _u32(frame)
    first, body = _u32(rest)
    if kind is None or first is None:
        return m.Garbage(f"a binary frame of {len(frame)} bytes")
    if kind == 1:
        return m.PreviewImage(image=body, image_type={1: "image/jpeg", 2: "image/png"}.get(first, "image/unknown"))
    if kind not in (3, 4):
        return m.Unknown(f"binary {kind}")
    if first > len(body):
        return m.Garbage(f"a binary frame that promises {first} bytes and has {len(body)}")
    head, tail = body[:first], body[first:]
    if kind == 3:
        return m.ProgressText(
            sanitize.key(head.decode(errors="replace")), sanitize.block(tail.decode(errors="replace"))
        )
    try:
        about = mapping(decode(head))
    except BadAnswer as problem:
        return m.Garbage(f"a preview whose description cannot be read: {problem}")
    return m.PreviewImage(
        image=tail,
        image_type=text(about.get("image_type"), "image/unknown"),
        prompt_id=ident(about.get("prompt_id")),
        node_id=ident(about.get("display_node_id")) or ident(about.get("node_id")),
    )


def _u32(data: bytes) -> tuple[int | None, bytes]:
    return (int.from_bytes(data[:4], "big"), data[4:]) if len(data) >= 4 else (None, b"")
