"""Nodes that load, make, take apart and save films."""

from __future__ import annotations

import mimetypes
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

from engine.files import naming
from engine.files.folders import Folders
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.embedded import HIDDEN, embedded
from engine.nodes.inputs import exists, version

if TYPE_CHECKING:
    from torch import Tensor

    from engine.media.audio import Audio
    from engine.media.video import Video


def _films(folders: Folders) -> list[str]:
    return [name for name in folders.input_files() if (mimetypes.guess_type(name)[0] or "").startswith("video/")]


def _exists(file: Any, folders: Folders) -> bool | str:
    return exists(file, folders, "video")


def _version(file: str, folders: Folders) -> tuple[int, int, int]:
    return version(file, folders)


@node(
    "LoadVideo",
    display_name="Load Video",
    schema="v3",
    category="image/video",
    description="A film of the input folder.",
    inputs=[Input("file", _films, {"video_upload": True})],
    outputs=[Output("VIDEO")],
    is_changed=_version,
    validate_inputs=_exists,
)
def load_video(file: str, context: NodeContext) -> tuple[Video]:
    from engine.media.video import VideoFromFile

    return (VideoFromFile(context.folders.annotated_input(file)),)


@node(
    "CreateVideo",
    display_name="Create Video",
    schema="v3",
    category="image/video",
    description="A film from pictures, with a sound if there is one.",
    inputs=[
        Input("images", "IMAGE", {"tooltip": "One for each frame."}),
        Input("fps", "FLOAT", {"default": 30.0, "min": 1.0, "max": 120.0, "step": 1.0}),
        Input("audio", "AUDIO", {"tooltip": "What is heard."}, optional=True),
    ],
    outputs=[Output("VIDEO")],
)
def create_video(images: Tensor, fps: float, audio: Audio | None = None) -> tuple[Video]:
    from engine.media.video import VideoComponents, VideoFromComponents

    return (VideoFromComponents(VideoComponents(images, Fraction(fps), audio)),)


@node(
    "GetVideoComponents",
    display_name="Get Video Components",
    schema="v3",
    category="image/video",
    description="The pictures of a film, its sound, and how many frames a second has.",
    inputs=[Input("video", "VIDEO", {"tooltip": "The film."})],
    outputs=[Output("IMAGE", "images"), Output("AUDIO", "audio"), Output("FLOAT", "fps")],
)
def video_components(video: Video, context: NodeContext) -> tuple[Tensor, Audio | None, float]:
    found = video.get_components(context.check)
    return found.images, found.audio, float(found.frame_rate)


@node(
    "SaveVideo",
    display_name="Save Video",
    schema="v3",
    category="image/video",
    description="Writes a film to the output folder, with the workflow inside.",
    inputs=[
        Input("video", "VIDEO", {"tooltip": "What to save."}),
        Input(
            "filename_prefix",
            "STRING",
            {
                "default": "video/ComfyUI",
                "multiline": False,
                "tooltip": "How the name begins; folders and %year%, %month%, %day% may be in it.",
            },
        ),
        Input("format", ["auto", "mp4"], {"default": "auto", "tooltip": "The kind of file."}),
        Input("codec", ["auto", "h264"], {"default": "auto", "tooltip": "How its pictures are packed."}),
    ],
    hidden=HIDDEN,
    output_node=True,
)
def save_video(
    video: Video,
    filename_prefix: str,
    format: str,
    codec: str,
    context: NodeContext,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    file = BytesIO()
    video.save_to(file, format, codec, embedded(context, prompt, extra_pnginfo), context.check)
    return _saved(context, filename_prefix, video.get_dimensions(), file.getvalue(), ".mp4")


@node(
    "SaveWEBM",
    schema="v3",
    category="image/video",
    experimental=True,
    description="Writes pictures as a WebM film without sound to the output folder, with the workflow inside.",
    inputs=[
        Input("images", "IMAGE"),
        Input("filename_prefix", "STRING", {"default": "ComfyUI", "multiline": False}),
        Input("codec", ["vp9", "av1"]),
        Input("fps", "FLOAT", {"default": 24.0, "min": 0.01, "max": 1000.0, "step": 0.01}),
        Input(
            "crf",
            "FLOAT",
            {"default": 32.0, "min": 0, "max": 63.0, "step": 1, "tooltip": "Lower is better, and larger."},
        ),
    ],
    hidden=HIDDEN,
    output_node=True,
)
def save_webm(
    images: Tensor,
    filename_prefix: str,
    codec: str,
    fps: float,
    crf: float,
    context: NodeContext,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    from engine.media.video import VideoComponents, encode_webm

    film = VideoComponents(images, Fraction(round(fps * 1000), 1000))
    data = encode_webm(film, codec, crf, embedded(context, prompt, extra_pnginfo), context.check)
    return _saved(context, filename_prefix, (images.shape[2], images.shape[1]), data, ".webm")


def _saved(context: NodeContext, prefix: str, size: tuple[int, int], data: bytes, suffix: str) -> dict[str, Any]:
    place = naming.save_place(context.folders.output, prefix, *size)
    name = naming.save(place, data, suffix, durable=True)
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return {"ui": {"images": [entry], "animated": (True,)}}


NODES: tuple[NodeDefinition, ...] = (load_video, create_video, video_components, save_video, save_webm)
