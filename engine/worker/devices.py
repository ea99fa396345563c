"""What the worker runs on: its device with its memory, and how many threads are worth having."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import torch

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def describe(device: torch.device) -> list[dict[str, Any]]:
    """The device as `/system_stats` lists it. Sizes are bytes; for a processor they are those of the system's memory."""
    if device.type == "cuda":
        return [_cuda(device)]
    memory = psutil.virtual_memory()
    return [
        {
            "name": device.type,
            "type": device.type,
            "index": device.index,
            "vram_total": memory.total,
            "vram_free": memory.available,
            "torch_vram_total": memory.total,
            "torch_vram_free": memory.available,
        }
    ]


def _cuda(device: torch.device) -> dict[str, Any]:
    index = device.index or 0
    free, total = torch.cuda.mem_get_info(index)
    reserved = torch.cuda.memory_reserved(index)
    # What torch holds and does not use is free for the next model.
    unused = reserved - torch.cuda.memory_allocated(index)
    return {
        "name": f"cuda:{index} {torch.cuda.get_device_name(index)} : {torch.cuda.get_allocator_backend()}",
        "type": "cuda",
        "index": index,
        "vram_total": total,
        "vram_free": free + unused,
        "torch_vram_total": reserved,
        "torch_vram_free": unused,
    }


def thread_count(quota: Path = _QUOTA) -> int:
    """Cores this process may use. torch counts those of the machine, and in a container with a share of two of
    sixty-four its threads would mostly wait for each other; two threads on one core share its arithmetic units."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(count, psutil.cpu_count(logical=False) or count)
    try:
        allowed, period = quota.read_text().split()
    except (OSError, ValueError):
        return count
    return count if allowed == "max" else max(1, min(count, round(int(allowed) / int(period))))
