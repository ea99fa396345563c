"""The device as clients see it, and the number of threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.worker import devices

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recordings" / "http.json"


def test_processor_has_the_systems_memory() -> None:
    (device,) = devices.describe(torch.device("cpu"))
    assert device["type"] == device["name"] == "cpu"
    assert device["index"] is None
    assert 0 < device["vram_free"] <= device["vram_total"]


@pytest.mark.skipif(not RECORDED.exists(), reason="needs the recordings")
def test_fields_are_the_recorded_ones() -> None:
    for exchange in json.loads(RECORDED.read_text()):
        if exchange["request"]["path"] == "/system_stats":
            (recorded,) = exchange["response"]["json"]["devices"]
            assert list(devices.describe(torch.device("cpu"))[0]) == list(recorded)
            return
    pytest.fail("the recordings have no /system_stats")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_is_described() -> None:
    (device,) = devices.describe(torch.device("cuda", 0))
    assert device["name"].startswith("cuda:0 ")
    assert 0 < device["vram_free"] <= device["vram_total"]


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000\n", None), ("50000 100000\n", 1), ("100000 100000", 1), ("nonsense", None), (None, None)],
)
def test_a_share_of_the_processors_is_respected(tmp_path: Path, quota: str | None, expected: int | None) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    count = devices.thread_count(file)
    assert count >= 1
    if expected is not None:
        assert count == expected
