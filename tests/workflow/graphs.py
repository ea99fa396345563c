"""Graphs that several tests of workflows need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
RECORDINGS = ROOT.parent / "shared" / "recordings"


def example(name: str = "txt2img-demo") -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def node(class_type: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    if title:
        found["_meta"] = {"title": title}
    return found


def custom_sampling() -> dict[str, Any]:
    """The other way to sample: guider, noise, sampler and sigmas are nodes of their own."""
    return {
        "unet": node("UNETLoader", unet_name="flux.safetensors", weight_dtype="default"),
        "lora": node("LoraLoaderModelOnly", model=["unet", 0], lora_name="film.safetensors", strength_model=0.6),
        "clip": node("DualCLIPLoader", clip_name1="t5.safetensors", clip_name2="l.safetensors", type="flux"),
        "words": node("PrimitiveString", "My words", value="a lighthouse in a storm"),
        "text": node("CLIPTextEncode", text=["words", 0], clip=["clip", 0]),
        "guidance": node("FluxGuidance", guidance=3.5, conditioning=["text", 0]),
        "guider": node("BasicGuider", model=["lora", 0], conditioning=["guidance", 0]),
        "noise": node("RandomNoise", noise_seed=8412),
        "pick": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "sigmas": node("BasicScheduler", scheduler="simple", steps=28, denoise=1.0, model=["lora", 0]),
        "size": node("EmptySD3LatentImage", width=1216, height=832, batch_size=2),
        "sample": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["pick", 0],
            sigmas=["sigmas", 0],
            latent_image=["size", 0],
        ),
        "decode": node("VAEDecode", samples=["sample", 0], vae=["vae", 0]),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="x"),
    }


# What a server tells of the classes in the examples, as /object_info has it; old and new forms of a choice.
OBJECT_INFO: dict[str, Any] = {
    "CheckpointLoaderSimple": {
        "input": {"required": {"ckpt_name": [["comfytui-demo.safetensors", "other.safetensors"]]}},
        "output": ["MODEL", "CLIP", "VAE"],
    },
    "CLIPTextEncode": {
        "input": {"required": {"text": ["STRING", {"multiline": True, "tooltip": "Words."}], "clip": ["CLIP"]}},
        "output": ["CONDITIONING"],
    },
    "EmptyLatentImage": {
        "input": {
            "required": {
                "width": ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}],
                "height": ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}],
                "batch_size": ["INT", {"default": 1, "min": 1, "max": 4096}],
            }
        },
        "output": ["LATENT"],
    },
    "KSampler": {
        "input": {
            "required": {
                "model": ["MODEL"],
                "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}],
                "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
                "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
                "sampler_name": ["COMBO", {"options": ["euler", "heun", "dpmpp_2m"]}],
                "scheduler": [["normal", "karras"]],
                "positive": ["CONDITIONING"],
                "negative": ["CONDITIONING"],
                "latent_image": ["LATENT"],
                "denoise": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0}],
            },
            "optional": {"extra": ["STRING", {"default": ""}]},
        },
        "output": ["LATENT"],
    },
    "VAEDecode": {"input": {"required": {"samples": ["LATENT"], "vae": ["VAE"]}}, "output": ["IMAGE"]},
    "SaveImage": {
        "input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "ComfyUI"}]}},
        "output": [],
        "output_node": True,
    },
}
