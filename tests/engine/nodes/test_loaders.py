import pytest
import torch

from engine.files.folders import ModelNotFoundError
from engine.files.safe import UnsafeNameError
from engine.nodes.loaders import NODES, checkpoint_loader_simple, shared_memory
from tests.engine.models import tiny
from tests.engine.nodes.support import assert_recorded, context


def test_entries_are_those_of_comfyui(tmp_path):
    assert_recorded(NODES, tmp_path)


def test_a_checkpoint_gives_its_three_models_and_is_read_once(tmp_path):
    tiny.write(tmp_path / "tiny.safetensors")
    c = context(tmp_path, checkpoints=tmp_path)
    first = checkpoint_loader_simple.function("tiny.safetensors", context=c)
    assert [type(m).__name__ for m in first] == ["DiffusionModel", "Clip", "VAE"]
    again = checkpoint_loader_simple.function("tiny.safetensors", context=c)
    assert all(a is b for a, b in zip(first, again, strict=True))
    shared_memory(c).free()
    assert checkpoint_loader_simple.function("tiny.safetensors", context=c)[0] is not first[0]


def test_names_that_are_missing_or_climb_are_refused(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"nothing\.safetensors is not in checkpoints"):
        checkpoint_loader_simple.function("nothing.safetensors", context=context(tmp_path))
    with pytest.raises(UnsafeNameError):
        checkpoint_loader_simple.function("../nothing.safetensors", context=context(tmp_path))


def test_models_run_on_the_device_the_worker_chose(tmp_path):
    from engine.models.memory import Memory

    memory = Memory(torch.device("cpu"))
    assert shared_memory(context(tmp_path, state={"memory": memory})) is memory
