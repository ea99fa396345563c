"""Pictures blended, blurred, sharpened, reduced to few colours, and their morphology and edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


def blend(first: Tensor, second: Tensor, share: float, mode: str) -> Tensor:
    """`second` mixed into `first` by its `share`, after one of the usual blend modes (W3C, "Compositing and Blending Level 1")."""
    modes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "normal": lambda a, b: b,
        "multiply": torch.mul,
        "screen": lambda a, b: 1 - (1 - a) * (1 - b),
        "overlay": lambda a, b: torch.where(a <= 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b)),
        "soft_light": _soft_light,
        "difference": torch.sub,
    }
    return (first * (1 - share) + modes[mode](first, second) * share).clamp(0, 1)


def _soft_light(a: Tensor, b: Tensor) -> Tensor:
    curve = torch.where(a <= 0.25, ((16 * a - 12) * a + 4) * a, a.sqrt())
    return torch.where(b <= 0.5, a - (1 - 2 * b) * a * (1 - a), a + (2 * b - 1) * (curve - a))


def gaussian(size: int, sigma: float) -> Tensor:
    """(size, size) weights of a Gaussian that sum to 1; `sigma` in halves of the kernel's width, as the blur nodes have it."""
    axis = torch.linspace(-1, 1, size)
    weights = torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * sigma * sigma))
    return weights / weights.sum()


def _filtered(image: Tensor, kernel: Tensor, mode: str = "reflect") -> Tensor:
    radius = kernel.shape[-1] // 2
    moved = image.movedim(-1, 1)
    padded = _padded(moved, radius, mode)
    channels = moved.shape[1]
    answer = F.conv2d(padded, kernel.expand(channels, 1, *kernel.shape).to(moved), groups=channels)
    return answer.movedim(1, -1)


def _padded(moved: Tensor, radius: int, mode: str) -> Tensor:
    """Mirrored at the edges. Torch mirrors once at most, so that small pictures are padded in several goes."""
    left = radius
    while left:
        step = min(left, moved.shape[-1] - 1, moved.shape[-2] - 1)
        if step < 1:
            return F.pad(moved, (left,) * 4, mode="replicate")
        moved = F.pad(moved, (step,) * 4, mode=mode)
        left -= step
    return moved


def blur(image: Tensor, radius: int, sigma: float) -> Tensor:
    return _filtered(image, gaussian(2 * radius + 1, sigma)) if radius else image


def sharpen(image: Tensor, radius: int, sigma: float, amount: float) -> Tensor:
    """Unsharp masking: `amount` times what a blur takes away is added."""
    if not radius:
        return image
    kernel = gaussian(2 * radius + 1, sigma) * -(amount * 10)
    middle = radius
    kernel[middle, middle] = kernel[middle, middle] - kernel.sum() + 1.0
    return _filtered(image, kernel).clamp(0, 1)


def quantize(image: Tensor, colours: int, dither: str) -> Tensor:
    """At most so many colours, chosen by median cut; the error is spread after Floyd and Steinberg or ordered after Bayer."""
    found = []
    for picture in image:
        levels = (picture[..., :3] * 255).clamp(0, 255).to(torch.uint8).cpu().numpy()
        whole = Image.fromarray(levels, "RGB")
        palette = whole.quantize(colors=colours)
        if dither.startswith("bayer"):
            done = _bayer(whole, palette, int(dither.rpartition("-")[2]))
        else:
            kind = Image.Dither.FLOYDSTEINBERG if dither == "floyd-steinberg" else Image.Dither.NONE
            done = whole.quantize(colors=colours, palette=palette, dither=kind)
        found.append(torch.from_numpy(np.asarray(done.convert("RGB"), dtype=np.float32) / 255))
    return torch.stack(found)


def _bayer(whole: Image.Image, palette: Image.Image, order: int) -> Image.Image:
    """Ordered dithering (Bayer 1973): a threshold matrix shifts each pixel by up to one step between colours."""
    matrix = np.zeros((1, 1))
    while len(matrix) < order:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    used = palette.getcolors() or []
    spread = 2 * 256 / max(1, len(used))
    threshold = spread * ((matrix + 0.5) / matrix.size - 0.5)
    levels = np.asarray(whole, dtype=np.float32)
    height, width = levels.shape[:2]
    tiled = np.tile(threshold, (-(-height // order), -(-width // order)))[:height, :width, None]
    shifted = Image.fromarray(np.clip(levels + tiled, 0, 255).astype(np.uint8), "RGB")
    return shifted.quantize(palette=palette, dither=Image.Dither.NONE)


def morphology(image: Tensor, operation: str, size: int) -> Tensor:
    """Grey-scale morphology with a flat square of `size` (Serra 1982); what is beyond the edges does not count."""
    moved = image.movedim(-1, 1)

    def dilate(x: Tensor) -> Tensor:
        before = size // 2
        padded = F.pad(x, (before, size - 1 - before) * 2, value=-math.inf)
        rows = F.max_pool2d(padded, (size, 1), 1)
        return F.max_pool2d(rows, (1, size), 1)

    def erode(x: Tensor) -> Tensor:
        return -dilate(-x)

    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "erode": erode,
        "dilate": dilate,
        "open": lambda x: dilate(erode(x)),
        "close": lambda x: erode(dilate(x)),
        "gradient": lambda x: dilate(x) - erode(x),
        "top_hat": lambda x: x - dilate(erode(x)),
        "bottom_hat": lambda x: erode(dilate(x)) - x,
    }
    return ways[operation](moved).movedim(1, -1)


def canny(image: Tensor, low: float, high: float) -> Tensor:
    """Edges as white on black, (B, H, W, 3): Canny 1986, after a Gaussian of 5×5 and sigma 1.

    Gradients by Sobel, thinned along their direction, then kept where above `high`, or above `low` and linked to such.
    """
    grey = image[..., :3] @ torch.tensor([0.299, 0.587, 0.114])
    smooth = _filtered(grey[..., None], gaussian(5, 0.5))[..., 0]
    padded = F.pad(smooth[:, None], (1,) * 4, mode="replicate")
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    gx = F.conv2d(padded, sobel[None, None])[:, 0]
    gy = F.conv2d(padded, sobel.T[None, None])[:, 0]
    magnitude = (gx * gx + gy * gy + 1e-6).sqrt()
    sector = (torch.atan2(gy, gx) * 4 / math.pi).round().long() % 8
    around = F.pad(magnitude[:, None], (1,) * 4)[:, 0]
    height, width = magnitude.shape[-2:]

    def shifted(dy: int, dx: int) -> Tensor:
        return around[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    steps = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
    neighbours = torch.stack([shifted(*step) for step in steps])
    ahead = neighbours.gather(0, sector[None])[0]
    behind = neighbours.gather(0, ((sector + 4) % 8)[None])[0]
    thin = magnitude * ((magnitude > ahead) & (magnitude > behind))
    strong, weak = thin > high, (thin > low) & (thin <= high)
    while True:  # weak pixels beside strong ones become strong, until none is left that does
        near = F.max_pool2d(strong[:, None].float(), 3, 1, 1)[:, 0] > 0
        grown = strong | (weak & near)
        if torch.equal(grown, strong):
            break
        strong = grown
    return strong.float()[..., None].expand(*strong.shape, 3).contiguous()
