"""Nodes that load, make, change and save sound."""

from __future__ import annotations

import mimetypes
import secrets
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.files import naming
from engine.files.folders import Folders
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node
from engine.nodes.embedded import HIDDEN, embedded
from engine.nodes.inputs import exists, version

if TYPE_CHECKING:
    from engine.media.audio import Audio, Kind

_LARGE = 18446744073709551615
_PREFIX = Input("filename_prefix", "STRING", {"default": "audio/ComfyUI", "multiline": False})
_TEMP_PREFIX = "ComfyUI_temp_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))


def _sounds(folders: Folders) -> list[str]:
    """Films have sound as well."""
    kinds = ("audio/", "video/")
    return [name for name in folders.input_files() if (mimetypes.guess_type(name)[0] or "").startswith(kinds)]


def _exists(audio: Any, folders: Folders) -> bool | str:
    return exists(audio, folders, "audio")


def _version(audio: str, folders: Folders) -> tuple[int, int, int]:
    return version(audio, folders)


@node(
    "LoadAudio",
    display_name="Load Audio",
    schema="v3",
    category="audio",
    description="The sound of a file of the input folder, a film's too.",
    inputs=[Input("audio", _sounds, {"audio_upload": True})],
    outputs=[Output("AUDIO")],
    is_changed=_version,
    validate_inputs=_exists,
)
def load_audio(audio: str, context: NodeContext) -> tuple[Audio]:
    from engine.media import audio as sound

    return (sound.load(context.folders.annotated_input(audio), context.check),)


@node(
    "RecordAudio",
    display_name="Record Audio",
    schema="v3",
    category="audio",
    description="What was recorded in the web page.",
    inputs=[Input("audio", "AUDIO_RECORD")],
    outputs=[Output("AUDIO")],
)
def record_audio(audio: str, context: NodeContext) -> tuple[Audio]:
    from engine.media import audio as sound

    return (sound.load(context.folders.annotated_input(audio), context.check),)


@node(
    "EmptyAudio",
    display_name="Empty Audio",
    schema="v3",
    category="audio",
    description="Silence.",
    inputs=[
        Input(
            "duration", "FLOAT", {"default": 60.0, "min": 0.0, "max": _LARGE, "step": 0.01, "tooltip": "In seconds."}
        ),
        Input(
            "sample_rate",
            "INT",
            {"default": 44100, "min": 1, "max": 192000, "tooltip": "Samples a second and channel."},
        ),
        Input("channels", "INT", {"default": 2, "min": 1, "max": 2, "tooltip": "1 is mono, 2 is stereo."}),
    ],
    outputs=[Output("AUDIO")],
)
def empty_audio(duration: float, sample_rate: int, channels: int) -> tuple[Audio]:
    import torch

    from engine.media.audio import MAX_SAMPLES

    samples = round(duration * sample_rate)
    if samples * channels > MAX_SAMPLES:
        raise ValueError(
            f"{duration:g} s of silence are too long: {MAX_SAMPLES / sample_rate / channels:.0f} s are the limit here"
        )
    return ({"waveform": torch.zeros(1, channels, samples), "sample_rate": sample_rate},)


@node(
    "TrimAudioDuration",
    display_name="Trim Audio Duration",
    schema="v3",
    category="audio",
    description="A part of a sound.",
    inputs=[
        Input("audio", "AUDIO"),
        Input(
            "start_index",
            "FLOAT",
            {
                "default": 0.0,
                "min": -_LARGE,
                "max": _LARGE,
                "step": 0.01,
                "tooltip": "Where it begins, in seconds; below 0 from the end.",
            },
        ),
        Input("duration", "FLOAT", {"default": 60.0, "min": 0.0, "step": 0.01, "tooltip": "In seconds."}),
    ],
    outputs=[Output("AUDIO")],
)
def trim_audio(audio: Audio, start_index: float, duration: float) -> tuple[Audio]:
    from engine.media import audio as sound

    return (sound.trim(audio, start_index, duration),)


@node(
    "SplitAudioChannels",
    display_name="Split Audio Channels",
    schema="v3",
    category="audio",
    description="The two channels of a stereo sound, each as mono.",
    inputs=[Input("audio", "AUDIO")],
    outputs=[Output("AUDIO", "left"), Output("AUDIO", "right")],
)
def split_channels(audio: Audio) -> tuple[Audio, Audio]:
    waveform, rate = audio["waveform"], audio["sample_rate"]
    if waveform.shape[1] != 2:
        raise ValueError(f"a sound of {waveform.shape[1]} channels cannot be split into left and right: stereo can")
    return (
        {"waveform": waveform[:, :1], "sample_rate": rate},
        {"waveform": waveform[:, 1:], "sample_rate": rate},
    )


@node(
    "AudioConcat",
    display_name="Audio Concat",
    schema="v3",
    category="audio",
    description="One sound after the other, at the higher of their rates.",
    inputs=[
        Input("audio1", "AUDIO"),
        Input("audio2", "AUDIO"),
        Input("direction", ["after", "before"], {"default": "after", "tooltip": "Where the second one goes."}),
    ],
    outputs=[Output("AUDIO")],
)
def concat_audio(audio1: Audio, audio2: Audio, direction: str) -> tuple[Audio]:
    import torch

    from engine.media import audio as sound

    first, second, rate = sound.alike(audio1, audio2)
    pair = (first, second) if direction == "after" else (second, first)
    return ({"waveform": torch.cat(pair, dim=-1), "sample_rate": rate},)


