"""What can happen to a server's state besides the server's own events: our link, its answers, our actions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from comfytui.client.messages import Event, HistoryEntry, Queue, SystemStats
from comfytui.state.model import Mark, Sample, Timing
from comfytui.workflow.summary import Facts


class Change(msgspec.Struct, frozen=True):
    """Base."""


class Connected(Change, frozen=True):
    """The event stream is open."""


class Dropped(Change, frozen=True):
    """The link is down; the next try is at `retry_at`."""

    error: str
    retry_at: float
    heard: float | None = None  # when the server last said something: a dead link is noticed later than it dies


class Rejected(Change, frozen=True):
    """It answered, but not as ComfyUI does, or it does not let us in."""

    error: str


class Connecting(Change, frozen=True):
    """A try begins."""


class Closed(Change, frozen=True):
    """We left."""


class Measured(Change, frozen=True):
    """How long an exchange took, in seconds."""

    latency: float


class About(Change, frozen=True):
    """What a graph is about, and which workflow it is."""

    facts: Facts
    shape: str


class Accepted(Change, frozen=True):
    """The server took a prompt of ours."""

    prompt_id: str
    number: float
    graph: Mapping[str, Any]  # cleaned
    extra_data: Mapping[str, Any]  # cleaned
    name: str = ""
    mine: bool = True  # False: we put somebody else's job in another place
    note: str = ""  # what we did with it, for its timeline: moved, released, sent again


class QueueSeen(Change, frozen=True):
    """`/queue`, asked when the state's version was `asked`. `held`: ids that are between two places just now."""

    queue: Queue
    asked: int
    held: frozenset[str] = frozenset()
    skew: float = 0.0  # seconds to add to the server's times to have ours
    facts: Mapping[str, About] = {}  # by id, where they were worked out before: a third of a millisecond each


class Page(StrEnum):
    """Which part of the history an answer is."""

    NEWEST = "newest"
    OLDER = "older"
    SINGLE = "single"


class HistorySeen(Change, frozen=True):
    """Entries of `/history`, oldest first. `skew`: seconds to add to the server's times to have ours."""

    entries: tuple[HistoryEntry, ...]
    page: Page
    asked: int
    complete: bool = False  # nothing is older
    light: bool = False  # without graphs, and with one output at most: what is known of a finished job stays
    skew: float = 0.0
    facts: Mapping[str, About] = {}  # by id, where they were worked out before


class Vanished(Change, frozen=True):
    """These were in the queue, and neither the queue nor the history, asked for at `asked`, knows them."""

    ids: tuple[str, ...]
    asked: int


class Lost(Change, frozen=True):
    """The server does not have these, and would not take them back."""

    ids: tuple[str, ...]


class Removed(Change, frozen=True):
    """We deleted these, and the server agreed."""

    ids: tuple[str, ...]


class StatsSeen(Change, frozen=True):
    stats: SystemStats


class CatalogueSeen(Change, frozen=True):
    object_info: Mapping[str, Any]  # cleaned


class Recalled(Change, frozen=True):
    """What was kept on this side for this server, read at the start: jobs that are held, and jobs that we sent."""

    held: tuple[Kept, ...] = ()
    sent: tuple[Kept, ...] = ()
    lost: tuple[Kept, ...] = ()
    paused: bool = False


class Kept(Change, frozen=True):
    """A job of which this side has the whole request."""

    prompt_id: str
    number: float
    graph: Mapping[str, Any]  # cleaned
    extra_data: Mapping[str, Any]  # cleaned
    name: str = ""
    mine: bool = True
    at: float = 0.0


class Held(Change, frozen=True):
    """These are no longer in the server's queue but on this side, or have other numbers there than before."""

    jobs: tuple[Kept, ...]


class Paused(Change, frozen=True):
    """Whether what we submit is held."""

    paused: bool


class ReadOnlySet(Change, frozen=True):
    """Whether the connection may only look."""

    read_only: bool


class Learned(Change, frozen=True):
    """How long workflows took, read at the start."""

    timings: Mapping[str, Timing]


class Marked(Change, frozen=True):
    """All stars and notes."""

    marks: Mapping[str, Mark]


class LocalSeen(Change, frozen=True):
    """A look at this machine, on which the server runs."""

    sample: Sample


class ActionFailed(Change, frozen=True):
    """Something we tried in the background did not work."""

    error: str


Happening = Change | Event
