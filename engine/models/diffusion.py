"""The diffusion network as nodes pass it around (type `MODEL`): its parametrization, its patches and one call of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.checkpoint import Weights
from engine.models.detect import UNetShape
from engine.models.latents import SD1, LatentFormat
from engine.models.ldm import load_unet
from engine.models.packing import pack
from engine.models.patches import NetworkPatch, WeightPatch, apply_weights, patched
from engine.sampling.hooks import NO_HOOKS, Hooks
from engine.sampling.parametrization import Parametrization, Prediction
from engine.sampling.sigmas import Sigmas, stable_diffusion_sigmas

Extras = Callable[[Tensor, Tensor], dict[str, Any]]  # x, sigma (B,) → further arguments of the network


@dataclass(frozen=True, slots=True)
class DiffusionModel:
    """A network and what is changed about it. Patches make a changed copy, which shares the network."""

    network: nn.Module
    parametrization: Parametrization
    latent_format: LatentFormat
    device: torch.device
    dtype: torch.dtype
    in_channels: int
    context_width: int
    hooks: Hooks = NO_HOOKS
    network_patches: tuple[NetworkPatch, ...] = ()
    weight_patches: tuple[WeightPatch, ...] = ()
    extras: tuple[Extras, ...] = ()  # residuals of a ControlNet, pooled vectors, …: keyword arguments of the network

    @property
    def sigmas(self) -> Sigmas:
        return self.parametrization.sigmas

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """x0 (B, C, …), float32, as the network sees it for x at sigma (B,), given text states (B, T, width)."""
        network: Any = self.network
        more: dict[str, Any] = {}
        for extra in self.extras:
            more |= extra(x, sigma)
        scaled = self.parametrization.enter(x, sigma)
        steps = self.sigmas.timestep(sigma)
        y: Tensor = network(scaled.to(self.dtype), steps, context.to(self.dtype), return_dict=False, **more)[0].float()
        return self.parametrization.x0(x, y, sigma)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The network with this model's patches on it, for one run; the network's own again whatever ends the run.

        Weights stay patched afterwards, for the next run of the same model; another model undoes them.
        Raises `KeyError` and `ValueError` of patches that do not fit.
        """
        apply_weights(self.network, self.weight_patches)
        with patched(self.network, self.network_patches):
            yield

    def changed(self, patches: Sequence[NetworkPatch]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """`denoise`, with further patches on the network for the time of the call."""

        def call(x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
            with patched(self.network, patches):
                return self.denoise(x, sigma, context)

        return call

    def with_parametrization(self, **changes: Any) -> DiffusionModel:
        """A copy with other fields of its parametrization."""
        return replace(self, parametrization=replace(self.parametrization, **changes))

    def with_hooks(self, **changes: Any) -> DiffusionModel:
        """A copy with guidance hooks added (`Hooks.adding`)."""
        return replace(self, hooks=self.hooks.adding(**changes))

    def with_network(self, *patches: NetworkPatch) -> DiffusionModel:
        """A copy with patches of the network behind those it has."""
        return replace(self, network_patches=(*self.network_patches, *patches))

    def with_weights(self, *patches: WeightPatch) -> DiffusionModel:
        """A copy with weight patches behind those it has."""
        return replace(self, weight_patches=(*self.weight_patches, *patches))

    def with_extras(self, *extras: Extras) -> DiffusionModel:
        """A copy that gives its network further arguments."""
        return replace(self, extras=(*self.extras, *extras))


def make_diffusion(
    weights: Weights, shape: UNetShape, v_prediction: bool, device: torch.device, dtype: torch.dtype
) -> DiffusionModel:
    """The diffusion network of a checkpoint. Raises `ModelFileError`."""
    network = load_unet(weights, shape, dtype).to(device)
    return DiffusionModel(
        network=pack(network) if device.type == "cpu" else network,
        parametrization=Parametrization(stable_diffusion_sigmas(), Prediction.V if v_prediction else Prediction.EPS),
        latent_format=SD1,
        device=device,
        dtype=dtype,
        in_channels=shape.in_channels,
        context_width=shape.context,
    )
