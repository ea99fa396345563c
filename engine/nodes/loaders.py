"""Nodes that load models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from engine.models.clip import Clip
    from engine.models.diffusion import DiffusionModel
    from engine.models.memory import Memory
    from engine.models.vae import VAE


def shared_memory(context: NodeContext) -> Memory:
    """The worker's models: what it put under `state["memory"]`, or a new one that is left there."""
    from engine.models.memory import Memory

    found = context.state.get("memory")
    if not isinstance(found, Memory):
        found = context.state["memory"] = Memory()
    return found


@node(
    "CheckpointLoaderSimple",
    display_name="Load Checkpoint",
    category="loaders",
    description="Reads a checkpoint: the diffusion model, the text encoder and the VAE in one file.",
    inputs=[
        Input(
            "ckpt_name",
            lambda folders: folders.list_models("checkpoints"),
            {"tooltip": "Which checkpoint file to read."},
        )
    ],
    outputs=[
        Output("MODEL", tooltip="The network that takes noise out of latents."),
        Output("CLIP", tooltip="The text encoder that reads prompts."),
        Output("VAE", tooltip="Turns pictures into latents, and latents into pictures."),
    ],
)
def checkpoint_loader_simple(ckpt_name: str, context: NodeContext) -> tuple[DiffusionModel, Clip, VAE]:
    from engine.models.loading import load_checkpoint

    path = context.folders.find_model("checkpoints", ckpt_name)
    models = load_checkpoint(path, shared_memory(context), context.folders.roots("embeddings"))
    return models.model, models.clip, models.vae


NODES: tuple[NodeDefinition, ...] = (checkpoint_loader_simple,)
