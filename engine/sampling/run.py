"""One sampling run: sigmas for the steps asked for, noise, the sampler, and the latent it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.sampling.denoiser import Denoiser, Inpaint
from engine.sampling.guidance import Cond, opposite, prepare
from engine.sampling.hooks import Answer, Hooks
from engine.sampling.noise import NoiseSource, initial_noise
from engine.sampling.parametrization import Parametrization
from engine.sampling.samplers import SAMPLERS, Entry
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
    def parametrization(self) -> Parametrization: ...

    @property
    def hooks(self) -> Hooks: ...

    @property
    def latent_format(self) -> LatentFormat: ...

    @property
    def device(self) -> torch.device: ...

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor: ...

    def running(self) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Guider:
    """A model and the conditioning that guides it (type `GUIDER`); `mix` is how three sides become one."""

    model: Model
    positive: Sequence[Any]
    negative: Sequence[Any]
    cfg: float
    third: Sequence[Any] = ()
    mix: Callable[[Answer], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """Where a run's first noise comes from (type `NOISE`); none without a seed."""

    seed: int | None

    def draw(self, shape: Sequence[int], batch_index: Sequence[int] | None = None) -> Tensor:
        """Unit noise, float32, on the CPU."""
        return torch.zeros(tuple(shape)) if self.seed is None else initial_noise(shape, self.seed, batch_index)


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
    levels = sigmas_for(model.sigmas, settings.steps, settings.scheduler, settings.sampler, settings.denoise)
    levels = between(levels, settings.start, settings.end, settings.to_zero)
    return sample_levels(
        Guider(model, positive, negative, settings.cfg),
        latent,
        SAMPLERS[settings.sampler],
        levels,
        Noise(settings.seed if settings.add_noise else None),
        seed=settings.seed,
        mask=mask,
        batch_index=batch_index,
        on_step=on_step,
        check=check,
    )[0]


def sample_levels(
    guider: Guider,
    latent: Tensor,
    sampler: Entry,
    levels: Tensor,
    noise: Noise,
    *,
    seed: int = 0,
    mask: Tensor | None = None,
    batch_index: Sequence[int] | None = None,
    on_step: Callable[[int, int, Tensor], None] = lambda step, total, denoised: None,
    check: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """The latent after going through `levels` (σ, falling), and the last x0; both as `sample` gives its own.

    `seed` is that of the sampler's own draws. Raises `SamplingError`.
    """
    model = guider.model
    latent = latent.float().cpu()
    if len(levels) < 2:
        return latent.clone(), latent.clone()
    last: list[Tensor] = []
    with torch.inference_mode(), model.running():
        # an empty latent is grey to nobody: only one with content is brought to the network's scale
        original = (model.latent_format.enter(latent) if latent.any() else latent).to(model.device)
        drawn, levels = noise.draw(latent.shape, batch_index).to(model.device), levels.to(model.device)
        x = model.parametrization.noised(original, drawn, levels[0])
        inpaint = None
        if mask is not None:
            kept = drawn
            if sampler.fresh_inpaint_noise:
                generator = torch.Generator().manual_seed((seed + 1) % (1 << 64))
                kept = torch.randn(latent.shape, generator=generator).to(model.device)
            inpaint = Inpaint(fit_mask(mask, latent.shape).to(model.device), original, kept, model.parametrization.kept)
        denoiser = _denoiser(guider, latent.shape, inpaint, check)
        total = len(levels) - 1

        def step(i: int, x0: Tensor) -> None:
            last[:] = [x0]
            on_step(i, total, x0)

        x = sampler.sample(denoiser, x, levels, NoiseSource(seed), step)
        x = model.parametrization.left(x, levels[-1])
        if not torch.isfinite(x).all():
            raise SamplingError(
                f"sampling gave values that are not numbers; the checkpoint may be damaged, or cfg {guider.cfg} far too high"
            )
        leave = model.latent_format.leave
        # ordinary tensors leave: those made in inference mode may not be changed by anybody
        return leave(x).cpu().clone(), leave(last[0] if last else x).cpu().clone()


def _denoiser(guider: Guider, shape: Sequence[int], inpaint: Inpaint | None, check: Callable[[], None]) -> Denoiser:
    model, hooks = guider.model, guider.model.hooks

    def ready(conditioning: Sequence[Any]) -> tuple[Cond, ...]:
        return prepare(conditioning, shape, model.sigmas, model.device)

    positive, negative = ready(guider.positive), ready(guider.negative)
    if guider.mix is not None:
        hooks = hooks.adding(sides=guider.mix, needs_negative=True)
    return Denoiser(
        model.denoise,
        opposite(positive, negative),
        opposite(negative, positive),
        guider.cfg,
        inpaint,
        check,
        hooks,
        ready(guider.third),
    )


def fit_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """A mask (H, W), (B, H, W) or (B, 1, H, W) as (B, 1, h, w) of a latent, resized bilinearly, repeated over the batch.

    (B, 1, 1, h, w) for a latent of five dimensions: every frame has the same.
    """
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if mask.shape[-2:] != tuple(shape[-2:]):
        mask = F.interpolate(mask, size=tuple(shape[-2:]), mode="bilinear")
    mask = mask.repeat(-(-shape[0] // len(mask)), 1, 1, 1)[: shape[0]]
    return mask[:, :, None] if len(shape) == 5 else mask
