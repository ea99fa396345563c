"""Plain functions on latents: fitting one to another, laying one over another, mixing, cutting, operations on vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.latents import resize

Operation = Callable[[Tensor], Tensor]  # type `LATENT_OPERATION`: a latent to a latent of the same shape
AXES = {"x": -1, "y": -2, "t": -3}  # from the end, so that they hold with and without frames


def to_batch(x: Tensor, size: int) -> Tensor:
    """`x` (B, …) with `size` items: the first ones, or all of them over again."""
    if len(x) >= size:
        return x[:size]
    return x.repeat(-(-size // len(x)), *[1] * (x.ndim - 1))[:size]


def fit(x: Tensor, like: Tensor) -> Tensor:
    """`x` with the width and height of `like`, its middle cut to the proportions first; the batch stays."""
    if x.shape[1:] == like.shape[1:]:
        return x
    return resize(x, like.shape[-1], like.shape[-2], "bilinear", "center")


def paste(under: Tensor, over: Tensor, x: int, y: int, feather: int = 0) -> Tensor:
    """`over` laid on `under` (both (B, C, …, H, W)) at `x`, `y`; its inner edges fade in over `feather` latent pixels."""
    result = under.clone()
    height, width = under.shape[-2:]
    over = over[..., : max(0, height - y), : max(0, width - x)]
    h, w = over.shape[-2:]
    place = result[..., y : y + h, x : x + w]
    weight = torch.ones(h, w, dtype=over.dtype, device=over.device)
    for t in range(feather):  # longer than the piece: ComfyUI fades what there is
        share = (t + 1) / feather
        if y and t < h:
            weight[t] *= share
        if y + h < height and t < h:
            weight[h - 1 - t] *= share
        if x and t < w:
            weight[:, t] *= share
        if x + w < width and t < w:
            weight[:, w - 1 - t] *= share
    place.copy_(over * weight + place * (1 - weight))
    return result


def paste_masked(
    under: Tensor, over: Tensor, x: int, y: int, mask: Tensor | None = None, stretch: bool = False
) -> Tensor:
    """`over` laid on `under` where `mask` (B, h, w), stretched to the size of `over`, is 1.

    `stretch`: `over` gets the size of `under` first. Raises `ValueError` where the channels differ.
    """
    if over.shape[1] != under.shape[1]:
        raise ValueError(f"the source has {over.shape[1]} channels, the destination {under.shape[1]}")
    if stretch:
        over = resize(over, under.shape[-1], under.shape[-2], "bilinear")
    over = to_batch(over, len(under))
    if mask is None:
        weight = torch.ones_like(over[:, :1])
    else:
        size = tuple(over.shape[-2:])
        weight = F.interpolate(mask.reshape(-1, 1, *mask.shape[-2:]).to(over), size=size, mode="bilinear")
        weight = to_batch(weight, len(over)).reshape(len(over), *[1] * (over.ndim - 3), *size)
    result = under.clone()
    h, w = max(0, min(over.shape[-2], under.shape[-2] - y)), max(0, min(over.shape[-1], under.shape[-1] - x))
    place, weight = result[..., y : y + h, x : x + w], weight[..., :h, :w]
    place.copy_(over[..., :h, :w] * weight + place * (1 - weight))
    return result


def between(a: Tensor, b: Tensor, ratio: float) -> Tensor:
    """`ratio` of `a` and the rest of `b`: directions of the channel vectors mixed, their lengths mixed apart."""
    len_a, len_b = (torch.linalg.vector_norm(v, dim=1, keepdim=True) for v in (a, b))
    mixed = torch.nan_to_num(a / len_a) * ratio + torch.nan_to_num(b / len_b) * (1 - ratio)
    direction = torch.nan_to_num(mixed / torch.linalg.vector_norm(mixed, dim=1, keepdim=True))
    result: Tensor = direction * (len_a * ratio + len_b * (1 - ratio))
    return result


def cut(x: Tensor, axis: str, index: int, amount: int) -> Tensor:
    """`amount` rows, columns or frames from `index` (negative: from the end), as far as there are any."""
    dim, size = AXES[axis], x.shape[AXES[axis]]
    start = min(index, size - 1) if index >= 0 else size + max(index, -size)
    return x.narrow(dim, start, min(amount, size - start))


def cut_to_batch(x: Tensor, axis: str, size: int) -> Tensor:
    """Slices of `size` along an axis, one after the other in the batch; what is left over at the end is dropped."""
    dim = x.ndim + AXES[axis]
    if dim < 2:  # a picture has no frames
        return x
    length = x.shape[dim]
    size = min(size, length)
    moved = x.movedim(dim, 1)[:, : length // size * size]
    return moved.reshape(-1, size, *moved.shape[2:]).movedim(1, dim)


def tonemap_reinhard(latent: Tensor, multiplier: float) -> Tensor:
    """Latent (B, C, …) with long channel vectors made shorter, short ones kept (Reinhard et al. 2002, on their length).

    White is five standard deviations above the mean length, times `multiplier`.
    """
    length = torch.linalg.vector_norm(latent, dim=1, keepdim=True) + 1e-10
    dims = tuple(range(1, latent.ndim))
    white = (length.std(dim=dims, keepdim=True) * 5 + length.mean(dim=dims, keepdim=True)) * multiplier
    scaled = length / white
    result: Tensor = latent / length * (scaled / (scaled + 1) * white)
    return result


def sharpen(latent: Tensor, radius: int, sigma: float, alpha: float) -> Tensor:
    """Unsharp masking of the directions of a latent (B, C, H, W); the length of its vectors stays out of it.

    Raises `ValueError` for a latent that is not larger than the radius.
    """
    if min(latent.shape[-2:]) <= radius:
        raise ValueError(
            f"a latent of {latent.shape[-1]}x{latent.shape[-2]} is too small for a sharpen_radius of {radius}; it must be smaller than both sides"
        )
    shape = latent.shape
    flat = latent.movedim(2, 1).flatten(0, 1) if latent.ndim == 5 else latent
    length = torch.linalg.vector_norm(flat, dim=1, keepdim=True) + 1e-6
    at = torch.linspace(-1, 1, radius * 2 + 1, device=latent.device)
    kernel = torch.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * sigma * sigma))
    kernel = kernel / kernel.sum() * (-10 * alpha)
    kernel[radius, radius] += 1 - kernel.sum()
    channels = flat.shape[1]
    padded = F.pad(flat / length, [radius] * 4, mode="reflect")
    weight = kernel.to(flat.dtype).expand(channels, 1, -1, -1)
    result: Tensor = F.conv2d(padded, weight, groups=channels) * length
    return result.reshape(shape[0], shape[2], shape[1], *shape[3:]).movedim(1, 2) if latent.ndim == 5 else result


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a batch on its way into another batch."""

    sample: Tensor  # (C, …, H, W)
    mask: Tensor | None  # (1, h, w)
    index: int


def rebatch(items: Iterator[Item], size: int) -> list[list[Item]]:
    """Items in order in lists of at most `size`; another shape begins a new list."""
    groups: list[list[Item]] = []
    for item in items:
        last = groups[-1] if groups else None
        if last is None or len(last) >= size or last[0].sample.shape != item.sample.shape:
            groups.append([item])
        else:
            last.append(item)
    return groups
