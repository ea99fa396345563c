import os
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.models.checkpoint import ModelFileError, open_weights
from engine.models.detect import detect, unet_shape
from engine.models.loading import load_checkpoint
from engine.models.memory import Memory
from engine.models.text import Token, chunk, tokenize
from engine.models.tokenizer import END, START, clip_tokenizer


@pytest.fixture
def memory():
    return Memory(torch.device("cpu"))


@pytest.fixture(scope="module")
def models(checkpoint):
    return load_checkpoint(checkpoint, Memory(torch.device("cpu")))


def test_the_shapes_come_from_the_keys(checkpoint):
    found = detect(open_weights(checkpoint))
    assert found.unet.channels == (32, 64)
    assert (found.unet.blocks, found.unet.depths, found.unet.context, found.unet.heads) == (1, (0, 1), 64, (8, 8))
    assert (found.vae.channels, found.vae.blocks, found.vae.factor) == ((32,) * 4, 0, 8)
    assert (found.clip.layers, found.clip.width, found.clip.heads) == (2, 64, 1)


def test_linear_projections_mean_heads_of_64(checkpoint):
    keys = open_weights(checkpoint).under("model.diffusion_model.")
    linear = {k: s[:2] if ".proj_in." in k or ".proj_out." in k else s for k, s in keys.items()}
    assert unet_shape(linear).heads == (0, 1)


def test_the_unet_that_was_exported_is_the_one_that_is_loaded(models, networks):
    x, t, context = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 700.0]), torch.randn(2, 77, 64)
    with torch.inference_mode():
        want = networks[0](x, t, context).sample
        got = models.model.network(x, t, context).sample
    assert torch.allclose(got, want, atol=1e-5, rtol=1e-4)


def test_the_autoencoder_that_was_exported_is_the_one_that_is_loaded(models, networks):
    x = torch.rand(1, 32, 48, 3)
    with torch.inference_mode():
        mean = networks[2].encode(x.movedim(-1, 1) * 2 - 1).latent_dist.mean
        picture = networks[2].decode(mean).sample.movedim(1, -1)
    assert torch.allclose(models.vae.encode(x), mean, atol=1e-4, rtol=1e-3)
    assert torch.allclose(models.vae.decode(mean), ((picture + 1) / 2).clamp(0, 1), atol=1e-4)


def test_the_text_encoder_that_was_exported_is_the_one_that_is_loaded(models, networks):
    ids = [START, *clip_tokenizer().encode("a red circle on a blue background"), END]
    ids += [END] * (77 - len(ids))
    with torch.inference_mode():
        want = networks[1](torch.tensor([ids]))
    states, pooled = models.clip.encode("a red circle on a blue background")
    assert torch.allclose(states, want.last_hidden_state, atol=1e-5, rtol=1e-4)
    assert torch.allclose(pooled, want.pooler_output, atol=1e-5, rtol=1e-4)


def test_weights_move_tokens_away_from_the_empty_prompt(models):
    plain, empty = models.clip.encode("red circle")[0], models.clip.encode("")[0]
    heavy = models.clip.encode("(red:1.5) circle")[0]
    assert torch.allclose(heavy[0, 1], (plain[0, 1] - empty[0, 1]) * 1.5 + empty[0, 1], atol=1e-5)
    assert torch.allclose(heavy[0, 2], plain[0, 2], atol=1e-6)


def test_clip_skip_takes_an_earlier_layer_and_leaves_the_pooled_vector(models):
    last, pooled = models.clip.encode("red")
    earlier, pooled2 = models.clip.with_layer(-2).encode("red")
    assert not torch.allclose(last, earlier, atol=1e-3)
    assert torch.equal(pooled, pooled2)
    assert torch.equal(models.clip.with_layer(-24).encode("red")[0], last)


def test_long_prompts_take_more_chunks(models):
    assert models.clip.encode("red circle " * 60)[0].shape == (1, 154, 64)


