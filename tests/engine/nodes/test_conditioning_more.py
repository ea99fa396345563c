"""What the further nodes on conditioning set, refuse and leave alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from engine.models.hooks import HookGroup, combined
from engine.nodes import (
    conditioning_area,
    conditioning_edit,
    conditioning_hook_make,
    conditioning_hooks,
    conditioning_text,
    conditioning_video,
)
from tests.engine.nodes.support import context


def cond(**options):
    return [[torch.ones(1, 77, 4), options]]


class Vae:
    """The mean of blocks of 8×8 in four channels."""

    shape = SimpleNamespace(factor=8, latent_channels=4)

    def encode(self, pixels):
        x = pixels.movedim(-1, 1)
        return torch.nn.functional.avg_pool2d(torch.cat((x, x[:, :1]), 1), 8)


class Texts:
    """A CLIP that tells what it was asked to read."""

    def __init__(self, *parts):
        self.parts = parts

    def encode(self, text):
        self.text = text
        return torch.ones(1, 77, 4), torch.ones(1, 4)

    def encode_parts(self, texts, images=(), template=None, options=None):
        self.texts, self.images, self.template = dict(texts), list(images), template
        return torch.ones(1, 77, 4), {"pooled_output": torch.ones(1, 4)}


def test_areas_in_shares():
    before = cond(pooled_output=1)
    ((_, options),) = conditioning_area.set_area_percentage.function(before, 0.5, 0.25, 0.1, 0.2, 2.0)[0]
    assert options["area"] == ("percentage", 0.25, 0.5, 0.2, 0.1)
    assert (options["strength"], options["set_area_to_bounds"], options["pooled_output"]) == (2.0, False, 1)
    assert before[0][1] == {"pooled_output": 1}
    ((_, options),) = conditioning_area.set_area_percentage_video.function(before, 0.5, 0.25, 1.0, 0.1, 0.2, 0.3, 1.0)[
        0
    ]
    assert options["area"] == ("percentage", 1.0, 0.25, 0.5, 0.3, 0.2, 0.1)
    assert conditioning_area.set_area_strength.function(before, 3.0)[0][0][1]["strength"] == 3.0


def test_guidance_is_set_and_taken_off():
    (guided,) = conditioning_edit.flux_guidance.function(cond(), 3.5)
    assert guided[0][1]["guidance"] == 3.5
    assert conditioning_edit.flux_disable_guidance.function(guided)[0][0][1]["guidance"] is None


def test_references_follow_each_other_and_leave_what_was_there():
    first = cond(reference_latents=["a"])
    (more,) = conditioning_edit.reference_latent.function(first, {"samples": "b"})
    assert more[0][1]["reference_latents"] == ["a", "b"]
    assert first[0][1]["reference_latents"] == ["a"]
    assert conditioning_edit.reference_latent.function(first)[0] is first
    method = conditioning_edit.reference_latents_method.function
    assert method(first, "uxo/uno")[0][0][1]["reference_latents_method"] == "uxo"
    assert method(first, "index")[0][0][1]["reference_latents_method"] == "index"


@pytest.mark.parametrize(
    ("size", "wanted"), [((100, 100), (1024, 1024)), ((100, 300), (672, 1568)), ((300, 200), (1248, 832))]
)
def test_a_picture_for_kontext_gets_the_nearest_trained_size(size, wanted):
    (done,) = conditioning_edit.flux_kontext_image_scale.function(torch.zeros(1, size[1], size[0], 3))
    assert (done.shape[2], done.shape[1]) == wanted


@pytest.mark.parametrize("with_mask", [True, False])
def test_a_model_for_inpainting_sees_the_picture_without_the_masked_part(with_mask):
    mask = torch.zeros(1, 20, 20)
    mask[:, 2:10, 2:10] = 1
    positive, negative, latent = conditioning_edit.inpaint_model_conditioning.function(
        cond(), cond(), Vae(), torch.ones(1, 20, 20, 3), mask, with_mask
    )
    for side in (positive, negative):
        assert side[0][1]["concat_latent_image"][0, 0].tolist() == [[0.5, 1.0], [1.0, 1.0]]
        assert side[0][1]["concat_mask"].shape == (1, 1, 16, 16)
    assert (latent["samples"] == 1).all()
    assert ("noise_mask" in latent) is with_mask


def test_a_picture_to_be_changed_by_instruction():
    positive, _, latent = conditioning_edit.instruct_pix_to_pix.function(
        cond(), cond(), Vae(), torch.ones(1, 16, 16, 3)
    )
    assert (positive[0][1]["concat_latent_image"] == 1).all()
    assert not latent["samples"].any()


def test_pictures_for_unclip_add_up():
    node = conditioning_edit.unclip_conditioning.function
    (one,) = node(cond(), "see", 1.0, 0.1)
    (two,) = node(one, "too", 0.5, 0.0)
    assert [p["clip_vision_output"] for p in two[0][1]["unclip_conditioning"]] == ["see", "too"]
    assert node(one, "not", 0.0, 0.0)[0] is one


def test_the_upscaling_model_gets_the_small_picture():
    positive, _, latent = conditioning_edit.sd_4x_upscale.function(torch.ones(2, 32, 48, 3), cond(), cond(), 4.0, 0.2)
    assert positive[0][1]["concat_image"].shape == (2, 3, 32, 48)
    assert positive[0][1]["noise_augmentation"] == 0.2
    assert latent["samples"].shape == (2, 4, 32, 48)
    with pytest.raises(ValueError, match="scale_ratio"):
        conditioning_edit.sd_4x_upscale.function(torch.ones(1, 8, 8, 3), cond(), cond(), 0.0, 0.0)


def test_sdxl_gets_a_text_for_each_encoder_and_its_sizes():
    clip = Texts("l", "g")
    (found,) = conditioning_text.encode_sdxl.function(clip, 1024, 768, 8, 16, 512, 640, "of g", "of l")
    assert clip.texts == {"g": "of g", "l": "of l"}
    options = {k: v for k, v in found[0][1].items() if k != "pooled_output"}
    assert options == {
        "width": 1024,
        "height": 768,
        "crop_w": 8,
        "crop_h": 16,
        "target_width": 512,
        "target_height": 640,
    }


@pytest.mark.parametrize(
    ("node", "args", "family"),
    [
        (conditioning_text.encode_sdxl, (Texts("l"), 1, 1, 0, 0, 1, 1, "", ""), "SDXL"),
        (conditioning_text.encode_sdxl_refiner, (6.0, 1, 1, "", Texts("l")), "refiner"),
        (conditioning_text.encode_sd3, (Texts("l"), "", "", "", "none"), "SD 3"),
        (conditioning_text.encode_flux, (object(), "", "", 1.0), "Flux"),
        (conditioning_text.encode_hunyuan_dit, (Texts("l"), "", ""), "HunyuanDiT"),
        (conditioning_text.encode_hidream, (Texts("l"), "", "", "", ""), "HiDream"),
        (conditioning_text.encode_pixart, (1, 1, "", Texts("l")), "PixArt"),
        (conditioning_text.encode_lumina2, ("superior", "", Texts("l")), "Lumina"),
        (conditioning_text.encode_kandinsky5, (Texts("l"), "", ""), "Kandinsky"),
        (conditioning_text.encode_qwen_edit, (Texts("l"), ""), "Qwen"),
        (conditioning_text.t5_tokenizer_options, (Texts("l"), 1, 1), "T5"),
        (conditioning_text.encode_controlnet, (None, [], ""), "no text encoder"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_wrong_text_encoder_is_named(node, args, family):
    with pytest.raises(conditioning_text.WrongTextEncoderError, match=family):
        node.function(*args)


def test_an_empty_text_of_sd3_is_left_out_or_read():
    clip = Texts("l", "g", "t5xxl")
    conditioning_text.encode_sd3.function(clip, "a", "", "", "none")
    assert clip.texts == {"l": "a", "g": None, "t5xxl": None}
    conditioning_text.encode_sd3.function(clip, "a", "", "", "empty_prompt")
    assert clip.texts == {"l": "a", "g": "", "t5xxl": ""}


def test_a_controlnet_gets_a_prompt_of_its_own():
    (found,) = conditioning_text.encode_controlnet.function(Texts("l"), cond(strength=2), "edges")
    assert found[0][1]["strength"] == 2
    assert {"cross_attn_controlnet", "pooled_output_controlnet"} <= set(found[0][1])


def test_qwen_looks_at_pictures_and_gets_them_as_latents():
    clip = Texts("qwen25_7b")
    picture = torch.zeros(1, 100, 200, 4)
    (found,) = conditioning_text.encode_qwen_edit_plus.function(clip, "swap", Vae(), image2=picture)
    assert clip.texts["qwen25_7b"] == "Picture 2: <|vision_start|><|image_pad|><|vision_end|>swap"
    assert clip.images[0].shape == (1, 272, 543, 3)
    assert "{}" in clip.template
    assert found[0][1]["reference_latents"][0].shape[-2:] == (91, 181)
    (alone,) = conditioning_text.encode_qwen_edit.function(clip, "swap", image=picture)
    assert "reference_latents" not in alone[0][1]


def test_properties_and_their_pair():
    mask = torch.ones(8, 8)
    ((_, options),) = conditioning_hooks.set_properties.function(cond(), 0.5, "mask bounds", mask, None, (0.2, 0.8))[0]
    assert options["mask"].shape == (1, 8, 8)
    assert (options["mask_strength"], options["set_area_to_bounds"]) == (0.5, True)
    assert (options["start_percent"], options["end_percent"]) == (0.2, 0.8)
    old = cond(old=1)
    positive, negative = conditioning_hooks.pair_set_properties_and_combine.function(
        old, old, cond(), cond(), 1.0, "default"
    )
    assert [o for _, o in positive] == [{"old": 1}, {}]
    assert len(negative) == 2
    assert len(conditioning_hooks.pair_combine.function(old, old, old, old)[0]) == 2
    assert conditioning_hooks.timesteps_range.function(0.2, 0.8) == ((0.2, 0.8), (0.0, 0.2), (0.8, 1.0))


def test_hooks_are_made_combined_and_scheduled(tmp_path):
    c = context(tmp_path)
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "a.safetensors").write_bytes(b"")
    c.folders.models["loras"] = (tmp_path / "loras",)
    make = conditioning_hook_make
    (a,) = make.create_hook_lora.function("a.safetensors", 1.0, 0.5, context=c)
    (b,) = make.create_hook_lora_model_only.function("a.safetensors", 0.7, a, context=c)
    assert [(h.strength_model, h.strength_clip) for h in b.hooks] == [(1.0, 0.5), (0.7, 0.0)]
    assert make.create_hook_lora.function("a.safetensors", 0.0, 0.0, context=c)[0] == HookGroup()
    assert make.combine_hooks_2.function(a, b)[0] == b
    assert make.combine_hooks_8.function()[0] is None
    (frames,) = make.create_hook_keyframes_interpolated.function(0.0, 1.0, "ease_in", 0.0, 0.5, 3, False)
    assert [(k.strength, k.start) for k in frames] == [(0.0, 0.0), (0.25, 0.25), (1.0, 0.5)]
    (frames,) = make.create_hook_keyframe.function(9.0, 0.1, frames)
    assert [k.start for k in frames] == [0.0, 0.1, 0.25, 0.5]
    assert [k.strength for k in make.create_hook_keyframes_from_floats.function([1, 2], 0.0, 1.0, True)[0]] == [
        1.0,
        2.0,
    ]
    assert make.set_hook_keyframes.function(a, frames)[0].hooks[0].keyframes == frames
    with pytest.raises(Exception, match=r"gone\.safetensors"):
        make.create_hook_lora.function("gone.safetensors", 1.0, 1.0, context=c)


def test_what_sampling_does_not_act_on_is_refused_and_else_set(monkeypatch):
    from engine.sampling import guidance

    monkeypatch.setattr(guidance, "CONSUMED", frozenset(), raising=False)
    hooks = HookGroup()
    with pytest.raises(NotImplementedError, match="hooks on conditioning"):
        conditioning_hooks.set_properties.function(cond(), 1.0, "default", hooks=hooks)
    with pytest.raises(NotImplementedError, match="hooks on a text encoder"):
        conditioning_hooks.set_clip_hooks.function("clip", True, False, hooks)
    with pytest.raises(NotImplementedError, match="default conditioning"):
        conditioning_hooks.pair_set_default_combine.function(cond(), cond(), cond(), cond())
    monkeypatch.setattr(guidance, "CONSUMED", frozenset({"hooks", "default"}))
    (found,) = conditioning_hooks.set_default_combine.function(cond(), cond(), hooks)
    assert found[1][1] == {"hooks": combined((hooks,)), "default": True}
    assert conditioning_hooks.set_clip_hooks.function("clip", True, False)[0] == "clip"


class Vision:
    def encode_image(self, pixels):
        return SimpleNamespace(image_embeds=torch.ones(len(pixels), 6))


def test_a_picture_set_in_motion_or_turned():
    picture = torch.ones(1, 32, 64, 3)
    positive, negative, latent = conditioning_video.svd_img2vid.function(
        Vision(), picture, Vae(), 64, 32, 5, 127, 6, 0.0
    )
    assert positive[0][0].shape == (1, 1, 6)
    assert (positive[0][1]["fps"], positive[0][1]["motion_bucket_id"]) == (6, 127)
    assert not negative[0][0].any()
    assert not negative[0][1]["concat_latent_image"].any()
    assert latent["samples"].shape == (5, 4, 4, 8)
    (place, _), *_ = conditioning_video.stable_zero123_batched.function(
        Vision(), picture, Vae(), 64, 64, 3, 0.0, 0.0, 0.0, 90.0
    )[0]
    assert place.shape == (3, 1, 10)
    assert [round(float(v), 3) for v in place[1, 0, 6:]] == [0.0, 1.0, 0.0, 1.571]
    around = conditioning_video.sv3d.function(Vision(), picture, Vae(), 64, 64, 5, 10.0)[0][0][1]
    assert around["azimuth"] == [0, 90, 180, 270, 360]
