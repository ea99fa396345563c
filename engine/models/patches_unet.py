"""Patches of the diffusers UNet: attention of a block replaced, and what its output blocks are given changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.patches import NetworkPatch

Skip = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # hidden states, skip connection → both changed


def _channels_of_skips(network: Any) -> list[int]:
    """Channels of the skip connections in the order in which the output blocks take them."""
    found = [int(network.conv_in.out_channels)]
    for block in network.down_blocks:
        found += [int(resnet.out_channels) for resnet in block.resnets]
        for down in block.downsamplers or ():
            found.append(int(down.out_channels))
    return found[::-1]


def output_blocks(change: Skip) -> NetworkPatch:
    """`change` sees the hidden states and the skip connection of each output block before they are joined."""

    @contextmanager
    def install(network: nn.Module) -> Iterator[None]:
        unet: Any = network
        resnets = [resnet for block in unet.up_blocks for resnet in block.resnets]
        handles = []
        try:
            for resnet, width in zip(resnets, _channels_of_skips(unet), strict=True):
                handles.append(resnet.register_forward_pre_hook(_joined(change, width)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    return install


def _joined(change: Skip, width: int) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        joined: Tensor = args[0]
        own = joined.shape[1] - width
        return torch.cat(change(joined[:, :own], joined[:, own:]), dim=1), *args[1:]

    return hook


class ValuesOnly:
    """An attention processor whose map is the identity: every place looks at itself alone (Ahn et al. 2024)."""

    def __call__(self, attn: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result: Tensor = attn.to_out[1](attn.to_out[0](attn.to_v(hidden_states)))
        return result


def middle_self_attention(processor: Any) -> NetworkPatch:
    """Another processor in the self-attentions of the middle block. Raises `ValueError` where it has none."""

    @contextmanager
    def install(network: nn.Module) -> Iterator[None]:
        middle: Any = getattr(network, "mid_block", None)
        found = [block.attn1 for part in getattr(middle, "attentions", ()) for block in part.transformer_blocks]
        if not found:
            raise ValueError(
                "this model's middle block has no attention to change; PAG needs one (SD 1.x, SD 2.x, SDXL)"
            )
        before = [attention.processor for attention in found]
        try:
            for attention in found:
                attention.processor = processor
            yield
        finally:
            for attention, old in zip(found, before, strict=True):
                attention.processor = old

    return install


def freeu(b1: float, b2: float, s1: float, s2: float, second: bool = True) -> NetworkPatch:
    """FreeU (Si et al. 2023, arXiv:2309.11497): the backbone's half stronger, the skips' low frequencies weaker.

    `second` weights the backbone by its own mean over channels, as the paper's later form does.
    """

    @contextmanager
    def install(network: nn.Module) -> Iterator[None]:
        first: Any = network.conv_in  # a convolution, which nn.Module does not know
        base = int(first.out_channels)
        factors = {base * 4: (b1, s1), base * 2: (b2, s2)}

        def change(h: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
            factor = factors.get(h.shape[1])
            if factor is None:
                return h, skip
            b, s = factor
            scale: Tensor | float = b
            if second:
                mean = h.mean(dim=1, keepdim=True)
                low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
                scale = 1 + (b - 1) * (mean - low) / (high - low)
            half = h.shape[1] // 2
            return torch.cat([h[:, :half] * scale, h[:, half:]], dim=1), low_frequencies(skip, s)

        with output_blocks(change)(network):
            yield

    return install


def low_frequencies(x: Tensor, scale: float, radius: int = 1) -> Tensor:
    """x (B, C, H, W) with the frequencies below `radius` multiplied, both ways from the middle."""
    spectrum = torch.fft.fftshift(torch.fft.fftn(x.float(), dim=(-2, -1)), dim=(-2, -1))
    row, column = x.shape[-2] // 2, x.shape[-1] // 2
    mask = torch.ones(x.shape[-2:], device=x.device)
    mask[max(0, row - radius) : row + radius, max(0, column - radius) : column + radius] = scale
    changed: Tensor = torch.fft.ifftn(torch.fft.ifftshift(spectrum * mask, dim=(-2, -1)), dim=(-2, -1)).real
    return changed.to(x.dtype)
