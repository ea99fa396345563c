"""Nodes that read a prompt with several text encoders at once, or with sizes and pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.nodes.conditioning import Conditioning, with_options
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

# The instructions that Lumina Image 2.0 was trained with; they are told in the node's input, too.
_LUMINA = {
    "superior": (
        "You are an assistant designed to generate superior images with the superior degree of image-text "
        "alignment based on textual prompts or user prompts."
    ),
    "alignment": (
        "You are an assistant designed to generate high-quality images with the highest degree of image-text "
        "alignment based on textual prompts."
    ),
}
_LUMINA_MARK = "<Prompt Start>"


class WrongTextEncoderError(ValueError):
    """The CLIP that is linked has not the text encoders that the node reads with."""


def _need(clip: Any, family: str, parts: Sequence[str]) -> None:
    if clip is None:
        raise WrongTextEncoderError("there is no CLIP: the checkpoint before has no text encoder in it")
    there = tuple(getattr(clip, "parts", ("l",)))
    lacking = [part for part in parts if part not in there]
    if lacking:
        raise WrongTextEncoderError(
            f"this needs the text encoders of {family} ({', '.join(parts)}); the CLIP that is linked has "
            f"{', '.join(there)}: load {', '.join(lacking)} with it"
        )


def _read(
    clip: Any, family: str, texts: Mapping[str, str | None], more: Mapping[str, Any] | None = None
) -> Conditioning:
    """Conditioning of one text for each part; `WrongTextEncoderError` where the CLIP lacks one."""
    _need(clip, family, list(texts))
    states, options = clip.encode_parts(texts)
    return [[states, {**options, **(more or {})}]]


def _plain(clip: Any, text: str, more: Mapping[str, Any]) -> Conditioning:
    if clip is None:
        _need(clip, "", ())
    states, pooled = clip.encode(text)
    return [[states, {"pooled_output": pooled, **more}]]


@node(
    "CLIPTextEncodeSDXL",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for SDXL, a text for each of its two encoders, with the sizes it was trained to know.",
    inputs=[
        Input("clip", "CLIP"),
        Input("width", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("height", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("crop_w", "INT", {"default": 0, "min": 0, "max": 16384}),
        Input("crop_h", "INT", {"default": 0, "min": 0, "max": 16384}),
        Input("target_width", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("target_height", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("text_g", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("text_l", "STRING", {"multiline": True, "dynamicPrompts": True}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_sdxl(
    clip: Any,
    width: int,
    height: int,
    crop_w: int,
    crop_h: int,
    target_width: int,
    target_height: int,
    text_g: str,
    text_l: str,
) -> tuple[Conditioning]:
    sizes = {
        "width": width,
        "height": height,
        "crop_w": crop_w,
        "crop_h": crop_h,
        "target_width": target_width,
        "target_height": target_height,
    }
    return (_read(clip, "SDXL", {"g": text_g, "l": text_l}, sizes),)


@node(
    "CLIPTextEncodeSDXLRefiner",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for SDXL's refiner, with the size and how good the picture should look.",
    inputs=[
        Input("ascore", "FLOAT", {"default": 6.0, "min": 0.0, "max": 1000.0, "step": 0.01}),
        Input("width", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("height", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("text", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("clip", "CLIP"),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_sdxl_refiner(ascore: float, width: int, height: int, text: str, clip: Any) -> tuple[Conditioning]:
    _need(clip, "SDXL's refiner", ["g"])
    return (_plain(clip, text, {"aesthetic_score": ascore, "width": width, "height": height}),)


@node(
    "CLIPTextEncodeSD3",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for SD 3, a text for each of its encoders.",
    inputs=[
        Input("clip", "CLIP"),
        Input("clip_l", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("clip_g", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("t5xxl", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("empty_padding", ["none", "empty_prompt"]),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_sd3(clip: Any, clip_l: str, clip_g: str, t5xxl: str, empty_padding: str) -> tuple[Conditioning]:
    texts: dict[str, str | None] = {"l": clip_l, "g": clip_g, "t5xxl": t5xxl}
    if empty_padding == "none":  # an encoder without a text is left out, instead of reading the empty prompt
        texts = {part: text or None for part, text in texts.items()}
    return (_read(clip, "SD 3", texts),)


@node(
    "CLIPTextEncodeFlux",
    schema="v3",
    category="advanced/conditioning/flux",
    description="Reads a prompt for Flux, a text for each of its encoders, with the guidance.",
    inputs=[
        Input("clip", "CLIP"),
        Input("clip_l", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("t5xxl", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("guidance", "FLOAT", {"default": 3.5, "min": 0.0, "max": 100.0, "step": 0.1}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_flux(clip: Any, clip_l: str, t5xxl: str, guidance: float) -> tuple[Conditioning]:
    return (_read(clip, "Flux", {"l": clip_l, "t5xxl": t5xxl}, {"guidance": guidance}),)


@node(
    "CLIPTextEncodeHunyuanDiT",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for HunyuanDiT, a text for each of its encoders.",
    inputs=[
        Input("clip", "CLIP"),
        Input("bert", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("mt5xl", "STRING", {"multiline": True, "dynamicPrompts": True}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_hunyuan_dit(clip: Any, bert: str, mt5xl: str) -> tuple[Conditioning]:
    return (_read(clip, "HunyuanDiT", {"bert": bert, "mt5xl": mt5xl}),)


@node(
    "CLIPTextEncodeHiDream",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for HiDream, a text for each of its encoders.",
    inputs=[
        Input("clip", "CLIP"),
        Input("clip_l", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("clip_g", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("t5xxl", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("llama", "STRING", {"multiline": True, "dynamicPrompts": True}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_hidream(clip: Any, clip_l: str, clip_g: str, t5xxl: str, llama: str) -> tuple[Conditioning]:
    return (_read(clip, "HiDream", {"l": clip_l, "g": clip_g, "t5xxl": t5xxl, "llama": llama}),)


@node(
    "CLIPTextEncodePixArtAlpha",
    schema="v3",
    category="advanced/conditioning",
    description="Reads a prompt for PixArt Alpha (not Sigma), with the size of the picture.",
    inputs=[
        Input("width", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("height", "INT", {"default": 1024, "min": 0, "max": 16384}),
        Input("text", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("clip", "CLIP"),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_pixart(width: int, height: int, text: str, clip: Any) -> tuple[Conditioning]:
    _need(clip, "PixArt Alpha", ["t5xxl"])
    return (_plain(clip, text, {"width": width, "height": height}),)


@node(
    "CLIPTextEncodeLumina2",
    display_name="CLIP Text Encode for Lumina2",
    schema="v3",
    category="conditioning",
    description="Reads a prompt for Lumina 2 behind one of the instructions it was trained with.",
    inputs=[
        Input(
            "system_prompt",
            ["superior", "alignment"],
            {"tooltip": "What the text encoder is told first: to look for beauty, or for closeness to the prompt."},
        ),
        Input("user_prompt", "STRING", {"multiline": True, "dynamicPrompts": True, "tooltip": "The prompt."}),
        Input("clip", "CLIP", {"tooltip": "The text encoder."}),
    ],
    outputs=[
        Output("CONDITIONING", tooltip="The prompt as the model reads it."),
    ],
)
def encode_lumina2(system_prompt: str, user_prompt: str, clip: Any) -> tuple[Conditioning]:
    _need(clip, "Lumina 2", ["gemma2_2b"])
    return (_plain(clip, f"{_LUMINA[system_prompt]} {_LUMINA_MARK} {user_prompt}", {}),)


@node(
    "CLIPTextEncodeKandinsky5",
    schema="v3",
    category="advanced/conditioning/kandinsky5",
    description="Reads a prompt for Kandinsky 5, a text for each of its encoders.",
    inputs=[
        Input("clip", "CLIP"),
        Input("clip_l", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("qwen25_7b", "STRING", {"multiline": True, "dynamicPrompts": True}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_kandinsky5(clip: Any, clip_l: str, qwen25_7b: str) -> tuple[Conditioning]:
    return (_read(clip, "Kandinsky 5", {"l": clip_l, "qwen25_7b": qwen25_7b}),)


@node(
    "CLIPTextEncodeControlnet",
    schema="v3",
    category="_for_testing/conditioning",
    description="Another prompt for the ControlNet than for the model.",
    experimental=True,
    inputs=[
        Input("clip", "CLIP"),
        Input("conditioning", "CONDITIONING"),
        Input("text", "STRING", {"multiline": True, "dynamicPrompts": True}),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_controlnet(clip: Any, conditioning: Conditioning, text: str) -> tuple[Conditioning]:
    states, options = _plain(clip, text, {})[0]
    more = {"cross_attn_controlnet": states, "pooled_output_controlnet": options["pooled_output"]}
    return (with_options(conditioning, more),)


@node(
    "T5TokenizerOptions",
    schema="v3",
    category="_for_testing/conditioning",
    description="How long a T5 text encoder makes short prompts.",
    experimental=True,
    inputs=[
        Input("clip", "CLIP"),
        Input("min_padding", "INT", {"default": 0, "min": 0, "max": 10000, "step": 1}),
        Input("min_length", "INT", {"default": 0, "min": 0, "max": 10000, "step": 1}),
    ],
    outputs=[
        Output("CLIP"),
    ],
)
def t5_tokenizer_options(clip: Any, min_padding: int, min_length: int) -> tuple[Any]:
    if not any("t5" in part for part in getattr(clip, "parts", ("l",))):
        raise WrongTextEncoderError(
            "there is no T5 among the text encoders of this CLIP, so its options change nothing"
        )
    kinds = ("t5xxl", "pile_t5xl", "t5base", "mt5xl", "umt5xxl")
    options = {
        f"{kind}_{key}": v for kind in kinds for key, v in (("min_padding", min_padding), ("min_length", min_length))
    }
    return (clip.with_tokenizer_options(options),)


def _to_area(image: Tensor, pixels: int, step: int = 1) -> Tensor:
    """The picture at about this many pixels, in its own proportions; sides are multiples of `step`. Without alpha."""
    from engine.nodes.pixels import resize

    height, width = image.shape[1:3]
    by = (pixels / (width * height)) ** 0.5
    w, h = (max(step, round(n * by / step) * step) for n in (width, height))
    return resize(image, w, h, "area")[..., :3]


def _edit(
    clip: Any, prompt: str, images: Sequence[Tensor], seen: int, vae: Any, kept: int, step: int, template: str | None
) -> Conditioning:
    """Qwen Image Edit's prompt: the encoder sees the pictures, and the model gets them as latents."""
    _need(clip, "Qwen Image (Qwen2.5-VL)", ["qwen25_7b"])
    states, options = clip.encode_parts(
        {"qwen25_7b": prompt}, images=[_to_area(image, seen) for image in images], template=template
    )
    found: Conditioning = [[states, dict(options)]]
    if vae is not None and images:
        references = [vae.encode(_to_area(image, kept, step)) for image in images]
        found[0][1]["reference_latents"] = [*found[0][1].get("reference_latents", ()), *references]
    return found


