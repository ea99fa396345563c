"""From a checkpoint file to the three models in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.models.checkpoint import ModelFileError, open_weights
from engine.models.clip import Clip, load_clip
from engine.models.detect import detect
from engine.models.diffusion import DiffusionModel, make_diffusion
from engine.models.memory import Memory
from engine.models.vae import VAE, make_vae


@dataclass(frozen=True, slots=True)
class Models:
    """What a checkpoint gives."""

    model: DiffusionModel
    clip: Clip
    vae: VAE


def load_checkpoint(path: Path, memory: Memory, embeddings: Sequence[Path] = ()) -> Models:
    """The models of a single-file checkpoint, from memory where it is still loaded.

    Raises `ModelFileError` for a file that is missing, broken, or something else.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no file {path.name} in {path.parent}")
    return memory.load(path, "checkpoint", lambda file: _load(file, memory, embeddings))


def _load(path: Path, memory: Memory, embeddings: Sequence[Path]) -> Models:
    weights = open_weights(path, allow_pickle=memory.allow_pickle)
    found = detect(weights)
    if found.unet.context != found.clip.width:
        raise ModelFileError(
            f"{path.name} does not fit together: its UNet reads text {found.unet.context} wide, its text encoder writes {found.clip.width}"
        )
    return Models(
        model=make_diffusion(weights, found.unet, found.v_prediction, memory.device, memory.dtype),
        clip=load_clip(
            weights, found.clip, memory.device, embeddings, dtype=memory.text, allow_pickle=memory.allow_pickle
        ),
        vae=make_vae(weights, found.vae, memory.vae_device, memory.vae_dtype),
    )
