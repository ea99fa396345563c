"""What a failure's text is taken for, and that the advice names this workflow's numbers and this server's files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.remedies import remedies

GRAPH = {"5": {"class_type": "EmptyLatentImage", "inputs": {"width": 2048, "height": 1536, "batch_size": 4}}}
INFO = {
    "CheckpointLoaderSimple": {
        "input": {"required": {"ckpt_name": [["sdxl_base_1.0.safetensors", "portrait_v4.safetensors"]]}},
        "output": ["MODEL"],
    }
}

# Texts as PyTorch, safetensors, the system and servers write them.
CASES = [
    ("CUDA out of memory. Tried to allocate 2.00 GiB.", "torch.OutOfMemoryError", "out of memory"),
    ("Allocation on device 0 would exceed allowed memory. (out of memory)", "RuntimeError", "out of memory"),
    (
        "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory",
        "RuntimeError",
        "out of memory",
    ),
    ("", "MemoryError", "out of memory"),
    ("Cannot execute because node UltimateSDUpscale does not exist.", "", "missing node type"),
    ("Error while deserializing header: HeaderTooLarge", "safetensors_rust.SafetensorError", "damaged file"),
    ("[Errno 28] No space left on device: 'output/a.png'", "OSError", "disk full"),
    ("ckpt_name: 'sdxl_base.safetensors' not in [] Value not in list", "", "missing file"),
    ("mat1 and mat2 shapes cannot be multiplied (154x2048 and 768x320)", "RuntimeError", "parts that do not fit"),
    ("The worker process died: SIGKILL", "WorkerDied", "the engine's worker died"),
]


@pytest.mark.parametrize(("message", "kind", "expected"), CASES)
def test_a_failure_is_named(message: str, kind: str, expected: str) -> None:
    found = remedies(message, kind, graph=GRAPH, object_info=INFO)
    assert found is not None
    assert found.kind == expected
    assert found.steps


def test_an_ordinary_exception_gets_no_advice() -> None:
    assert remedies("division by zero", "ZeroDivisionError", graph=GRAPH, object_info=INFO) is None


def test_out_of_memory_names_the_size_and_the_batch_of_the_workflow() -> None:
    found = remedies("CUDA out of memory", "torch.OutOfMemoryError", node_type="VAEDecode", graph=GRAPH)
    assert found is not None
    text = "\n".join(found.steps)
    assert "2048×1536" in text
    assert "1536×1152" in text
    assert "queue it 4 times" in text
    assert "tiled" in text


def test_a_missing_model_offers_what_is_near() -> None:
    found = remedies("Value not in list", node_inputs={"ckpt_name": "sdxl-base.safetensors"}, object_info=INFO)
    assert found is not None
    assert "sdxl_base_1.0.safetensors" in found.steps[0]
    assert "portrait" not in found.steps[0]


def test_a_missing_node_offers_what_is_near() -> None:
    found = remedies("Cannot execute because node CheckpointLoaderSimpel does not exist.", object_info=INFO)
    assert found is not None
    assert "CheckpointLoaderSimple" in found.steps[0]


@given(st.text(max_size=300), st.text(max_size=60), st.dictionaries(st.text(max_size=9), st.integers() | st.text()))
def test_any_text_is_survived(message: str, kind: str, given_inputs: dict[str, object]) -> None:
    graph = {"1": {"class_type": "X", "inputs": {"width": message, **given_inputs}}, "2": None}
    found = remedies(message, kind, node_inputs=given_inputs, graph=graph, object_info=INFO)
    assert found is None or (found.kind and found.steps)


def test_what_the_server_has_instead_is_not_said_to_be_missing() -> None:
    found = remedies("Value not in list: ckpt_name: 'mine.safetensors' not in ['theirs.safetensors']")
    assert found is not None
    assert "mine.safetensors" in " ".join(found.steps)
    assert "theirs" not in " ".join(found.steps)