@node(
    "AudioMerge",
    display_name="Audio Merge",
    schema="v3",
    category="audio",
    description="Two sounds at the same time, as long as the first.",
    inputs=[
        Input("audio1", "AUDIO"),
        Input("audio2", "AUDIO"),
        Input("merge_method", ["add", "mean", "subtract", "multiply"], {"tooltip": "What is done with their samples."}),
    ],
    outputs=[Output("AUDIO")],
)
def merge_audio(audio1: Audio, audio2: Audio, merge_method: str) -> tuple[Audio]:
    from engine.media import audio as sound

    return (sound.merge(audio1, audio2, merge_method),)


@node(
    "AudioAdjustVolume",
    display_name="Audio Adjust Volume",
    schema="v3",
    category="audio",
    description="Louder or softer.",
    inputs=[
        Input("audio", "AUDIO"),
        Input(
            "volume", "INT", {"default": 1, "min": -100, "max": 100, "tooltip": "In decibels: +6 doubles, -6 halves."}
        ),
    ],
    outputs=[Output("AUDIO")],
)
def adjust_volume(audio: Audio, volume: int) -> tuple[Audio]:
    if volume == 0:
        return (audio,)
    return ({"waveform": audio["waveform"] * 10 ** (volume / 20), "sample_rate": audio["sample_rate"]},)


def _save(
    root: Path,
    type_: str,
    prefix: str,
    audio: Audio,
    kind: Kind,
    quality: str,
    tags: dict[str, Any],
    context: NodeContext,
) -> dict[str, Any]:
    from engine.media import audio as sound

    place = naming.save_place(root, prefix)
    saved = []
    for index, waveform in enumerate(audio["waveform"]):
        data = sound.encode(waveform, audio["sample_rate"], kind, quality, tags, context.check)
        name = naming.save(place, data, f".{kind}", index, durable=type_ == "output")
        saved.append({"filename": name, "subfolder": place.subfolder, "type": type_})
    return {"ui": {"audio": saved}}


@node(
    "SaveAudio",
    display_name="Save Audio (FLAC)",
    schema="v3",
    category="audio",
    description="Writes FLAC files, which lose nothing, to the output folder, with the workflow inside.",
    inputs=[Input("audio", "AUDIO"), _PREFIX],
    hidden=HIDDEN,
    output_node=True,
)
def save_flac(
    audio: Audio, context: NodeContext, filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    tags = embedded(context, prompt, extra_pnginfo)
    return _save(context.folders.output, "output", filename_prefix, audio, "flac", "", tags, context)


@node(
    "SaveAudioMP3",
    display_name="Save Audio (MP3)",
    schema="v3",
    category="audio",
    description="Writes MP3 files to the output folder, with the workflow inside.",
    inputs=[Input("audio", "AUDIO"), _PREFIX, Input("quality", ["V0", "128k", "320k"], {"default": "V0"})],
    hidden=HIDDEN,
    output_node=True,
)
def save_mp3(
    audio: Audio,
    context: NodeContext,
    filename_prefix: str = "ComfyUI",
    quality: str = "V0",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    tags = embedded(context, prompt, extra_pnginfo)
    return _save(context.folders.output, "output", filename_prefix, audio, "mp3", quality, tags, context)


@node(
    "SaveAudioOpus",
    display_name="Save Audio (Opus)",
    schema="v3",
    category="audio",
    description="Writes Opus files to the output folder, with the workflow inside.",
    inputs=[
        Input("audio", "AUDIO"),
        _PREFIX,
        Input("quality", ["64k", "96k", "128k", "192k", "320k"], {"default": "128k"}),
    ],
    hidden=HIDDEN,
    output_node=True,
)
def save_opus(
    audio: Audio,
    context: NodeContext,
    filename_prefix: str = "ComfyUI",
    quality: str = "128k",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    tags = embedded(context, prompt, extra_pnginfo)
    return _save(context.folders.output, "output", filename_prefix, audio, "opus", quality, tags, context)


@node(
    "PreviewAudio",
    display_name="Preview Audio",
    schema="v3",
    category="audio",
    description="Plays in the web page; kept until the engine stops.",
    inputs=[Input("audio", "AUDIO")],
    hidden=HIDDEN,
    output_node=True,
)
def preview_audio(audio: Audio, context: NodeContext, prompt: Any = None, extra_pnginfo: Any = None) -> dict[str, Any]:
    tags = embedded(context, prompt, extra_pnginfo)
    return _save(context.folders.temp, "temp", _TEMP_PREFIX, audio, "flac", "", tags, context)


NODES: tuple[NodeDefinition, ...] = (
    load_audio,
    record_audio,
    empty_audio,
    trim_audio,
    split_channels,
    concat_audio,
    merge_audio,
    adjust_volume,
    save_flac,
    save_mp3,
    save_opus,
    preview_audio,
)
