"""One sampling run: sigmas for the steps asked for, noise, the sampler, and the latent it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.sampling.denoiser import Denoiser, Inpaint
from engine.sampling.guidance import opposite, prepare
from engine.sampling.noise import NoiseSource, initial_noise
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULES
from engine.sampling.sigmas import Sigmas


class LatentFormat(Protocol):
    """How a family scales its latents."""

    def enter(self, latent: Tensor) -> Tensor: ...

    def leave(self, latent: Tensor) -> Tensor: ...


class Model(Protocol):
    """What sampling needs of a diffusion network."""

    @property
    def sigmas(self) -> Sigmas: ...

    @property
    def latent_format(self) -> LatentFormat: ...

    @property
    def device(self) -> torch.device: ...

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user chooses. Steps are counted from the noisiest; `end` of None runs to the last one."""

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0
    start: int = 0
    end: int | None = None
    add_noise: bool = True
    to_zero: bool = True  # the last step ends without noise even where `end` stops the schedule early


class SamplingError(Exception):
    """A run gave no usable latent, or could not start; the message says why."""


def sigmas_for(table: Sigmas, steps: int, scheduler: str, sampler: str, denoise: float = 1.0) -> Tensor:
    """The noise levels of a run; empty where `denoise` leaves nothing to do. Raises `SamplingError` for unknown names.

    `denoise` below 1 takes the last `steps` of a schedule that has proportionally more.
    """
    if sampler not in SAMPLERS or scheduler not in SCHEDULES:
        kind, name, known = (
            ("sampler", sampler, SAMPLERS) if sampler not in SAMPLERS else ("scheduler", scheduler, SCHEDULES)
        )
        raise SamplingError(f"there is no {kind} {name!r}; the {kind}s are {', '.join(known)}")
    if denoise <= 0:
        return torch.empty(0)
    total = steps if denoise > 0.9999 else int(steps / denoise)
    if SAMPLERS[sampler].skip_penultimate:
        levels = SCHEDULES[scheduler](table, total + 1)
        levels = torch.cat([levels[:-2], levels[-1:]])
    else:
        levels = SCHEDULES[scheduler](table, total)
    return levels if total == steps else levels[-(steps + 1) :]


def between(levels: Tensor, start: int, end: int | None, to_zero: bool) -> Tensor:
    """The levels from step `start` to step `end`; empty where none is left."""
    if end is not None and end < len(levels) - 1:
        levels = levels[: end + 1].clone()
        if to_zero and len(levels):
            levels[-1] = 0
    return levels[start:] if start < len(levels) - 1 else torch.empty(0)


def sample(
    model: Model,
    positive: Sequence[Any],
    negative: Sequence[Any],
    latent: Tensor,
    settings: Settings,
    *,
    mask: Tensor | None = None,
    batch_index: Sequence[int] | None = None,
    on_step: Callable[[int, int, Tensor], None] = lambda step, total, denoised: None,
    check: Callable[[], None] = lambda: None,
) -> Tensor:
    """The denoised latent (B, C, h, w), float32 on the CPU, in the autoencoder's scale.

    `latent` is in the same scale; `mask` (any size, 1 where to sample, 0 where to keep) is resized to
    it. `on_step(step, total, x0)` is called after each step's first call of the network, `check` before
    each call; whatever they raise ends the run and passes through.
    Raises `SamplingError`.
    """
    table, entry = model.sigmas, SAMPLERS.get(settings.sampler)
    levels = sigmas_for(table, settings.steps, settings.scheduler, settings.sampler, settings.denoise)
    levels = between(levels, settings.start, settings.end, settings.to_zero)
    latent = latent.float().cpu()
    if len(levels) < 2 or entry is None:
        return latent.clone()
    with torch.inference_mode():
        noise = (
            initial_noise(latent.shape, settings.seed, batch_index) if settings.add_noise else torch.zeros_like(latent)
        )
        # an empty latent is grey to nobody: only one with content is brought to the network's scale
        original = (model.latent_format.enter(latent) if latent.any() else latent).to(model.device)
        noise, levels = noise.to(model.device), levels.to(model.device)
        first = float(levels[0])
        whole = first > table.maximum or math.isclose(first, table.maximum, rel_tol=1e-5)
        x = original + noise * ((1 + levels[0] ** 2).sqrt() if whole else levels[0])
        inpaint = None
        if mask is not None:
            kept = noise
            if entry.fresh_inpaint_noise:
                generator = torch.Generator().manual_seed((settings.seed + 1) % (1 << 64))
                kept = torch.randn(latent.shape, generator=generator).to(model.device)
            inpaint = Inpaint(fit_mask(mask, latent.shape).to(model.device), original, kept)
        conds = [prepare(c, latent.shape, table, model.device) for c in (positive, negative)]
        denoiser = Denoiser(
            model.denoise, opposite(conds[0], conds[1]), opposite(conds[1], conds[0]), settings.cfg, inpaint, check
        )
        total = len(levels) - 1
        x = entry.sample(denoiser, x, levels, NoiseSource(settings.seed), lambda i, x0: on_step(i, total, x0))
        if not torch.isfinite(x).all():
            raise SamplingError(
                f"sampling with {settings.sampler} gave values that are not numbers; the checkpoint may be damaged, or cfg {settings.cfg} far too high"
            )
        # an ordinary tensor leaves: those made in inference mode may not be changed by anybody
        return model.latent_format.leave(x).cpu().clone()


def fit_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """A mask (H, W), (B, H, W) or (B, 1, H, W) as (B, 1, h, w) of a latent, resized bilinearly, repeated over the batch."""
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if mask.shape[-2:] != tuple(shape[-2:]):
        mask = F.interpolate(mask, size=tuple(shape[-2:]), mode="bilinear")
    return mask.repeat(-(-shape[0] // len(mask)), 1, 1, 1)[: shape[0]]
