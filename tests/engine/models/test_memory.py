import pytest
import torch

from engine.models.loading import load_checkpoint
from engine.models.memory import memory_for
from engine.options import parse


@pytest.mark.parametrize(
    ("flags", "unet", "vae", "text"),
    [
        ([], torch.float32, torch.float32, torch.float16),
        (["--force-fp32"], torch.float32, torch.float32, torch.float16),
        (["--force-fp16"], torch.float16, torch.float32, torch.float16),
        (["--force-fp16", "--bf16-unet"], torch.bfloat16, torch.float32, torch.float16),
        (["--fp64-unet", "--bf16-vae", "--fp32-text-enc"], torch.float64, torch.bfloat16, torch.float32),
        (["--fp8_e5m2-unet"], torch.float32, torch.float32, torch.float16),
    ],
)
def test_number_types_of_the_command_line(flags, unet, vae, text):
    memory = memory_for(parse(["--cpu", *flags]))
    assert (memory.dtype, memory.vae_dtype, memory.text) == (unet, vae, text)


def test_the_autoencoder_may_stay_off_the_gpu():
    memory = memory_for(parse(["--cpu-vae"]))
    memory.device = torch.device("cuda", 0)
    assert memory.vae_device == torch.device("cpu")
    assert memory.vae_dtype == torch.float32
    assert memory.dtype == torch.float16


@pytest.mark.parametrize("kind", ["fp64", "bf16"])
def test_models_compute_in_the_type_asked_for_and_give_float32(checkpoint, kind):
    plain = load_checkpoint(checkpoint, memory_for(parse(["--cpu"])))
    other = load_checkpoint(checkpoint, memory_for(parse(["--cpu", f"--{kind}-unet", "--bf16-vae", "--fp32-text-enc"])))
    context, _ = other.clip.encode("red")
    x, sigma = torch.ones(1, 4, 8, 8), torch.tensor([2.0])
    with torch.inference_mode():
        want, got = (m.model.denoise(x, sigma, context) for m in (plain, other))
    assert got.dtype == torch.float32
    assert torch.allclose(got, want, atol=0.1 if kind == "bf16" else 1e-4)
    picture = other.vae.decode(x)
    assert picture.dtype == torch.float32
    assert torch.allclose(picture, plain.vae.decode(x), atol=0.05)