@node(
    "TextEncodeQwenImageEdit",
    schema="v3",
    category="advanced/conditioning",
    description="Reads what to change in a picture, which the text encoder looks at, too.",
    inputs=[
        Input("clip", "CLIP"),
        Input("prompt", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("vae", "VAE", optional=True),
        Input("image", "IMAGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_qwen_edit(clip: Any, prompt: str, vae: Any = None, image: Tensor | None = None) -> tuple[Conditioning]:
    images = [] if image is None else [image]
    return (_edit(clip, prompt, images, 1024 * 1024, vae, 1024 * 1024, 1, None),)


_QWEN_EDIT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)  # published with the weights of Qwen-Image-Edit (Apache-2.0)


@node(
    "TextEncodeQwenImageEditPlus",
    schema="v3",
    category="advanced/conditioning",
    description="Reads what to make of up to three pictures, which the text encoder looks at, too.",
    inputs=[
        Input("clip", "CLIP"),
        Input("prompt", "STRING", {"multiline": True, "dynamicPrompts": True}),
        Input("vae", "VAE", optional=True),
        Input("image1", "IMAGE", optional=True),
        Input("image2", "IMAGE", optional=True),
        Input("image3", "IMAGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def encode_qwen_edit_plus(
    clip: Any,
    prompt: str,
    vae: Any = None,
    image1: Tensor | None = None,
    image2: Tensor | None = None,
    image3: Tensor | None = None,
) -> tuple[Conditioning]:
    given = [(i, image) for i, image in enumerate((image1, image2, image3), 1) if image is not None]
    marks = "".join(f"Picture {i}: <|vision_start|><|image_pad|><|vision_end|>" for i, _ in given)
    images = [image for _, image in given]
    return (_edit(clip, marks + prompt, images, 384 * 384, vae, 1024 * 1024, 8, _QWEN_EDIT),)


NODES: tuple[NodeDefinition, ...] = (
    encode_sdxl,
    encode_sdxl_refiner,
    encode_sd3,
    encode_flux,
    encode_hunyuan_dit,
    encode_hidream,
    encode_pixart,
    encode_lumina2,
    encode_kandinsky5,
    encode_controlnet,
    t5_tokenizer_options,
    encode_qwen_edit,
    encode_qwen_edit_plus,
)
