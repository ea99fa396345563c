"""An autoencoder on overlapping tiles, for pictures whose activations do not fit in memory.

Three passes with tiles of three proportions are averaged, so that the seams of one lie inside the
tiles of the others; each tile fades over its overlap. That is what ComfyUI's tiled nodes give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from engine.models.vae import VAE

Step = Callable[[int, int], None]  # tiles done, tiles in all; raises where the user stopped
Call = Callable[[Tensor], Tensor]


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if length <= tile:
        return [0]
    return [max(0, min(length - overlap, at)) for at in range(0, length - overlap, tile - overlap)]


def tiled(
    x: Tensor, call: Call, tile: tuple[int, int], overlap: int, scale: float, channels: int, step: Callable[[], None]
) -> Tensor:
    """`call` on tiles (height, width) of x (B, C, H, W), put together: (B, channels, H·scale, W·scale), float32."""
    feather = round(overlap * scale)
    height, width = (round(n * scale) for n in x.shape[-2:])
    pictures = []
    for item in x.chunk(len(x)):
        total, count = torch.zeros(1, channels, height, width), torch.zeros(1, 1, height, width)
        for top in _starts(item.shape[-2], tile[0], overlap):
            for left in _starts(item.shape[-1], tile[1], overlap):
                done = call(item[..., top : top + tile[0], left : left + tile[1]])
                weight = _weight(done.shape[-2], done.shape[-1], feather)
                y, x0 = round(top * scale), round(left * scale)
                total[..., y : y + done.shape[-2], x0 : x0 + done.shape[-1]] += done * weight
                count[..., y : y + done.shape[-2], x0 : x0 + done.shape[-1]] += weight
                step()
        pictures.append(total / count)
    return torch.cat(pictures)


def _weight(height: int, width: int, feather: int) -> Tensor:
    """1 in the middle, falling towards all edges; the outer ones too, where the division undoes it."""
    weight = torch.ones(height, width)
    for t in range(feather):
        share = (t + 1) / feather
        if feather < height:
            weight[t] *= share
            weight[height - 1 - t] *= share
        if feather < width:
            weight[:, t] *= share
            weight[:, width - 1 - t] *= share
    return weight


def _passes(tile: int) -> Iterator[tuple[int, int]]:
    yield from ((tile * 2, tile // 2), (tile // 2, tile * 2), (tile, tile))


def _averaged(x: Tensor, call: Call, tile: int, overlap: int, scale: float, channels: int, step: Step) -> Tensor:
    passes = [(tile, tile)] if max(x.shape[-2:]) <= tile // 2 else list(_passes(tile))
    number = sum(
        len(x) * len(_starts(x.shape[-2], h, overlap)) * len(_starts(x.shape[-1], w, overlap)) for h, w in passes
    )
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        step(done, number)

    total = torch.zeros(())
    for size in passes:
        total = total + tiled(x, call, size, overlap, scale, channels, told)
    return total / len(passes)


def _overlap(tile: int, overlap: int) -> int:
    """At most a quarter of a tile: the narrowest pass has half a tile, and must still move on."""
    return tile // 4 if tile < overlap * 4 else overlap


def decode_tiled(vae: VAE, latent: Tensor, tile: int, overlap: int, step: Step) -> Tensor:
    """Pictures (B, H, W, 3) in [0, 1] of latents (B, C, h, w); `tile` and `overlap` in pixels. Raises `ValueError`."""
    latent = vae.checked(latent)
    factor, network = vae.shape.factor, _any(vae.network)
    size, border = tile // factor, _overlap(tile, overlap) // factor

    def call(z: Tensor) -> Tensor:
        found: Tensor = network.decode(z.to(vae.device, vae.dtype)).sample.float().cpu()
        return found

    with torch.inference_mode():
        picture = _averaged(latent, call, size, border, factor, 3, step)
        return ((picture + 1) / 2).clamp(0, 1).movedim(1, -1).clone()


def encode_tiled(vae: VAE, pixels: Tensor, tile: int, overlap: int, step: Step) -> Tensor:
    """Latents (B, C, H/8, W/8) of pictures (B, H, W, 3 or more) in [0, 1]; sizes in pixels. Raises `ValueError`."""
    network = _any(vae.network)

    def call(x: Tensor) -> Tensor:
        found: Tensor = network.encode(x.to(vae.device, vae.dtype)).latent_dist.mean.float().cpu()
        return found

    with torch.inference_mode():
        x = vae.entering(pixels)
        border = overlap if overlap < tile // 2 else tile // 4  # more than half a tile could not move on
        return _averaged(x, call, tile, border, 1 / vae.shape.factor, vae.shape.latent_channels, step).clone()


def _any(network: Any) -> Any:
    return network
