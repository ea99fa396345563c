"""Nodes on batches of latents: joining, dividing anew, and which noise each item gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from engine.models.latent_ops import Item

Latent = dict[str, Any]


def _joined(latents: list[Latent]) -> Latent:
    """One batch of all, at the size of the first one; each keeps the noise it would have had alone."""
    import torch

    from engine.models.latent_ops import fit

    first = latents[0]["samples"]
    for other in latents[1:]:
        if other["samples"].shape[1] != first.shape[1] or other["samples"].ndim != first.ndim:
            raise ValueError(
                f"latents of two families do not go together: {tuple(first.shape)} and {tuple(other['samples'].shape)}"
            )
    samples = torch.cat([fit(latent["samples"], first) for latent in latents])
    index = [i for latent in latents for i in latent.get("batch_index", range(len(latent["samples"])))]
    return {**latents[0], "samples": samples, "batch_index": index}


@node(
    "LatentBatch",
    schema="v3",
    category="latent/batch",
    description="Two latents as one batch, at the size of the first.",
    deprecated=True,
    inputs=[
        Input("samples1", "LATENT"),
        Input("samples2", "LATENT"),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_batch(samples1: Latent, samples2: Latent) -> tuple[Latent]:
    return (_joined([samples1, samples2]),)


@node(
    "BatchLatentsNode",
    display_name="Batch Latents",
    schema="v3",
    category="latent",
    description="Latents as one batch, at the size of the first.",
    inputs=[
        Input(
            "latents",
            "COMFY_AUTOGROW_V3",
            {"template": {"input": {"required": {"latent": ["LATENT", {}]}}, "prefix": "latent", "min": 2, "max": 50}},
        ),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def batch_latents(latents: Mapping[str, Latent]) -> tuple[Latent]:
    return (_joined(list(latents.values())),)


@node(
    "LatentBatchSeedBehavior",
    schema="v3",
    category="latent/advanced",
    description="Whether the items of a batch start from noise of their own or from the same.",
    inputs=[
        Input("samples", "LATENT"),
        Input("seed_behavior", ["random", "fixed"], {"default": "fixed"}),
    ],
    outputs=[
        Output("LATENT"),
    ],
)
def latent_batch_seed_behavior(samples: Latent, seed_behavior: str) -> tuple[Latent]:
    result = {key: value for key, value in samples.items() if key != "batch_index"}
    if seed_behavior == "fixed":
        result["batch_index"] = [samples.get("batch_index", [0])[0]] * len(samples["samples"])
    return (result,)


def _items(latents: list[Latent]) -> Iterator[Item]:
    from engine.models.latent_ops import Item, to_batch

    count = 0
    for latent in latents:
        samples, mask = latent["samples"], latent.get("noise_mask")
        mask = None if mask is None else to_batch(mask.reshape(-1, 1, *mask.shape[-2:]), len(samples))
        index = latent.get("batch_index", range(count, count + len(samples)))
        for i, sample in enumerate(samples):
            yield Item(sample, None if mask is None else mask[i], index[i])
        count += len(samples)


def _batch(items: list[Item]) -> Latent:
    import torch
    import torch.nn.functional as F

    result: Latent = {
        "samples": torch.stack([item.sample for item in items]),
        "batch_index": [item.index for item in items],
    }
    masks = [item.mask for item in items if item.mask is not None]
    if masks:  # an item without one may be changed everywhere
        height, width = (n * 8 for n in items[0].sample.shape[-2:])
        whole = torch.ones(1, height, width)
        sized = [whole if i.mask is None else i.mask for i in items]
        result["noise_mask"] = torch.stack(
            [F.interpolate(m[None].float(), size=(height, width), mode="bilinear")[0] for m in sized]
        )
    return result


@node(
    "RebatchLatents",
    display_name="Rebatch Latents",
    schema="v3",
    category="latent/batch",
    description="Latents of a list in batches of another size.",
    input_is_list=True,
    inputs=[
        Input("latents", "LATENT"),
        Input("batch_size", "INT", {"default": 1, "min": 1, "max": 4096}),
    ],
    outputs=[
        Output("LATENT", is_list=True),
    ],
)
def rebatch_latents(latents: list[Latent], batch_size: list[int]) -> tuple[list[Latent]]:
    from engine.models.latent_ops import rebatch

    return ([_batch(group) for group in rebatch(_items(latents), batch_size[0])],)


NODES: tuple[NodeDefinition, ...] = (
    latent_batch,
    batch_latents,
    latent_batch_seed_behavior,
    rebatch_latents,
)
