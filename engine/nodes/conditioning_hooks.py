"""Nodes that set properties of conditioning, alone or as a pair, and hooks with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.nodes.conditioning import Conditioning, with_options
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.hooks import HookGroup

Pair = tuple[Conditioning, Conditioning]
Range = tuple[float, float]  # shares of the run, 0…1


def _require(option: str, what: str) -> None:
    """Refuse what sampling would not act on: a picture that silently lacks it misleads more than an error."""
    from engine.sampling import guidance

    if option not in getattr(guidance, "CONSUMED", frozenset()):
        raise NotImplementedError(f"{what} not possible in this version of the engine yet: take that node out")


def _hooked(conditioning: Conditioning, hooks: HookGroup | None) -> Conditioning:
    """Hooks of pieces that have some already are added to, not replaced."""
    if hooks is None:
        return conditioning
    from engine.models.hooks import combined

    _require("hooks", "hooks on conditioning are")
    return [[tensor, {**options, "hooks": combined((options.get("hooks"), hooks))}] for tensor, options in conditioning]


def _with_properties(
    conditioning: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Tensor | None,
    hooks: HookGroup | None,
    timesteps: Range | None,
) -> Conditioning:
    """The strength is the mask's; without a mask it means nothing, as in ComfyUI."""
    options: dict[str, Any] = {}
    if mask is not None:
        options["mask"] = mask[None] if mask.ndim < 3 else mask
        options |= {"set_area_to_bounds": set_cond_area != "default", "mask_strength": strength}
    if timesteps is not None:
        options["start_percent"], options["end_percent"] = timesteps
    return with_options(_hooked(conditioning, hooks), options)


def _default(conditioning: Conditioning, hooks: HookGroup | None) -> Conditioning:
    _require("default", "default conditioning, which fills what others leave free, is")
    return with_options(_hooked(conditioning, hooks), {"default": True})


@node(
    "ConditioningTimestepsRange",
    display_name="Timesteps Range",
    category="advanced/hooks",
    description="A part of the run, and what lies before and after it.",
    experimental=True,
    inputs=[
        Input("start_percent", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("end_percent", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.001}),
    ],
    outputs=[
        Output("TIMESTEPS_RANGE"),
        Output("TIMESTEPS_RANGE", "BEFORE_RANGE"),
        Output("TIMESTEPS_RANGE", "AFTER_RANGE"),
    ],
)
def timesteps_range(start_percent: float, end_percent: float) -> tuple[Range, Range, Range]:
    return (start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0)


