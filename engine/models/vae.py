"""The autoencoder as nodes pass it around: pictures to latents and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.checkpoint import Weights
from engine.models.detect import VAEShape
from engine.models.ldm import load_vae
from engine.models.packing import pack


@dataclass(frozen=True, slots=True)
class VAE:
    """Encodes and decodes (type `VAE`). Latents are the autoencoder's own, before the latent format scales them."""

    network: nn.Module
    shape: VAEShape
    device: torch.device
    dtype: torch.dtype

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, H, W, 3) in [0, 1], float32 on the CPU, of latents (B, C, h, w). Raises `ValueError`."""
        latent = self.checked(latent)
        network: Any = self.network
        with torch.inference_mode():
            # one at a time: a picture's activations are the largest thing in memory, and batching gains little
            pictures = [
                network.decode(z.to(self.device, self.dtype)).sample.float().cpu() for z in latent.chunk(len(latent))
            ]
            return ((torch.cat(pictures) + 1) / 2).clamp(0, 1).movedim(1, -1).clone()

    def checked(self, latent: Tensor) -> Tensor:
        """The latent (B, C, h, w), of a video its first frame; `ValueError` for one that is not this autoencoder's."""
        if latent.ndim == 5:
            latent = latent[:, :, 0]
        if latent.ndim != 4 or latent.shape[1] != self.shape.latent_channels:
            raise ValueError(
                f"the latent has the shape {tuple(latent.shape)}; this VAE decodes (batch, {self.shape.latent_channels}, height, width)"
            )
        if not torch.isfinite(latent).all():
            raise ValueError(
                "the latent has values that are not numbers (NaN or infinite); the sampling before went wrong"
            )
        return latent

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents (B, C, H/8, W/8) of pictures (B, H, W, 3 or more) in [0, 1]; cropped around the middle to whole latent pixels.

        The mean of the posterior, not a draw, so that the same picture always gives the same latent.
        Raises `ValueError` for pictures smaller than one latent pixel.
        """
        x = self.entering(pixels)
        network: Any = self.network
        with torch.inference_mode():
            means = [
                network.encode(p.to(self.device, self.dtype)).latent_dist.mean.float().cpu() for p in x.chunk(len(x))
            ]
            return torch.cat(means).clone()

    def entering(self, pixels: Tensor) -> Tensor:
        """Pictures as the network takes them: (B, 3, H, W) in [−1, 1], the middle of whole latent pixels."""
        factor = self.shape.factor
        height, width = (n // factor * factor for n in pixels.shape[1:3])
        if not height or not width:
            raise ValueError(
                f"the picture has {pixels.shape[2]}×{pixels.shape[1]} pixels; the VAE needs {factor}×{factor} at least"
            )
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        return pixels[:, top : top + height, left : left + width, :3].movedim(-1, 1) * 2 - 1


def make_vae(weights: Weights, shape: VAEShape, device: torch.device, dtype: torch.dtype) -> VAE:
    """The autoencoder of a checkpoint. Raises `ModelFileError`."""
    network = load_vae(weights, shape, dtype).to(device)
    return VAE(pack(network) if device.type == "cpu" else network, shape, device, dtype)
