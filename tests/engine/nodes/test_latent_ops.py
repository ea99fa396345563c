"""What the nodes on latents do to tensors and to masks and noise indices beside them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from engine.models.tiling import decode_tiled, encode_tiled, tiled
from engine.models.vae import VAE
from engine.nodes import latent_batch, latent_empty, latent_math, latent_transform, latent_vae
from tests.engine.nodes.support import Reports, context


def latent(*shape, **more):
    return {"samples": torch.randn(shape, generator=torch.Generator().manual_seed(1)), **more}


def run(node, *args, **named):
    return node.function(*args, **named)[0]["samples"]


@pytest.mark.parametrize(
    ("node", "args", "shape"),
    [
        (latent_empty.empty_sd3, (1024, 512, 2), (2, 16, 64, 128)),
        (latent_empty.empty_flux2, (1024, 512, 1), (1, 128, 32, 64)),
        (latent_empty.empty_hunyuan_image, (2048, 1024, 1), (1, 64, 32, 64)),
        (latent_empty.empty_qwen_layered, (640, 320, 3, 1), (1, 16, 4, 40, 80)),
        (latent_empty.empty_chroma_radiance, (64, 32, 1), (1, 3, 32, 64)),
        (latent_empty.empty_cosmos, (1280, 704, 121, 1), (1, 16, 16, 88, 160)),
        (latent_empty.empty_hunyuan_video, (848, 480, 25, 1), (1, 16, 7, 60, 106)),
        (latent_empty.empty_hunyuan_video_15, (848, 480, 25, 1), (1, 32, 7, 30, 53)),
        (latent_empty.empty_mochi, (848, 480, 25, 1), (1, 12, 5, 60, 106)),
        (latent_empty.empty_ltxv, (768, 512, 97, 1), (1, 128, 13, 16, 24)),
        (latent_empty.empty_ace_step, (120.0, 1), (1, 8, 16, 1291)),
        (latent_empty.empty_audio, (47.6, 1), (1, 64, 1024)),
        (latent_empty.empty_hunyuan3d, (3072, 1), (1, 64, 3072)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_empty_latent_has_the_shape_of_its_family(node, args, shape):
    samples = run(node, *args)
    assert samples.shape == shape
    assert not samples.any()


def test_both_stages_of_stable_cascade():
    c, b = latent_empty.empty_stable_cascade.function(1024, 512, 42, 1)
    assert (c["samples"].shape, b["samples"].shape) == ((1, 16, 12, 24), (1, 4, 128, 256))


def test_the_second_latent_is_fitted_to_the_first():
    a, b = latent(2, 4, 8, 8), {"samples": torch.ones(1, 4, 16, 16)}
    assert torch.allclose(run(latent_math.latent_add, a, b), a["samples"] + 1)
    assert torch.allclose(run(latent_math.latent_subtract, a, b), a["samples"] - 1)
    with pytest.raises(ValueError, match="two families"):
        latent_math.latent_add.function(a, latent(1, 16, 8, 8))


def test_interpolating_keeps_the_length_of_vectors():
    a = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    b = torch.tensor([0.0, 3.0]).reshape(1, 2, 1, 1)
    half = run(latent_math.latent_interpolate, {"samples": a}, {"samples": b}, 0.5)
    assert half.norm().item() == pytest.approx(2.0)
    assert torch.allclose(run(latent_math.latent_interpolate, {"samples": a}, {"samples": b}, 1.0), a)


def test_concat_beside_and_before():
    a, b = latent(1, 4, 8, 8), latent(1, 4, 8, 4)
    assert torch.equal(run(latent_math.latent_concat, a, b, "-x")[..., :4], b["samples"])
    assert run(latent_math.latent_concat, a, b, "x").shape == (1, 4, 8, 12)
    with pytest.raises(ValueError, match="do not line up along y"):
        latent_math.latent_concat.function(a, b, "y")


def test_cutting_from_either_end_and_into_a_batch():
    x = latent(1, 4, 8, 8)
    assert torch.equal(run(latent_math.latent_cut, x, "x", -2, 9), x["samples"][..., -2:])
    assert torch.equal(run(latent_math.latent_cut, x, "y", 6, 9), x["samples"][:, :, 6:])
    video = latent(1, 4, 5, 8, 8)
    pieces = run(latent_math.latent_cut_to_batch, video, "t", 2)
    assert pieces.shape == (2, 4, 2, 8, 8)
    assert torch.equal(pieces[1], video["samples"][0, :, 2:4])
    assert run(latent_math.latent_cut_to_batch, x, "t", 2) is x["samples"]


def test_operations():
    x = latent(1, 4, 16, 16)
    (tame,) = latent_math.latent_operation_tonemap.function(1.0)
    done = run(latent_math.latent_apply_operation, x, tame)
    assert (done.norm(dim=1) < x["samples"].norm(dim=1)).all()
    (same,) = latent_math.latent_operation_sharpen.function(3, 1.0, 0.0)
    assert torch.allclose(same(x["samples"]), x["samples"], atol=1e-5)
    (sharp,) = latent_math.latent_operation_sharpen.function(3, 1.0, 0.5)
    assert sharp(latent(1, 4, 2, 16, 16)["samples"]).shape == (1, 4, 2, 16, 16)
    with pytest.raises(ValueError, match="sharpen_radius"):
        sharp(torch.zeros(1, 4, 2, 2))


def test_crop_flip_and_rotate():
    x = latent(1, 4, 16, 24)
    s = x["samples"]
    assert torch.equal(run(latent_transform.latent_crop, x, 64, 64, 8, 16), s[..., 2:10, 1:9])
    assert run(latent_transform.latent_crop, x, 512, 512, 4096, 4096).shape[-2:] == (8, 8)
    assert torch.equal(run(latent_transform.latent_flip, x, "x-axis: vertically"), s.flip(2))
    assert torch.equal(run(latent_transform.latent_flip, x, "y-axis: horizontally"), s.flip(3))
    turned = run(latent_transform.latent_rotate, x, "90 degrees")
    assert turned.shape[-2:] == (24, 16)
    assert torch.equal(turned[0, 0, 0], s[0, 0, :, 0].flip(0))  # the left edge, bottom up, is the top one: clockwise


def test_compositing_fades_inner_edges_only():
    under, over = {"samples": torch.zeros(1, 4, 8, 8)}, {"samples": torch.ones(1, 4, 8, 8)}
    done = run(latent_transform.latent_composite, under, over, 32, 0, 16)[0, 0]
    assert done[0].tolist() == [0, 0, 0, 0, 0.5, 1, 1, 1]
    assert not under["samples"].any()
    outside = run(latent_transform.latent_composite, under, over, 4096, 0, 0)
    assert not outside.any()


def test_compositing_through_a_mask():
    under, over = {"samples": torch.zeros(2, 4, 8, 8)}, {"samples": torch.ones(1, 4, 4, 4)}
    mask = torch.zeros(1, 32, 32)
    mask[..., 16:] = 1
    done = run(latent_transform.latent_composite_masked, under, over, 16, 16, False, mask)
    assert done[1, 0, 3].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
    assert run(latent_transform.latent_composite_masked, under, over, 0, 0, True).all()


def test_frames_replaced_and_trimmed(caplog):
    video, piece = {"samples": torch.zeros(1, 4, 5, 2, 2)}, {"samples": torch.ones(1, 4, 2, 2, 2)}
    node = latent_transform.replace_video_latent_frames
    assert run(node, video, -2, piece)[0, 0, :, 0, 0].tolist() == [0, 0, 0, 1, 1]
    assert node.function(video, 4, piece)[0] is video
    assert "do not fit" in caplog.text
    assert run(latent_transform.trim_video_latent, video, 2).shape[2] == 3


def test_a_batch_keeps_the_noise_of_its_parts():
    a, b = latent(2, 4, 8, 8), latent(1, 4, 16, 8, batch_index=[7])
    (done,) = latent_batch.latent_batch.function(a, b)
    assert done["samples"].shape == (3, 4, 8, 8)
    assert done["batch_index"] == [0, 1, 7]
    (again,) = latent_batch.batch_latents.function({"latent0": a, "latent1": a, "latent2": b})
    assert again["batch_index"] == [0, 1, 0, 1, 7]


def test_seed_behaviour():
    node = latent_batch.latent_batch_seed_behavior
    batch = latent(3, 4, 8, 8, batch_index=[5, 6, 7])
    assert node.function(batch, "fixed")[0]["batch_index"] == [5, 5, 5]
    assert "batch_index" not in node.function(batch, "random")[0]


def test_rebatching_divides_anew_and_keeps_sizes_apart():
    big, small = latent(3, 4, 8, 8), latent(2, 4, 4, 4, noise_mask=torch.zeros(1, 1, 32, 32))
    (done,) = latent_batch.rebatch_latents.function([big, small, small], [2])
    assert [len(d["samples"]) for d in done] == [2, 1, 2, 2]
    assert [d["batch_index"] for d in done] == [[0, 1], [2], [3, 4], [5, 6]]
    assert "noise_mask" not in done[0]
    assert done[2]["noise_mask"].shape == (2, 1, 32, 32)


class Blocks(torch.nn.Module):
    """An autoencoder without weights: each latent pixel is a block of 8×8 of its first three channels."""

    def decode(self, z):
        return SimpleNamespace(sample=z[:, :3].repeat_interleave(8, 2).repeat_interleave(8, 3))

    def encode(self, x):
        mean = torch.nn.functional.avg_pool2d(x, 8)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=torch.cat((mean, mean[:, :1]), 1)))


def blocks():
    shape = SimpleNamespace(factor=8, latent_channels=4)
    return VAE(Blocks(), shape, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("width", "height", "tile", "overlap"), [(24, 20, 64, 16), (31, 9, 128, 32), (4, 4, 512, 64)])
def test_tiles_are_put_together_without_a_trace(width, height, tile, overlap):
    z = latent(2, 4, height, width)["samples"].clamp(-1, 1)
    steps = []
    picture = decode_tiled(blocks(), z, tile, overlap, lambda done, number: steps.append((done, number)))
    assert torch.allclose(picture, blocks().decode(z), atol=1e-5)
    assert steps[-1][0] == steps[-1][1] == len(steps)
    back = encode_tiled(blocks(), picture, tile, overlap, lambda done, number: None)
    assert torch.allclose(back[:, :3], z[:, :3], atol=1e-5)


def test_an_interrupt_stops_between_tiles(tmp_path):
    from engine.nodes.context import Interrupted

    reports = Reports(stop_at=2)
    with pytest.raises(Interrupted):
        latent_vae.vae_decode_tiled.function(latent(1, 4, 32, 32), blocks(), 64, 16, context=context(tmp_path, reports))
    assert len(reports.steps) == 2


def test_a_single_tile_is_whole():
    x = latent(1, 4, 8, 8)["samples"]
    assert torch.allclose(tiled(x, lambda t: t, (16, 16), 4, 1, 4, lambda: None), x, atol=1e-6)


def test_encoding_for_inpainting_greys_the_masked_part_and_grows_the_mask():
    pixels, mask = torch.ones(1, 20, 20, 3), torch.zeros(1, 20, 20)
    mask[:, 2:10, 2:10] = 1
    (done,) = latent_vae.vae_encode_for_inpaint.function(pixels, blocks(), mask, 2)
    assert done["samples"].shape == (1, 4, 2, 2)
    assert done["samples"][0, 0].tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert done["noise_mask"].shape == (1, 1, 16, 16)
    assert done["noise_mask"][0, 0, 8, 8] == 1
    (plain,) = latent_vae.vae_encode_for_inpaint.function(pixels, blocks(), mask, 0)
    assert plain["noise_mask"].sum() == 64
    assert (pixels == 1).all()


def test_a_latent_video_goes_through_an_autoencoder_of_pictures_by_its_first_frame():
    video = latent(1, 4, 3, 4, 4)
    (picture,) = latent_vae.vae_decode.function(video, blocks())
    assert picture.shape == (1, 32, 32, 3)


def test_an_operation_on_what_guidance_adds():
    from dataclasses import dataclass

    @dataclass
    class Sides:
        positive: torch.Tensor
        negative: torch.Tensor

    class Model:
        def with_hooks(self, pre):
            self.pre = pre
            return self

    (model,) = latent_math.latent_apply_operation_cfg.function(Model(), lambda x: x * 2)
    one, three = torch.tensor(1.0), torch.tensor(3.0)
    assert model.pre[0](Sides(three, one)).positive == 5
    alone = model.pre[0](Sides(three, three))
    assert alone.positive is alone.negative
    assert alone.positive == 6
