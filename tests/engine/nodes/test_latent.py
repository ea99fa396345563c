import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.files.safe import UnsafeNameError
from engine.models.checkpoint import ModelFileError
from engine.nodes import latent as nodes
from tests.engine.nodes.support import assert_recorded, context


def test_entries_are_those_of_comfyui(tmp_path):
    assert_recorded(nodes.NODES, tmp_path)


def test_an_empty_latent_has_an_eighth_of_the_size():
    assert nodes.empty_latent_image.function(192, 64, 3)[0]["samples"].shape == (3, 4, 8, 24)


def test_what_is_saved_can_be_loaded_and_carries_the_prompt(tmp_path):
    c = context(tmp_path)
    samples = torch.randn(1, 4, 8, 8)
    ui = nodes.save_latent.function(
        {"samples": samples}, "parity/x", context=c, prompt={"1": {}}, extra_pnginfo={"workflow": {"a": 1}}
    )
    entry = ui["ui"]["latents"][0]
    assert entry == {"filename": "x_00001_.latent", "subfolder": "parity", "type": "output"}
    path = c.folders.output / "parity" / entry["filename"]
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["prompt"]) == {"1": {}}
        assert json.loads(file.metadata()["workflow"]) == {"a": 1}
    (c.folders.input / "mine.latent").write_bytes(path.read_bytes())
    load = nodes.load_latent
    assert load.info(c.folders)["input"]["required"]["latent"][0] == ["mine.latent"]
    assert torch.equal(load.function("mine.latent", context=c)[0]["samples"], samples)


def test_saved_latents_carry_nothing_when_metadata_is_off(tmp_path):
    c = context(tmp_path, metadata=False)
    nodes.save_latent.function({"samples": torch.zeros(1, 4, 2, 2)}, "x", context=c, prompt={"1": {}})
    with safe_open(c.folders.output / "x_00001_.latent", "pt") as file:
        assert not file.metadata()


def test_latents_from_before_the_version_mark_are_scaled(tmp_path):
    c = context(tmp_path)
    save_file({"latent_tensor": torch.full((1, 4, 2, 2), 0.18215)}, c.folders.input / "old.latent")
    assert torch.allclose(nodes.load_latent.function("old.latent", context=c)[0]["samples"], torch.ones(1, 4, 2, 2))


def test_files_that_are_no_latents_are_named(tmp_path):
    c = context(tmp_path)
    save_file({"other": torch.zeros(1)}, c.folders.input / "other.latent")
    (c.folders.input / "text.latent").write_text("hello, this is text")
    for name in ("other.latent", "text.latent", "gone.latent"):
        with pytest.raises(ModelFileError, match=name):
            nodes.load_latent.function(name, context=c)
    with pytest.raises(UnsafeNameError):
        nodes.load_latent.function("../x.latent", context=c)


def test_the_version_follows_the_file_and_names_are_checked_before_the_prompt_is_taken(tmp_path):
    where = context(tmp_path).folders
    path = where.input / "a.latent"
    path.write_bytes(b"1")
    first = nodes.load_latent.is_changed("a.latent", folders=where)
    path.write_bytes(b"22")
    assert nodes.load_latent.is_changed("a.latent", folders=where) != first
    assert nodes.load_latent.validate_inputs("a.latent", folders=where) is True
    assert nodes.load_latent.validate_inputs("b.latent", folders=where) == "Invalid latent file: b.latent"
    assert "../b.latent" in nodes.load_latent.validate_inputs("../b.latent", folders=where)


@pytest.mark.parametrize(
    ("width", "height", "size"), [(128, 64, (8, 16)), (0, 0, (8, 8)), (0, 128, (8, 64)), (16, 16, (8, 8))]
)
def test_upscale_in_pixels(width, height, size):
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    found = nodes.latent_upscale.function(latent, "bilinear", width, height, "disabled")[0]["samples"]
    if (width, height) == (0, 128):  # the free side keeps the proportions, and 64 pixels at least
        assert found.shape[-2] == 16
        return
    assert found.shape[-2:] == size


def test_upscale_by_a_factor():
    assert nodes.latent_upscale_by.function({"samples": torch.zeros(1, 4, 8, 6)}, "bislerp", 1.5)[0]["samples"].shape[
        -2:
    ] == (12, 9)


def test_items_of_a_batch_remember_their_places():
    whole = {"samples": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 4, 2, 2)}
    (part,) = nodes.latent_from_batch.function(whole, 1, 2)
    assert part["samples"][:, 0, 0, 0].tolist() == [1, 2]
    assert part["batch_index"] == [1, 2]
    (last,) = nodes.latent_from_batch.function(part, 1, 5)
    assert last["batch_index"] == [2]
    (twice,) = nodes.repeat_latent_batch.function(part, 2)
    assert twice["batch_index"] == [1, 2, 3, 4]
    assert len(twice["samples"]) == 4


def test_masks_are_set_on_a_copy():
    before = {"samples": torch.zeros(1, 4, 2, 2)}
    assert nodes.set_latent_noise_mask.function(before, torch.ones(16, 16))[0]["noise_mask"].shape == (1, 1, 16, 16)
    assert "noise_mask" not in before


def test_scaling_to_nothing_is_refused():
    with pytest.raises(ValueError, match="leaves nothing of a latent of 6x8"):
        nodes.latent_upscale_by.function({"samples": torch.zeros(1, 4, 8, 6)}, "bislerp", 0.01)
