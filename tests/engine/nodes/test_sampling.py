import pytest
import torch
from PIL import Image

from engine.nodes import sampling as nodes
from engine.nodes.conditioning import clip_text_encode
from engine.nodes.context import Interrupted
from engine.nodes.loaders import checkpoint_loader_simple
from tests.engine.models import tiny
from tests.engine.nodes.support import Reports, assert_recorded, context


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    base = tmp_path_factory.mktemp("sampling")
    tiny.write(base / "tiny.safetensors")
    model, clip, vae = checkpoint_loader_simple.function("tiny.safetensors", context=context(base, checkpoints=base))
    sides = [clip_text_encode.function(text, clip)[0] for text in ("a red circle", "")]
    return model, *sides, vae


def go(models, tmp_path, reports=None, latent=None, method="none", **settings):
    model, positive, negative, _ = models
    inputs = {
        "seed": 7,
        "steps": 4,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        **settings,
    }
    latent = latent or {"samples": torch.zeros(1, 4, 8, 8)}
    c = context(tmp_path, reports, preview_method=method)
    return nodes.ksampler.function(
        model=model, positive=positive, negative=negative, latent_image=latent, context=c, **inputs
    )[0]


def test_entries_are_those_of_comfyui(tmp_path):
    assert_recorded(nodes.NODES, tmp_path)


def test_a_seed_always_gives_the_same_latent_and_another_one_does_not(models, tmp_path):
    first = go(models, tmp_path)["samples"]
    assert torch.equal(first, go(models, tmp_path)["samples"])
    assert not torch.allclose(first, go(models, tmp_path, seed=8)["samples"])
    assert torch.isfinite(
        go(models, tmp_path, seed=0xFFFFFFFFFFFFFFFF, sampler_name="euler_ancestral")["samples"]
    ).all()


@pytest.mark.parametrize("size", [(8, 8), (8, 24), (24, 16), (10, 14)])
def test_sizes_of_64_to_192_pixels(models, tmp_path, size):
    found = go(models, tmp_path, latent={"samples": torch.zeros(2, 4, *size)}, steps=1)
    assert found["samples"].shape == (2, 4, *size)
    assert models[3].decode(found["samples"][:1]).shape == (1, size[0] * 8, size[1] * 8, 3)


def test_steps_and_previews_are_told(models, tmp_path):
    reports = Reports()
    go(models, tmp_path, reports, method="latent2rgb")
    assert reports.steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(isinstance(p, Image.Image) and p.size == (64, 64) for p in reports.previews)


def test_an_interrupt_stops_at_the_step_and_leaves_the_model_as_it_was(models, tmp_path):
    before = go(models, tmp_path)["samples"]
    reports = Reports(stop_at=2)
    with pytest.raises(Interrupted):
        go(models, tmp_path, reports)
    assert reports.steps == [(1, 4), (2, 4)]
    assert torch.equal(go(models, tmp_path)["samples"], before)


def test_a_lower_denoise_stays_nearer_to_the_latent(models, tmp_path):
    latent = {"samples": torch.randn(1, 4, 8, 8)}
    far, near = (go(models, tmp_path, latent=latent, denoise=d)["samples"] - latent["samples"] for d in (1.0, 0.2))
    assert near.norm() < far.norm()
    assert torch.equal(go(models, tmp_path, latent=latent, denoise=0.0)["samples"], latent["samples"])


def test_two_runs_over_half_of_the_steps_are_one_run(models, tmp_path):
    model, positive, negative, _ = models

    def half(latent, noise, start, end, leftover):
        return nodes.ksampler_advanced.function(
            model=model,
            add_noise=noise,
            noise_seed=7,
            steps=4,
            cfg=3.0,
            sampler_name="euler",
            scheduler="normal",
            positive=positive,
            negative=negative,
            latent_image=latent,
            start_at_step=start,
            end_at_step=end,
            return_with_leftover_noise=leftover,
            context=context(tmp_path),
        )[0]

    middle = half({"samples": torch.zeros(1, 4, 8, 8)}, "enable", 0, 2, "enable")
    assert torch.allclose(
        half(middle, "disable", 2, 10000, "disable")["samples"], go(models, tmp_path)["samples"], atol=1e-3, rtol=1e-3
    )


def test_what_the_mask_leaves_out_comes_back_unchanged(models, tmp_path):
    latent = {"samples": torch.randn(1, 4, 8, 8), "noise_mask": torch.zeros(1, 1, 64, 64)}
    latent["noise_mask"][..., :32] = 1
    found = go(models, tmp_path, latent=latent)["samples"]
    assert torch.allclose(found[..., 4:], latent["samples"][..., 4:], atol=1e-5)
    assert not torch.allclose(found[..., :4], latent["samples"][..., :4], atol=1e-1)


def test_items_of_a_batch_keep_their_noise_when_they_are_drawn_alone(models, tmp_path):
    whole = go(models, tmp_path, latent={"samples": torch.zeros(3, 4, 8, 8), "batch_index": [0, 1, 2]})["samples"]
    alone = go(models, tmp_path, latent={"samples": torch.zeros(1, 4, 8, 8), "batch_index": [1]})["samples"]
    assert (whole[1:2] - alone).norm() < 1e-4 * alone.norm()


def test_a_latent_of_another_family_is_refused_by_its_shape(models, tmp_path):
    with pytest.raises(ValueError, match=r"\(1, 16, 8, 8\); this model takes \(batch, 4"):
        go(models, tmp_path, latent={"samples": torch.zeros(1, 16, 8, 8)})


def test_a_latent_that_is_not_a_number_is_an_error_and_not_a_black_picture(models, tmp_path):
    from engine.sampling.run import SamplingError

    with pytest.raises(SamplingError, match="not numbers"):
        go(models, tmp_path, latent={"samples": torch.full((1, 4, 8, 8), float("nan"))}, denoise=0.5)