@node(
    "ConditioningSetProperties",
    display_name="Cond Set Props",
    category="advanced/hooks/cond single",
    description="Sets mask, hooks and part of the run of a prompt at once.",
    experimental=True,
    inputs=[
        Input("cond_NEW", "CONDITIONING"),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
        Input("set_cond_area", ["default", "mask bounds"]),
        Input("mask", "MASK", optional=True),
        Input("hooks", "HOOKS", optional=True),
        Input("timesteps", "TIMESTEPS_RANGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_properties(
    cond_NEW: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps: Range | None = None,
) -> tuple[Conditioning]:
    return (_with_properties(cond_NEW, strength, set_cond_area, mask, hooks, timesteps),)


@node(
    "ConditioningSetPropertiesAndCombine",
    display_name="Cond Set Props Combine",
    category="advanced/hooks/cond single",
    description="Sets mask, hooks and part of the run of a prompt and adds it to another.",
    experimental=True,
    inputs=[
        Input("cond", "CONDITIONING"),
        Input("cond_NEW", "CONDITIONING"),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
        Input("set_cond_area", ["default", "mask bounds"]),
        Input("mask", "MASK", optional=True),
        Input("hooks", "HOOKS", optional=True),
        Input("timesteps", "TIMESTEPS_RANGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_properties_and_combine(
    cond: Conditioning,
    cond_NEW: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps: Range | None = None,
) -> tuple[Conditioning]:
    return (cond + _with_properties(cond_NEW, strength, set_cond_area, mask, hooks, timesteps),)


@node(
    "ConditioningSetDefaultCombine",
    display_name="Cond Set Default Combine",
    category="advanced/hooks/cond single",
    description="Adds a prompt that counts only where no other does.",
    experimental=True,
    inputs=[
        Input("cond", "CONDITIONING"),
        Input("cond_DEFAULT", "CONDITIONING"),
        Input("hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("CONDITIONING"),
    ],
)
def set_default_combine(
    cond: Conditioning,
    cond_DEFAULT: Conditioning,
    hooks: HookGroup | None = None,
) -> tuple[Conditioning]:
    return (cond + _default(cond_DEFAULT, hooks),)


@node(
    "PairConditioningCombine",
    display_name="Cond Pair Combine",
    category="advanced/hooks/cond pair",
    description="Adds a positive and a negative prompt to another pair.",
    experimental=True,
    inputs=[
        Input("positive_A", "CONDITIONING"),
        Input("negative_A", "CONDITIONING"),
        Input("positive_B", "CONDITIONING"),
        Input("negative_B", "CONDITIONING"),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def pair_combine(
    positive_A: Conditioning,
    negative_A: Conditioning,
    positive_B: Conditioning,
    negative_B: Conditioning,
) -> Pair:
    return positive_A + positive_B, negative_A + negative_B


@node(
    "PairConditioningSetProperties",
    display_name="Cond Pair Set Props",
    category="advanced/hooks/cond pair",
    description="Sets mask, hooks and part of the run of a pair of prompts at once.",
    experimental=True,
    inputs=[
        Input("positive_NEW", "CONDITIONING"),
        Input("negative_NEW", "CONDITIONING"),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
        Input("set_cond_area", ["default", "mask bounds"]),
        Input("mask", "MASK", optional=True),
        Input("hooks", "HOOKS", optional=True),
        Input("timesteps", "TIMESTEPS_RANGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def pair_set_properties(
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps: Range | None = None,
) -> Pair:
    positive, negative = (
        _with_properties(side, strength, set_cond_area, mask, hooks, timesteps) for side in (positive_NEW, negative_NEW)
    )
    return positive, negative


@node(
    "PairConditioningSetPropertiesAndCombine",
    display_name="Cond Pair Set Props Combine",
    category="advanced/hooks/cond pair",
    description="Sets mask, hooks and part of the run of a pair and adds it to another.",
    experimental=True,
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("positive_NEW", "CONDITIONING"),
        Input("negative_NEW", "CONDITIONING"),
        Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
        Input("set_cond_area", ["default", "mask bounds"]),
        Input("mask", "MASK", optional=True),
        Input("hooks", "HOOKS", optional=True),
        Input("timesteps", "TIMESTEPS_RANGE", optional=True),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def pair_set_properties_and_combine(
    positive: Conditioning,
    negative: Conditioning,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps: Range | None = None,
) -> Pair:
    more = [
        _with_properties(side, strength, set_cond_area, mask, hooks, timesteps) for side in (positive_NEW, negative_NEW)
    ]
    return positive + more[0], negative + more[1]


@node(
    "PairConditioningSetDefaultCombine",
    display_name="Cond Pair Set Default Combine",
    category="advanced/hooks/cond pair",
    description="Adds a pair of prompts that counts only where no other does.",
    experimental=True,
    inputs=[
        Input("positive", "CONDITIONING"),
        Input("negative", "CONDITIONING"),
        Input("positive_DEFAULT", "CONDITIONING"),
        Input("negative_DEFAULT", "CONDITIONING"),
        Input("hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("CONDITIONING", "positive"),
        Output("CONDITIONING", "negative"),
    ],
)
def pair_set_default_combine(
    positive: Conditioning,
    negative: Conditioning,
    positive_DEFAULT: Conditioning,
    negative_DEFAULT: Conditioning,
    hooks: HookGroup | None = None,
) -> Pair:
    return positive + _default(positive_DEFAULT, hooks), negative + _default(negative_DEFAULT, hooks)


@node(
    "SetClipHooks",
    display_name="Set CLIP Hooks",
    category="advanced/hooks/clip",
    description="Hooks that the text encoder reads prompts with.",
    experimental=True,
    inputs=[
        Input("clip", "CLIP"),
        Input("apply_to_conds", "BOOLEAN", {"default": True}),
        Input("schedule_clip", "BOOLEAN", {"default": False}),
        Input("hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("CLIP"),
    ],
)
def set_clip_hooks(clip: Any, apply_to_conds: bool, schedule_clip: bool, hooks: HookGroup | None = None) -> tuple[Any]:
    if hooks is None:
        return (clip,)
    _require("hooks", "hooks on a text encoder are")
    return (clip.with_hooks(hooks, apply_to_conds=apply_to_conds, schedule=schedule_clip),)


NODES: tuple[NodeDefinition, ...] = (
    timesteps_range,
    set_properties,
    set_properties_and_combine,
    set_default_combine,
    pair_combine,
    pair_set_properties,
    pair_set_properties_and_combine,
    pair_set_default_combine,
    set_clip_hooks,
)
