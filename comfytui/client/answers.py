"""From the answers of the HTTP routes to structs; raises `BadAnswer` where one is of another kind than documented."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from comfytui.client import messages as m
from comfytui.client import sanitize
from comfytui.client.errors import BadAnswer, Refused
from comfytui.client.frames import error, interrupted
from comfytui.client.readers import (
    ident,
    idents,
    mapping,
    media,
    number,
    problems,
    prompt,
    seconds,
    sequence,
    size,
    text,
)


def submitted(value: Any) -> m.Submitted:
    """The 200 of POST /prompt. Raises BadAnswer without an id."""
    data = mapping(value)
    prompt_id = ident(data.get("prompt_id"))
    if prompt_id is None:
        raise BadAnswer("the server accepted the prompt but gave no prompt_id")
    return m.Submitted(prompt_id, number(data.get("number")), problems(data.get("node_errors")))


def queue(value: Any, known: Container[str] = ()) -> m.Queue:
    """GET /queue; the waiting ones are sorted as the server will take them: by number, then by id. Raises BadAnswer."""
    if not isinstance(value, dict) or not {"queue_running", "queue_pending"} <= value.keys():
        raise BadAnswer("the answer is not a queue")
    running = _prompts(value["queue_running"], known)
    taken = {item.prompt_id for item in running}
    waiting = (item for item in _prompts(value["queue_pending"], known) if item.prompt_id not in taken)
    return m.Queue(running, tuple(sorted(waiting, key=lambda item: (item.number, item.prompt_id))))


def _prompts(value: Any, known: Container[str]) -> tuple[m.Prompt, ...]:
    found = (prompt(item, known) for item in sequence(value))
    unique = {item.prompt_id: item for item in found if item is not None}
    return tuple(unique.values())


def history(value: Any, known: Container[str] = ()) -> tuple[m.HistoryEntry, ...]:
    """GET /history and /history/{id}, oldest first as the server has them. Raises BadAnswer."""
    if not isinstance(value, dict):
        raise BadAnswer("the answer is not a history")
    found = (_entry(prompt_id, entry, known) for prompt_id, entry in value.items())
    return tuple(item for item in found if item is not None)


def _entry(prompt_id: str, value: Any, known: Container[str]) -> m.HistoryEntry | None:
    entry = mapping(value)
    item = prompt(entry.get("prompt"), known) or prompt([0, prompt_id, None, None, None], known)
    if item is None:
        return None
    display = mapping(entry.get("meta"))
    outputs: list[m.Media] = []
    for node, output in mapping(entry.get("outputs")).items():
        shown = ident(mapping(display.get(node)).get("display_node")) or ident(node) or "?"
        outputs += media(shown, output)
    status = mapping(entry.get("status"))
    said = {
        pair[0]: mapping(pair[1])
        for pair in sequence(status.get("messages"))
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
    }
    last = next((name for name in reversed(said) if name in _OUTCOMES), None)
    failed = status.get("status_str") == "error" or status.get("completed") is False
    start = mapping(said.get("execution_start"))
    return m.HistoryEntry(
        prompt=item,
        outcome=_OUTCOMES[last] if last else "failed" if failed else "done",
        outputs=tuple(outputs),
        cached=idents(mapping(said.get("execution_cached")).get("nodes")),
        started=seconds(start.get("timestamp")),
        ended=seconds(mapping(said.get(last or "")).get("timestamp")),
        error=error({"prompt_id": item.prompt_id, **said["execution_error"]}) if last == "execution_error" else None,
        interrupted=interrupted({"prompt_id": item.prompt_id, **said[last]})
        if last == "execution_interrupted"
        else None,
    )


_OUTCOMES = {"execution_success": "done", "execution_error": "failed", "execution_interrupted": "interrupted"}


def finished_jobs(value: Any) -> tuple[tuple[m.HistoryEntry, ...], int]:
    """GET /api/jobs of finished states, which has the newest first: entries without graphs, and how many there are.

    Raises BadAnswer.
    """
    answer = mapping(value)
    total = mapping(answer.get("pagination")).get("total")
    if not isinstance(answer.get("jobs"), list) or not isinstance(total, int) or isinstance(total, bool):
        raise BadAnswer("the answer is not a list of jobs")
    found = (_job(mapping(each)) for each in reversed(answer["jobs"]))
    return tuple(item for item in found if item is not None), max(0, total)


_STATUSES = {"completed": "done", "failed": "failed", "cancelled": "interrupted"}


def _job(job: Mapping[str, Any]) -> m.HistoryEntry | None:
    prompt_id, outcome = ident(job.get("id")), _STATUSES.get(str(job.get("status")))
    if prompt_id is None or outcome is None:
        return None
    said = mapping(job.get("execution_error"))
    shown = mapping(job.get("preview_output"))
    kind, node = str(shown.get("mediaType") or "images"), ident(shown.get("nodeId")) or "?"
    return m.HistoryEntry(
        prompt=m.Prompt(prompt_id, number=number(job.get("priority")), created=seconds(job.get("create_time"))),
        # 0.8.0 tells an interrupted job as a failed one without an error
        outcome="interrupted" if outcome == "failed" and not said else outcome,
        outputs=media(node, {kind: [shown]}) if shown else (),
        started=seconds(job.get("execution_start_time")),
        ended=seconds(job.get("execution_end_time")),
        error=error({**said, "prompt_id": prompt_id}) if said else None,
    )


def system_stats(value: Any) -> m.SystemStats:
    """GET /system_stats. Raises BadAnswer."""
    if not isinstance(value, dict) or "system" not in value:
        raise BadAnswer("the answer is not about a system")
    system = mapping(value["system"])
    devices = (mapping(item) for item in sequence(value.get("devices"))[:64])
    return m.SystemStats(
        version=text(system.get("comfyui_version")),
        pytorch=text(system.get("pytorch_version")),
        python=text(system.get("python_version")),
        os=text(system.get("os")),
        argv=tuple(text(item) for item in sequence(system.get("argv"))[:200]),
        ram_total=size(system.get("ram_total")),
        ram_free=size(system.get("ram_free")),
        devices=tuple(
            m.DeviceStats(
                name=text(item.get("name")),
                type=text(item.get("type")),
                index=item["index"] if isinstance(item.get("index"), int) else None,
                vram_total=size(item.get("vram_total")),
                vram_free=size(item.get("vram_free")),
                torch_vram_total=size(item.get("torch_vram_total")),
                torch_vram_free=size(item.get("torch_vram_free")),
            )
            for item in devices
        ),
    )


def names(value: Any) -> tuple[str, ...]:
    """A list of names: models, folders, embeddings. Raises BadAnswer."""
    if not isinstance(value, list):
        raise BadAnswer("the answer is not a list of names")
    return tuple(text(item) for item in value if isinstance(item, str))


def refusal(value: Any, where: str) -> Refused | None:
    """The 400 of POST /prompt as the error to raise; None if it is not of that shape."""
    said = mapping(value).get("error")
    if isinstance(said, str):
        return Refused(sanitize.block(said), where=where)
    if not isinstance(said, dict):
        return None
    return Refused(
        text(said.get("message"), "the server refused the prompt", sanitize.block),
        type=text(said.get("type")),
        details=text(said.get("details"), "", sanitize.block),
        node_errors=problems(mapping(value).get("node_errors")),
        where=where,
    )
