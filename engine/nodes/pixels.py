"""Pictures as tensors: from files and to bytes, and resizing. An image is float32 `[batch, height, width, 3 or 4]` in 0…1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from engine.files import decode
from engine.files.decode import MAX_PIXELS

Tensor = torch.Tensor

MAX_SIDE = 16_384
NO_MASK = (1, 64, 64)  # the mask of a picture without transparency has this size, whatever the picture's


class BadPictureError(ValueError):
    """A file that cannot be used as a picture; the message names it and the reason."""


def read(path: Path) -> tuple[Tensor, Tensor]:
    """All frames of a picture file, turned as its EXIF data says.

    Returns the image `[frames, H, W, 3]` and the mask `[frames, H, W]` (1 where transparent; `NO_MASK` zeros if the
    file has no transparency), both float32. Frames of another size than the first (the thumbnails of some formats) are
    skipped. Raises `BadPictureError` for a file that is absent, damaged, no picture, or larger than `MAX_PIXELS`.
    """
    images: list[Tensor] = []
    masks: list[Tensor] = []
    for frame in _frames(path):
        image, mask = _frame(frame)
        if images and image.shape != images[0].shape:
            continue
        images.append(image)
        masks.append(torch.zeros(NO_MASK[1:]) if mask is None else mask)
    if len({mask.shape for mask in masks}) > 1:  # some frames with transparency, some without
        masks = [
            mask if mask.shape == image.shape[:2] else torch.zeros(image.shape[:2])
            for image, mask in zip(images, masks, strict=True)
        ]
    return torch.stack(images), torch.stack(masks)


def read_channel(path: Path, channel: str) -> Tensor:
    """One channel (`alpha`, `red`, `green`, `blue`) of a file's first frame as a mask `[1, H, W]`; alpha is inverted.

    Raises `BadPictureError`, as `read` does.
    """
    frame = _frames(path)[0]
    image, mask = _frame(frame)
    if channel == "alpha":
        return torch.zeros(NO_MASK) if mask is None else mask[None]
    return image[None, :, :, ("red", "green", "blue").index(channel)].clone()


def to_bytes(image: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """`[H, W, C]` or `[batch, H, W, C]` in 0…1 → uint8 of the same shape: 255·x, clipped and truncated."""
    scaled = image.detach().to("cpu", torch.float32) * 255.0
    # NaN has no byte: a black pixel is what a broken model shows, and numpy would warn.
    return torch.nan_to_num(scaled, nan=0.0).clamp_(0.0, 255.0).to(torch.uint8).numpy()


def resize(image: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    """`[batch, H, W, C]` → `[batch, height, width, C]`.

    `method`: nearest-exact, bilinear, area, bicubic (torch's interpolation without antialiasing) or lanczos (Pillow's,
    on 8-bit values). `crop="center"` first cuts the picture to the new aspect ratio.
    """
    if crop == "center":
        image = _cut(image, width / height)
    if method == "lanczos":
        return _lanczos(image, width, height)
    planes = image.movedim(-1, 1)
    return torch.nn.functional.interpolate(planes, size=(height, width), mode=method).movedim(1, -1)


def _cut(image: Tensor, aspect: float) -> Tensor:
    height, width = image.shape[1:3]
    x = y = 0
    if width / height > aspect:
        x = round((width - width * (aspect / (width / height))) / 2)
    elif width / height < aspect:
        y = round((height - height * ((width / height) / aspect)) / 2)
    return image[:, y : height - y, x : width - x]


def _lanczos(image: Tensor, width: int, height: int) -> Tensor:
    resized = [
        np.asarray(
            Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).resize(
                (width, height), Image.Resampling.LANCZOS
            )
        )
        for picture in to_bytes(image)
    ]
    stacked = torch.from_numpy(np.stack(resized).astype(np.float32) / 255.0)
    return stacked.reshape(len(resized), height, width, image.shape[-1]).to(image.device, image.dtype)


def _frames(path: Path) -> list[Image.Image]:
    """The decoded frames. Everything that can be wrong with a file is found here."""
    try:
        with Image.open(path, formats=decode.formats()) as file:
            count = getattr(file, "n_frames", 1) if file.format != "MPO" else 1  # MPO: previews of one photograph
            if file.width * file.height * count > MAX_PIXELS:
                raise BadPictureError(
                    f"{path.name} is too large: {file.width}x{file.height}, {count} frames; {MAX_PIXELS} pixels are the limit"
                )
            if count == 1:
                file.load()
                return [ImageOps.exif_transpose(file)]
            return [ImageOps.exif_transpose(frame) for frame in ImageSequence.Iterator(file)]
    except FileNotFoundError as error:
        raise BadPictureError(f"{path.name} is not in {path.parent.name}") from error
    except UnidentifiedImageError as error:
        raise BadPictureError(f"{path.name} is not a picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise BadPictureError(f"{path.name} is too large: {error}") from error
    except (OSError, SyntaxError, EOFError, ValueError) as error:  # Pillow's ways to say: damaged
        if isinstance(error, BadPictureError):
            raise
        raise BadPictureError(f"{path.name} is damaged: {error}") from error


def _frame(frame: Image.Image) -> tuple[Tensor, Tensor | None]:
    """One frame → `[H, W, 3]` and its mask `[H, W]`, None without transparency."""
    if frame.mode.startswith("I") or frame.mode == "F":
        grey = torch.from_numpy(np.asarray(frame).astype(np.float32))
        top = float(grey.max())
        # 16-bit files arrive as I;16 (or I, by format); floating point ones hold 0…1 or 0…255.
        scale = 65535.0 if frame.mode != "F" else (255.0 if top > 1.0 else 1.0)
        return (grey / scale).clamp_(0.0, 1.0)[..., None].repeat(1, 1, 3), None
    transparent = "A" in frame.getbands() or "transparency" in frame.info
    if transparent:
        pixels = np.asarray(frame.convert("RGBA")).astype(np.float32) / 255.0
        both = torch.from_numpy(pixels)
        return both[..., :3].contiguous(), 1.0 - both[..., 3]
    return torch.from_numpy(np.asarray(frame.convert("RGB")).astype(np.float32) / 255.0), None
