"""The latent space of the demo model: defined by a formula, which the autoencoder then learns.

A latent pixel stands for 8×8 picture pixels and has 4 numbers: three linear in the mean colour, one
that grows with the contrast inside the block. Because the target is known before training starts,
the diffusion model, the encoder and the decoder can all be trained at the same time.

The linear part is the (softened) pseudo-inverse of the published Stable Diffusion 1.x latent-to-RGB
approximation, so that any program's latent previews for SD 1.x show this model's colours as well.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# latent (4) -> RGB (3) in [-1, 1]; published for SD 1.x in the Hugging Face forum,
# "Decoding latents to RGB without upscaling" (2022).
LATENT_TO_RGB = torch.tensor(
    [[0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473]]
)
SCALE = 0.18215  # what SD 1.x multiplies the autoencoder's output by


def _basis() -> tuple[torch.Tensor, torch.Tensor]:
    u, s, vh = torch.linalg.svd(LATENT_TO_RGB, full_matrices=True)
    softened = s.clamp(min=0.36)  # the weakest colour axis would otherwise get 6 times the others' variance
    linear = vh.T @ torch.diag(1 / softened) @ u[:, :3].T  # RGB (3) -> latent (4)
    return linear, u[:, 3]


_LINEAR, _NORMAL = _basis()


def analytic_latent(pixels: torch.Tensor) -> torch.Tensor:
    """Latent (B, 4, H/8, W/8), unit scale (what the diffusion model sees), of RGB pixels (B, 3, H, W) in [-1, 1]."""
    mean = F.avg_pool2d(pixels, 8)
    contrast = (F.avg_pool2d(pixels.square(), 8) - mean.square()).clamp(min=0).sum(1, keepdim=True).sqrt()
    linear, normal = _LINEAR.to(pixels), _NORMAL.to(pixels)
    z = torch.einsum("bchw,cl->blhw", mean, linear)
    return z * 0.62 + (contrast * 2.4 - 0.5) * normal.view(1, 4, 1, 1)
