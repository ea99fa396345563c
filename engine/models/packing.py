"""Packs convolution weights once for oneDNN, instead of at every call.

On a CPU, most of a small UNet's time goes into reordering weights. PyTorch packs them once only in
its compiler; the same two operators are used here, in a convolution that falls back to the ordinary
one wherever they are missing, the tensors are not plain float32 on a CPU, or gradients are asked for.
The results differ by rounding (about 3e-6).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@cache
def available() -> bool:
    """True where both private operators exist and agree with the ordinary convolution."""
    try:
        x, w, b = torch.ones(1, 8, 4, 4), torch.ones(8, 8, 3, 3) / 72, torch.zeros(8)
        packed = _reorder(w.to_mkldnn(), (1, 1), (1, 1), x.shape)
        return torch.allclose(_convolve(x, packed, b, (1, 1), (1, 1)), F.conv2d(x, w, b, padding=1), atol=1e-5)
    except (AttributeError, RuntimeError, TypeError):
        return False  # another version of PyTorch, where these names are gone or different


def _reorder(weight: Tensor, padding: tuple[int, ...], stride: tuple[int, ...], size: Any) -> Tensor:
    private: Any = torch._C._nn
    packed: Tensor = private.mkldnn_reorder_conv2d_weight(weight, list(padding), list(stride), [1, 1], 1, list(size))
    return packed


def _convolve(
    x: Tensor, packed: Tensor, bias: Tensor | None, padding: tuple[int, ...], stride: tuple[int, ...]
) -> Tensor:
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, list(padding), list(stride), [1, 1], 1, "none", [], ""
    )
    return y


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps a second copy of its weight, in oneDNN's own order.

    The order suits one size of input. With another one oneDNN would work around it, two to three times slower than the
    ordinary convolution, so the weight is packed again when the size changes: a run pays for that in its first step.
    """

    _packed: tuple[Tensor, torch.Size, Tensor] | None = None  # the weight, the input's size, and what was made of them

    def forward(self, x: Tensor) -> Tensor:
        if (
            x.device.type != "cpu"
            or x.dtype != torch.float32
            or self.weight.dtype != torch.float32
            or torch.is_grad_enabled()
        ):
            return super().forward(x)
        kept = self._packed
        # a patch puts another tensor in the weight's place
        if kept is None or kept[0] is not self.weight or kept[1] != x.shape:
            packed = _reorder(self.weight.detach().to_mkldnn(), self.padding, self.stride, x.shape)  # type: ignore[arg-type]
            kept = self._packed = self.weight, x.shape, packed
        return _convolve(x, kept[2], self.bias, self.padding, self.stride)  # type: ignore[arg-type]


def pack(network: nn.Module) -> nn.Module:
    """Make every ordinary convolution of the network a packed one, in place; nothing where packing is not available."""
    if available():
        for module in network.modules():
            if (
                type(module) is nn.Conv2d
                and module.groups == 1
                and module.dilation == (1, 1)
                and module.padding_mode == "zeros"
            ):
                module.__class__ = PackedConv2d
    return network
