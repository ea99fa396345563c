"""The diffusion network as nodes pass it around (type `MODEL`): its sigmas, its latents and one call of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.checkpoint import Weights
from engine.models.detect import UNetShape
from engine.models.latents import SD1, LatentFormat
from engine.models.ldm import load_unet
from engine.models.packing import pack
from engine.sampling.sigmas import Sigmas, stable_diffusion_sigmas


@dataclass(frozen=True, slots=True)
class DiffusionModel:
    """A network that predicts noise (or v) at the steps of a table of sigmas."""

    network: nn.Module
    sigmas: Sigmas
    latent_format: LatentFormat
    device: torch.device
    dtype: torch.dtype
    in_channels: int
    context_width: int
    v_prediction: bool = False

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """x0, float32, as the network sees it for x (B, C, h, w) at sigma (B,), given text states (B, T, width).

        x is scaled to unit variance (Karras et al. 2022, "Elucidating the Design Space", c_in and c_out
        of their table 1 for VP).
        """
        s = sigma.view(-1, 1, 1, 1)
        scaled = x / (s * s + 1).sqrt()
        network: Any = self.network
        steps = self.sigmas.timestep(sigma)
        y: Tensor = network(scaled.to(self.dtype), steps, context.to(self.dtype), return_dict=False)[0].float()
        if self.v_prediction:
            return x / (s * s + 1) - y * s / (s * s + 1).sqrt()
        return x - y * s


def make_diffusion(
    weights: Weights, shape: UNetShape, v_prediction: bool, device: torch.device, dtype: torch.dtype
) -> DiffusionModel:
    """The diffusion network of a checkpoint. Raises `ModelFileError`."""
    network = load_unet(weights, shape, dtype).to(device)
    return DiffusionModel(
        network=pack(network) if device.type == "cpu" else network,
        sigmas=stable_diffusion_sigmas(),
        latent_format=SD1,
        device=device,
        dtype=dtype,
        in_channels=shape.in_channels,
        context_width=shape.context,
        v_prediction=v_prediction,
    )