def test_an_embedding_stands_in_the_prompt_and_a_missing_one_is_dropped_with_one_warning(
    checkpoint, tmp_path, memory, caplog
):
    save_file({"emb_params": torch.ones(2, 64)}, tmp_path / "mine.safetensors")
    clip = load_checkpoint(checkpoint, memory, [tmp_path]).clip
    plain = clip.encode("a red circle")[0]
    assert not torch.allclose(clip.encode("a red circle embedding:mine")[0], plain, atol=1e-3)
    assert torch.equal(clip.encode("a red circle embedding:nobody")[0], plain)
    clip.encode("embedding:nobody, cat")
    assert [r.getMessage() for r in caplog.records] == ["there is no embedding 'nobody'; it is left out of the prompt"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..%2f", "a/../../b"])
def test_a_prompt_cannot_name_files_outside_the_embeddings(checkpoint, tmp_path, memory, name):
    (tmp_path / "inside").mkdir()
    save_file({"emb_params": torch.ones(2, 64)}, tmp_path / "secret.safetensors")
    clip = load_checkpoint(checkpoint, memory, [tmp_path / "inside"]).clip
    assert torch.equal(clip.encode(f"embedding:{name}")[0], clip.encode("")[0])


def test_a_checkpoint_is_read_once_and_again_after_it_changed(checkpoint, tmp_path, memory):
    path = tmp_path / "copy.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    first = load_checkpoint(path, memory)
    assert load_checkpoint(path, memory) is first
    os.utime(path, ns=(1, 1))
    second = load_checkpoint(path, memory)
    assert second is not first
    assert memory.free() == 1
    assert load_checkpoint(path, memory) is not second


def test_only_the_models_used_last_stay(tmp_path, memory):
    memory.kept = 2
    paths = []
    for name in "abc":
        paths.append(tmp_path / name)
        paths[-1].write_text(name)
        memory.load(paths[-1], "text", lambda p: [p.read_text()])
    loads = []
    memory.load(paths[2], "text", loads.append)
    assert not loads
    memory.load(paths[0], "text", loads.append)
    assert loads == [paths[0]]


# ── files that are no checkpoints ───────────────────────────────────────────────────────────────


def refusal(path, memory):
    with pytest.raises(ModelFileError) as caught:
        load_checkpoint(path, memory)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path, memory):
    assert "there is no file nowhere.safetensors" in refusal(tmp_path / "nowhere.safetensors", memory)


@pytest.mark.parametrize("keep", [0, 4, 100, 20_000, -1])
def test_a_truncated_file_says_so(checkpoint, tmp_path, memory, keep):
    path = tmp_path / "half.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:keep])
    assert any(word in refusal(path, memory) for word in ("cut short", "not a safetensors file"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + b"\0" * 60, "zip"),
        (b"version https://git-lfs", "git lfs pull"),
        (b"GGUF\x03\0\0\0\0\0", "GGUF"),
    ],
)
def test_another_kind_of_file_is_recognized(tmp_path, memory, data, kind):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    assert kind in refusal(path, memory)


@pytest.mark.parametrize("header", [b"{", b'{"a": 1}', b'{"a": {"shape": ["x"], "data_offsets": [0, 1]}}', b"{}[]"])
def test_a_header_that_does_not_parse_is_refused(tmp_path, memory, header):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    refusal(path, memory)


def test_pickles_are_refused_with_the_way_out(tmp_path, memory):
    path = tmp_path / "old.ckpt"
    path.write_bytes(b"\x80\x02")
    assert "convert it" in refusal(path, memory)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (["lora_unet_down_blocks_0.lora_up.weight"], "a LoRA"),
        (["decoder.conv_in.weight", "encoder.conv_in.weight"], "an autoencoder alone"),
        (["text_model.embeddings.token_embedding.weight"], "a text encoder alone"),
        (["control_model.time_embed.0.weight"], "a ControlNet"),
        (["down_blocks.0.resnets.0.conv1.weight"], "diffusers layout"),
        (["emb_params"], "a textual inversion"),
        (["something.else"], "1 weights of another kind"),
    ],
)
def test_a_file_from_another_folder_is_called_by_its_kind(tmp_path, memory, keys, kind):
    path = tmp_path / "wrong.safetensors"
    save_file({k: torch.zeros(2) for k in keys}, path)
    assert kind in refusal(path, memory)


def test_a_checkpoint_that_lacks_a_weight_or_has_one_of_another_shape_names_it(checkpoint, tmp_path, memory):
    state = load_file(checkpoint)
    path = tmp_path / "gap.safetensors"
    save_file({k: v for k, v in state.items() if k != "model.diffusion_model.out.0.bias"}, path)
    assert "conv_norm_out.bias" in refusal(path, memory)
    save_file({**state, "model.diffusion_model.out.0.bias": torch.zeros(7)}, path)
    assert "found (7,)" in refusal(path, memory)


def test_a_latent_that_is_not_a_number_is_refused_before_it_becomes_a_black_picture(models):
    with pytest.raises(ValueError, match="NaN"):
        models.vae.decode(torch.full((1, 4, 2, 2), float("nan")))
    with pytest.raises(ValueError, match=r"decodes \(batch, 4, height, width\)"):
        models.vae.decode(torch.zeros(1, 16, 2, 2))


def test_pictures_are_cropped_around_the_middle_to_whole_latent_pixels(models):
    x = torch.rand(1, 21, 30, 4)
    assert torch.equal(models.vae.encode(x), models.vae.encode(x[:, 2:18, 3:27]))
    with pytest.raises(ValueError, match="8×8 at least"):
        models.vae.encode(torch.rand(1, 7, 30, 3))


def test_prompts_become_the_tokens_of_clip():
    runs = tokenize("a photo of a cat", clip_tokenizer().encode)
    assert [t.value for t in chunk(runs, Token(START), Token(END), Token(END))[0][:7]] == [
        49406,
        320,
        1125,
        539,
        320,
        2368,
        49407,
    ]
