"""`comfy.model_management` for packs: devices, memory and the interrupt."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from engine.compat import runtime
from engine.nodes.context import Interrupted

InterruptProcessingException = Interrupted


def get_torch_device() -> torch.device:
    memory = runtime.current().services.get("memory")
    return memory.device if memory is not None else torch.device("cpu")


def _processor(*_: Any, **__: Any) -> torch.device:
    return torch.device("cpu")


def _device(*_: Any, **__: Any) -> torch.device:
    return get_torch_device()


unet_offload_device = vae_offload_device = text_encoder_offload_device = intermediate_device = _processor
vae_device = text_encoder_device = _device


def get_free_memory(dev: torch.device | None = None, torch_free_too: bool = False) -> Any:
    """Bytes; a pair of the same with `torch_free_too`."""
    device = dev or get_torch_device()
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return (free, free) if torch_free_too else free


def get_total_memory(dev: torch.device | None = None, torch_total_too: bool = False) -> Any:
    """Bytes; a pair of the same with `torch_total_too`."""
    device = dev or get_torch_device()
    total = torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else psutil.virtual_memory().total
    return (total, total) if torch_total_too else total


def soft_empty_cache(force: bool = False) -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def unload_all_models() -> None:
    memory = runtime.current().services.get("memory")
    if memory is not None:
        memory.free()


def processing_interrupted() -> bool:
    context = runtime.context()
    return context is not None and context.interrupt.is_set()


def throw_exception_if_processing_interrupted() -> None:
    """Raises the exception that ends a prompt when the user asked to stop."""
    if processing_interrupted():
        raise Interrupted


def interrupt_current_processing(value: bool = True) -> None:
    context = runtime.context()
    if context is not None:
        (context.interrupt.set if value else context.interrupt.clear)()


def should_use_fp16(device: torch.device | None = None, *_: Any, **__: Any) -> bool:
    return (device or get_torch_device()).type == "cuda"


def is_device_cpu(device: torch.device) -> bool:
    return device.type == "cpu"
