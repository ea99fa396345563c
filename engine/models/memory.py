"""Where models run and what stays loaded: device, number types, and the few checkpoints used last."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from engine.options import Options

T = TypeVar("T")
DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
KEPT = 2  # models that stay loaded besides those that cached results of nodes still hold


def best_device(cpu: bool = False) -> torch.device:
    """The first GPU, unless there is none or `cpu` asks for the processor."""
    return (
        torch.device("cuda", torch.cuda.current_device())
        if not cpu and torch.cuda.is_available()
        else torch.device("cpu")
    )


def memory_for(options: Options) -> Memory:
    """The memory that a command line asks for: device, number types, and what is left to other programs."""
    memory = Memory(best_device(options.cpu), cpu_vae=options.cpu_vae, allow_pickle=options.allow_pickle)
    forced = torch.float32 if options.force_fp32 else torch.float16 if options.force_fp16 else None
    # --force-fp16 leaves autoencoders alone, in which float16 overflows; --fp16-vae asks for it by name
    memory.unet = DTYPES.get(options.unet_dtype or "", forced)
    memory.vae = DTYPES.get(options.vae_dtype or "", torch.float32 if options.force_fp32 else None)
    memory.text = DTYPES.get(options.text_encoder_dtype or "", torch.float16)
    if options.reserve_vram and memory.device.type == "cuda":
        total = torch.cuda.mem_get_info(memory.device)[1]
        share = 1.0 - options.reserve_vram * 2**30 / total
        torch.cuda.set_per_process_memory_fraction(min(1.0, max(0.01, share)), memory.device)
    return memory


@dataclass(slots=True)
class Memory:
    """Loaded models by what they were loaded from, and the number types that new ones get. Safe to call from any thread."""

    device: torch.device = field(default_factory=best_device)
    kept: int = KEPT
    unet: torch.dtype | None = None  # asked for; None: what suits the device
    vae: torch.dtype | None = None
    text: torch.dtype = torch.float16  # what weights of text encoders are rounded to; they compute in float32
    cpu_vae: bool = False
    allow_pickle: bool = False  # whether models in pickled files are read
    _models: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def dtype(self) -> torch.dtype:
        """What diffusion networks compute in, unless asked otherwise: float16 on a GPU, float32 on a processor."""
        if self.unet is not None:
            return self.unet
        return torch.float16 if self.device.type == "cuda" else torch.float32

    @property
    def vae_dtype(self) -> torch.dtype:
        """What autoencoders compute in: float16 overflows in the published ones, so a GPU takes bfloat16 where it has it."""
        if self.vae is not None:
            return self.vae
        if self.vae_device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.bfloat16
        return torch.float32

    @property
    def vae_device(self) -> torch.device:
        """Where autoencoders run: they need the most memory, and may be kept off the GPU for that."""
        return torch.device("cpu") if self.cpu_vae else self.device

    def load(self, path: Path, kind: str, loader: Callable[[Path], T]) -> T:
        """What `loader` makes of a file, remembered until the file changes or others take its place.

        Raises whatever `loader` raises; a failed load is not remembered.
        """
        state = path.stat()
        key = (kind, str(path), state.st_mtime_ns, state.st_size)
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                found: T = self._models[key]
                return found
            for old in [k for k in self._models if isinstance(k, tuple) and k[:2] == key[:2]]:
                del self._models[old]  # an older version of the same file
            while len(self._models) >= max(1, self.kept):
                self._models.popitem(last=False)  # before loading, so that both are never in memory at once
            model = loader(path)
            self._models[key] = model
            return model

    def free(self) -> int:
        """Forget all models and give back what nothing else holds; how many were forgotten."""
        with self._lock:
            number = len(self._models)
            self._models.clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return number
