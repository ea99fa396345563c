"""Model files, latents and pictures that cannot be used: the prompt ends with a message that helps, the engine goes on."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.engine.graph.graphs import Events
from tests.engine.models import tiny
from tests.engine.rig import Rig


def txt2img(ckpt_name, **sampling):
    settings = {"seed": 1, "steps": 1, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ckpt_name}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "red", "clip": ["1", 1]}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 32, "height": 32, "batch_size": 1}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                **settings,
                **sampling,
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "x"}},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("whole") / "tiny.safetensors").read_bytes()


@pytest.fixture(scope="module")
def rig(tmp_path_factory, whole):
    made = Rig(tmp_path_factory.mktemp("rig"))
    (made.checkpoints / "good.safetensors").write_bytes(whole)
    return made


def write(path, kind, whole):
    match kind:
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "lora":
            save_file({"lora_unet_down_blocks_0.lora_up.weight": torch.zeros(2, 2)}, path)
        case "vae":
            save_file({"decoder.conv_in.weight": torch.zeros(2, 2), "encoder.conv_in.weight": torch.zeros(2)}, path)
        case "pickle":
            torch.save({"state_dict": {}}, path)


@pytest.mark.parametrize(
    ("kind", "suffix", "words"),
    [
        ("truncated", "safetensors", ["cut short", "bytes of weights are announced"]),
        ("empty", "safetensors", ["expected its header", "an empty file"]),
        ("lora", "safetensors", ["expected a UNet", "found a LoRA"]),
        ("vae", "safetensors", ["expected a UNet", "found an autoencoder alone"]),
        ("pickle", "ckpt", ["only safetensors files are read", "convert it"]),
        ("pickle", "safetensors", ["not a safetensors file", "a zip archive"]),
    ],
)
def test_a_file_that_is_no_checkpoint_ends_the_prompt_with_its_name_and_the_next_one_runs(
    rig, whole, kind, suffix, words
):
    name = f"{kind}.{suffix}"
    write(rig.checkpoints / name, kind, whole)
    status, message, _ = rig.run(txt2img(name))
    assert status == "error"
    assert all(word in message for word in [name, *words]), message
    assert rig.run(txt2img("good.safetensors"))[0] == "success"


def test_a_folder_named_like_a_file_is_no_choice(rig):
    (rig.checkpoints / "folder.safetensors").mkdir(exist_ok=True)
    verdict = rig.validator.validate(txt2img("folder.safetensors"), None)
    assert verdict.node_errors["1"]["errors"][0]["type"] == "value_not_in_list"


def test_a_file_that_goes_away_after_it_was_listed_is_named(rig, whole):
    path = rig.checkpoints / "gone.safetensors"
    path.write_bytes(whole)
    prompt = txt2img("gone.safetensors")
    verdict = rig.validator.validate(prompt, None)
    path.unlink()
    events = Events()
    assert rig.executor.run("p", prompt, verdict.outputs, events)[0] == "error"
    assert "gone.safetensors" in events.of("execution_error")[0]["exception_message"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_latents_that_are_not_numbers_are_an_error_at_the_sampler_and_at_the_decoder(rig, bad):
    mark = {"latent_format_version_0": torch.tensor([])}
    save_file({"latent_tensor": torch.full((1, 4, 4, 4), bad), **mark}, rig.folders.input / "bad.latent")
    prompt = txt2img("good.safetensors", denoise=0.5)
    prompt["3"] = {"class_type": "LoadLatent", "inputs": {"latent": "bad.latent"}}
    status, message, _ = rig.run(prompt)
    assert status == "error"
    assert "not numbers" in message
    prompt["5"]["inputs"]["samples"] = ["3", 0]
    assert "NaN or infinite" in rig.run(prompt)[1]
    assert rig.run(txt2img("good.safetensors"))[0] == "success"


def test_a_latent_is_loaded_by_a_prompt_and_again_after_it_changed(rig):
    def save(value):
        mark = {"latent_format_version_0": torch.tensor([])}
        save_file({"latent_tensor": torch.full((1, 4, 4, 4), value), **mark}, rig.folders.input / "mine.latent")

    prompt = {
        "1": {"class_type": "LoadLatent", "inputs": {"latent": "mine.latent"}},
        "2": {"class_type": "SaveLatent", "inputs": {"samples": ["1", 0], "filename_prefix": "again"}},
    }
    save(1.0)
    status, _, outputs = rig.run(prompt)
    assert status == "success"
    assert outputs["2"]["latents"][0]["filename"] == "again_00001_.latent"
    save(2.0)
    assert rig.run(prompt)[2]["2"]["latents"][0]["filename"] == "again_00002_.latent"
    prompt["1"]["inputs"]["latent"] = "nobody.latent"
    errors = rig.validator.validate(prompt, None).node_errors["1"]["errors"]
    assert "nobody.latent" in json.dumps(errors)


def test_a_saved_picture_carries_prompt_and_workflow(rig):
    prompt, workflow = txt2img("good.safetensors"), {"nodes": [{"id": 1, "title": "Grüße"}]}
    status, _, outputs = rig.run(prompt, extra_data={"extra_pnginfo": {"workflow": workflow}})
    assert status == "success"
    with Image.open(rig.folders.output / outputs["6"]["images"][0]["filename"]) as picture:
        assert picture.size == (32, 32)
        assert list(picture.text) == ["prompt", "workflow"]
        assert json.loads(picture.text["prompt"]) == prompt
        assert json.loads(picture.text["workflow"]) == workflow
