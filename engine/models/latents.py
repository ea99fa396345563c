"""Latents: the scale each family gives them, quick previews as pictures, and resizing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PREVIEW_SIDE = 512  # pixels; a preview's longer side is never more


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """How the autoencoder's latents relate to what the diffusion network sees."""

    scale: float
    channels: int
    to_rgb: tuple[tuple[float, float, float], ...]  # a row a channel: its part in red, green and blue, in [−1, 1]

    def enter(self, latent: Tensor) -> Tensor:
        """From the autoencoder's latent to the network's."""
        return latent * self.scale

    def leave(self, latent: Tensor) -> Tensor:
        """From the network's latent to the autoencoder's."""
        return latent / self.scale


# The matrix was published for SD 1.x in the Hugging Face forum: "Decoding latents to RGB without upscaling" (2022).
SD1 = LatentFormat(
    scale=0.18215,
    channels=4,
    to_rgb=((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473)),
)


def preview(latent: Tensor, form: LatentFormat, factor: int = 8) -> Any:
    """A PIL picture of the first item of a latent (B, C, H, W) as the network sees it, about full size.

    One colour a latent pixel, enlarged smoothly: it costs about a millisecond.
    """
    from PIL import Image

    first = latent[0].detach().float().cpu()
    colours = torch.einsum("chw,cr->hwr", torch.nan_to_num(first), torch.tensor(form.to_rgb))
    pixels = ((colours + 1) * 127.5).clamp(0, 255).byte().numpy()
    height, width = pixels.shape[:2]
    grow = min(float(factor), PREVIEW_SIDE / max(width, height))
    size = (max(1, round(width * grow)), max(1, round(height * grow)))
    return Image.fromarray(pixels, "RGB").resize(size, Image.Resampling.BICUBIC)


METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")


def resize(samples: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    """Samples (B, C, H, W) or (B, C, T, H, W) at another size, each frame by itself.

    With `crop` "center", the middle with the new proportions is taken first.
    """
    if samples.ndim == 5:
        frames = samples.movedim(2, 1)
        done = resize(frames.flatten(0, 1), width, height, method, crop)
        return done.reshape(*frames.shape[:3], height, width).movedim(1, 2)
    if crop == "center":
        samples = _crop(samples, width, height)
    if method == "bislerp":
        return _bislerp(samples, width, height)
    return F.interpolate(samples, size=(height, width), mode=method)


def _crop(samples: Tensor, width: int, height: int) -> Tensor:
    h, w = samples.shape[-2:]
    have, want = w / h, width / height
    x = round((w - w * (want / have)) / 2) if have > want else 0
    y = round((h - h * (have / want)) / 2) if have < want else 0
    return samples[..., y : h - y, x : w - x]


def _bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Like bilinear, but along the arc between the channel vectors: keeps their length, which plain mixing shortens."""
    x = samples.float()
    x = _along(x, width, -1)
    return _along(x, height, -2).to(samples.dtype)


def _along(x: Tensor, size: int, dim: int) -> Tensor:
    old = x.shape[dim]
    at = ((torch.arange(size, dtype=torch.float32, device=x.device) + 0.5) * (old / size) - 0.5).clamp(0, old - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=old - 1)
    share = (at - low).view([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
    return _slerp(x.index_select(dim, low), x.index_select(dim, high), share)


def _slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Between vectors along dimension 1: direction on the great circle, length in proportion (Shoemake 1985)."""
    len_a, len_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    dir_a, dir_b = (torch.where(n == 0, torch.zeros_like(v), v / n) for v, n in ((a, len_a), (b, len_b)))
    dot = (dir_a * dir_b).sum(1, keepdim=True)
    omega = torch.acos(dot.clamp(-1, 1))
    sine = torch.sin(omega)
    mixed = (torch.sin((1 - t) * omega) * dir_a + torch.sin(t * omega) * dir_b) / sine * (len_a * (1 - t) + len_b * t)
    mixed = torch.where(dot > 1 - 1e-5, a, mixed)  # as good as parallel
    return torch.where(dot < 1e-5 - 1, a * (1 - t) + b * t, mixed)  # opposite: no one arc between them


def previewer(form: LatentFormat) -> Callable[[Tensor], Callable[[], Any]]:
    """For each latent, a function that draws it when somebody looks."""
    return lambda latent: lambda: preview(latent, form)
