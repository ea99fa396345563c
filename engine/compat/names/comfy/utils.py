"""`comfy.utils` for packs: progress bars, resizing and weights from files."""

from __future__ import annotations

from typing import Any

import torch

from engine.compat import runtime


class ProgressBar:
    """Reports the progress of the node that makes it; outside of a node nothing is reported."""

    def __init__(self, total: float, node_id: str | None = None) -> None:
        self.total, self.current, self.node_id = total, 0.0, node_id
        self._context = runtime.context()

    def update_absolute(self, value: float, total: float | None = None, preview: Any = None) -> None:
        """`preview`: (format, PIL image, longest side), shown where previews are on."""
        self.total = self.total if total is None else total
        self.current = min(value, self.total)
        if self._context is not None:
            picture = preview[1] if isinstance(preview, tuple) else preview
            self._context.progress(self.current, self.total, None if picture is None else lambda: picture)

    def update(self, value: float) -> None:
        self.update_absolute(self.current + value)


def common_upscale(samples: torch.Tensor, width: int, height: int, upscale_method: str, crop: str) -> torch.Tensor:
    """(B, C, h, w) → (B, C, height, width); `crop` "center" cuts to the new proportions first."""
    if crop == "center":
        old_height, old_width = samples.shape[-2:]
        old, new = old_width / old_height, width / height
        x = round((old_width - old_width * (new / old)) / 2) if old > new else 0
        y = round((old_height - old_height * (old / new)) / 2) if old < new else 0
        samples = samples[..., y : old_height - y, x : old_width - x]
    if upscale_method in ("lanczos", "bislerp"):
        raise NotImplementedError(f"common_upscale: the method {upscale_method} is not answered by this engine")
    return torch.nn.functional.interpolate(samples, size=(height, width), mode=upscale_method)


def load_torch_file(ckpt: str, safe_load: bool = False, device: Any = None, **_: Any) -> dict[str, torch.Tensor]:
    """The tensors of a `.safetensors` or weights-only pickle file, by name."""
    if ckpt.lower().endswith((".safetensors", ".sft")):
        from safetensors.torch import load_file

        loaded: dict[str, torch.Tensor] = load_file(ckpt, device=str(device or "cpu"))
        return loaded
    found: dict[str, Any] = torch.load(ckpt, map_location=device or "cpu", weights_only=True)
    nested: dict[str, torch.Tensor] = found.get("state_dict", found)
    return nested


def save_torch_file(sd: dict[str, torch.Tensor], ckpt: str, metadata: dict[str, str] | None = None) -> None:
    from safetensors.torch import save_file

    save_file(sd, ckpt, metadata=metadata)


def state_dict_prefix_replace(
    state_dict: dict[str, Any], replace_prefix: dict[str, str], filter_keys: bool = False
) -> dict[str, Any]:
    """Renames in place; with `filter_keys` a new dict that holds only what was renamed."""
    out: dict[str, Any] = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for key in [key for key in state_dict if key.startswith(old)]:
            out[new + key[len(old) :]] = state_dict.pop(key)
    return out
