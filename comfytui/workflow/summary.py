"""What a workflow is about, found by following its links from the samplers."""

from __future__ import annotations

import msgspec


class Facts(msgspec.Struct, frozen=True):
    """What a workflow is about, found by following its links ."""

    name: str = ""  # file or workflow name, if known
    positive: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler: str = ""
    scheduler: str = ""
    denoise: float | None = None
    width: int | None = None
    height: int | None = None
    batch: int | None = None
    model: str = ""
    loras: tuple[str, ...] = ()
