"""What this machine tells of itself: load and temperature of its GPUs, which no server tells.

Only where the server runs here. GPUs are read through NVIDIA's library if its bindings (nvidia-ml-py) are installed;
without them there are no GPU figures, and nothing else is missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import psutil

from comfytui.client.target import Target
from comfytui.state.model import Gpu, Sample, Stats


class Source(Protocol):
    """Where samples come from. `read` blocks for some milliseconds: call it in a thread."""

    def read(self, at: float) -> Sample: ...

    def close(self) -> None: ...


class LocalMachine:
    """This machine."""

    def __init__(self, load: Callable[[], Any] = lambda: importlib.import_module("pynvml")) -> None:
        """`load` imports the bindings of NVIDIA's library."""
        self._nvml: Any = None
        try:
            nvml = load()
            nvml.nvmlInit()
        except Exception:  # no bindings, no driver, no right: NVML's errors are classes of a module that may be absent
            return
        self._nvml = nvml

    def read(self, at: float) -> Sample:
        """Look now. Figures that a GPU does not give are None."""
        gpus: list[Gpu] = []
        if self._nvml is not None:
            for index in range(int(self._asked(self._nvml.nvmlDeviceGetCount) or 0)):
                handle = self._asked(self._nvml.nvmlDeviceGetHandleByIndex, index)
                if handle is not None:
                    gpus.append(self._gpu(handle))
        return Sample(at, psutil.cpu_percent() / 100, psutil.virtual_memory().percent / 100, tuple(gpus))

    def close(self) -> None:
        """Let the library go."""
        if self._nvml is not None:
            self._asked(self._nvml.nvmlShutdown)
            self._nvml = None

    def _gpu(self, handle: Any) -> Gpu:
        nvml = self._nvml
        name = self._asked(nvml.nvmlDeviceGetName, handle) or "GPU"
        use = self._asked(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._asked(nvml.nvmlDeviceGetMemoryInfo, handle)
        heat = self._asked(nvml.nvmlDeviceGetTemperature, handle, getattr(nvml, "NVML_TEMPERATURE_GPU", 0))
        power = self._asked(nvml.nvmlDeviceGetPowerUsage, handle)
        return Gpu(
            name=name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name),
            load=None if use is None else min(1.0, max(0.0, use.gpu / 100)),
            memory=None if memory is None or not memory.total else min(1.0, memory.used / memory.total),
            temperature=None if heat is None else float(heat),
            power=None if power is None else power / 1000,
        )

    @staticmethod
    def _asked(question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or None: a GPU need not know everything (no fan, no sensor, no right to ask)."""
        try:
            return question(*arguments)
        except Exception:  # NVML's errors again; the figure is then shown as not known
            return None


def is_here(target: Target, stats: Stats | None) -> bool:
    """Whether a server runs on this machine. The address alone does not tell: a tunnel ends at localhost, too.

    Two machines with the same memory to the byte, one a tunnel from the other, would be taken for one.
    """
    return target.is_loopback and stats is not None and 0 < stats.ram_total == psutil.virtual_memory().total
