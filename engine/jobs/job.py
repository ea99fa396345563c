"""What a job is: an accepted prompt, and a finished one. Bodies are JSON bytes: most are only passed on."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Number: TypeAlias = int | float

encode = msgspec.json.Encoder().encode


class Job(msgspec.Struct, frozen=True):
    """An accepted prompt. `prompt` and `extra_data` are JSON, as every answer that shows them needs it.

    A queue of ten thousand jobs is then ten thousand byte strings and not millions of small objects.
    """

    number: Number
    prompt_id: str
    prompt: bytes  # the graph, with values coerced by validation
    extra_data: bytes  # with client_id and create_time, without secrets
    outputs: tuple[str, ...]  # output nodes that passed validation
    create_time: int  # ms since the epoch
    client_id: str | None = None
    workflow_id: str | None = None
    attempts: int = 0  # times a worker began it; more than one only after the engine died with it

    @property
    def key(self) -> tuple[Number, str]:
        """Smallest first."""
        return (self.number, self.prompt_id)

    def item(self) -> bytes:
        """The JSON array of `/queue` and `/history`: number, id, graph, extra data, outputs."""
        return b"[%s,%s,%s,%s,%s]" % (
            encode(self.number),
            encode(self.prompt_id),
            self.prompt,
            self.extra_data,
            encode(self.outputs),
        )


class Finished(msgspec.Struct, frozen=True):
    """A job that ended, as the history keeps it. `times` are ms since the epoch, as its messages say."""

    job: Job
    status: str  # success | error | interrupted
    outputs: dict[str, Any]
    meta: dict[str, Any]
    messages: list[tuple[str, dict[str, Any]]]

    def status_object(self) -> dict[str, Any]:
        """The `status` of a history entry; an interrupted job is an `error` whose last message says so."""
        done = self.status == "success"
        return {"status_str": "success" if done else "error", "completed": done, "messages": self.messages}

    def times(self) -> tuple[int | None, int | None]:
        """When it began and when it ended."""
        stamps = [(name, data.get("timestamp")) for name, data in self.messages]
        start = next((t for name, t in stamps if name == "execution_start" and isinstance(t, int)), None)
        ends = ("execution_success", "execution_error", "execution_interrupted")
        end = next((t for name, t in reversed(stamps) if name in ends and isinstance(t, int)), None)
        return start, end


class HistoryRow(msgspec.Struct, frozen=True):
    """What `/api/jobs` lists of a finished job, without its body."""

    prompt_id: str
    number: Number
    status: str
    workflow_id: str | None
    create_time: int
    start_time: int | None
    end_time: int | None
    outputs_count: int
    preview: bytes | None
    error: bytes | None
    seq: int = 0  # its place among those that ended

    @property
    def duration(self) -> int:
        """In ms, as the history is sorted by it; 0 for a job without a beginning or an end."""
        if self.start_time is None or self.end_time is None:
            return 0
        return max(0, self.end_time - self.start_time)
