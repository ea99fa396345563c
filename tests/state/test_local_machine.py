"""Load and temperature of this machine's GPUs, with a library in place of NVIDIA's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from comfytui.client.target import Target
from comfytui.state.local_machine import LocalMachine, is_here
from comfytui.state.model import Stats


class Nvml:
    """Two GPUs; the second tells only its name."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.open = False

    def nvmlInit(self) -> None:  # noqa: N802
        self.open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes | str:  # noqa: N802
        return b"NVIDIA Test" if handle == 0 else "Second"

    def __getattr__(self, name: str) -> Any:
        def ask(handle: int, *_: int) -> Any:
            if handle == 1:
                raise RuntimeError("Not Supported")
            return {
                "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=97, memory=40),
                "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=100, used=25),
                "nvmlDeviceGetTemperature": 71,
                "nvmlDeviceGetPowerUsage": 250_500,
            }[name]

        return ask


def test_gpus_tell_what_they_can() -> None:
    nvml = Nvml()
    machine = LocalMachine(lambda: nvml)
    first, second = machine.read(5.0).gpus
    assert (first.name, first.load, first.memory, first.temperature, first.power) == (
        "NVIDIA Test",
        0.97,
        0.25,
        71.0,
        250.5,
    )
    assert (second.name, second.load, second.temperature) == ("Second", None, None)
    machine.close()
    assert not nvml.open
    assert machine.read(6.0).gpus == ()


@pytest.mark.parametrize("problem", [ImportError("pynvml"), RuntimeError("no driver")])
def test_without_the_library_there_is_the_rest(problem: Exception) -> None:
    def load() -> Any:
        raise problem

    sample = LocalMachine(load).read(1.0)
    assert sample.gpus == ()
    assert 0 <= sample.cpu <= 1
    assert 0 < sample.ram <= 1


def test_a_tunnel_is_not_this_machine() -> None:
    here, tunnel = Stats(ram_total=psutil.virtual_memory().total), Stats(ram_total=psutil.virtual_memory().total + 4096)
    local, far = Target.parse("localhost"), Target.parse("gpu-box")
    assert is_here(local, here)
    assert not is_here(local, tunnel)
    assert not is_here(far, here)
    assert not is_here(local, None)
