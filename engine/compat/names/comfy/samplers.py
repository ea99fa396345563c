"""`comfy.samplers` for packs: the names of samplers and schedules."""

from __future__ import annotations

from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULES

SAMPLER_NAMES = list(SAMPLERS)
SCHEDULER_NAMES = list(SCHEDULES)


class KSampler:
    """Only its lists of names: sampling is what the node KSampler does."""

    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES
