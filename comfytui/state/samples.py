"""What is drawn as sparklines: speed and memory over the last minutes, each bounded. Pure functions."""

from __future__ import annotations

from msgspec.structs import replace

from comfytui.state.model import Frozen, ServerState

RATES = 240  # kept; four minutes of sampling
APART = 1.0  # seconds between two: a fast sampler tells a hundred steps a second


class Series(Frozen, frozen=True):
    """Numbers, oldest first. Empty where the server does not tell."""

    rate: tuple[float, ...] = ()  # steps a second
    vram: tuple[float, ...] = ()  # used, 0 to 1, of the first device
    ram: tuple[float, ...] = ()  # used, 0 to 1
    gpu: tuple[float, ...] = ()  # load of the first GPU, 0 to 1; only where the server runs on this machine
    heat: tuple[float, ...] = ()  # its temperature, °C


def sampled(state: ServerState, at: float) -> ServerState:
    """The state with the run's speed noted, if the last note is old enough."""
    rate = state.run.rate if state.run is not None else None
    if rate is None or (state.rates and 0 <= at - state.rates[-1][0] < APART):
        return state
    return replace(state, rates=(*state.rates[-RATES + 1 :], (at, rate)))


def series(state: ServerState, count: int = RATES) -> Series:
    """The newest `count` of each."""
    past = state.stats_history[-count:]
    devices = [stats.devices[0] for stats in past if stats.devices and stats.devices[0].vram_total > 0]
    gpus = [sample.gpus[0] for sample in state.local[-count:] if sample.gpus]
    return Series(
        rate=tuple(rate for _, rate in state.rates[-count:]),
        vram=tuple(_used(device.vram_total, device.vram_free) for device in devices),
        gpu=tuple(load for gpu in gpus if (load := gpu.load) is not None),
        heat=tuple(heat for gpu in gpus if (heat := gpu.temperature) is not None),
        ram=tuple(_used(stats.ram_total, stats.ram_free) for stats in past if stats.ram_total > 0),
    )


def _used(total: int, free: int) -> float:
    return min(1.0, max(0.0, 1 - free / total))
