"""Nodes that make hooks, put them together, and say how strong they are along the way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.files.folders import Folders
from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node

if TYPE_CHECKING:
    from engine.models.hooks import Easing, HookGroup, Keyframe, Kind

log = logging.getLogger(__name__)

Keyframes = tuple["Keyframe", ...]


def _loras(folders: Folders) -> list[str]:
    return folders.list_models("loras")


def _checkpoints(folders: Folders) -> list[str]:
    return folders.list_models("checkpoints")


def _made(
    kind: Kind, folder: str, name: str, model: float, clip: float, before: HookGroup | None, context: NodeContext
) -> HookGroup:
    from engine.models.hooks import Hook, HookGroup, combined

    context.folders.find_model(folder, name)  # a name that is no file's is told here, not in the middle of a run
    if model == 0 and clip == 0:
        return before or HookGroup()
    return combined((before, HookGroup((Hook(kind, name, model, clip),)))) or HookGroup()


@node(
    "CreateHookLora",
    display_name="Create Hook LoRA",
    category="advanced/hooks/create",
    description="A LoRA for the prompts that get this hook, and not for others.",
    experimental=True,
    inputs=[
        Input("lora_name", _loras),
        Input("strength_model", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("strength_clip", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("prev_hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def create_hook_lora(
    lora_name: str,
    strength_model: float,
    strength_clip: float,
    prev_hooks: HookGroup | None = None,
    *,
    context: NodeContext,
) -> tuple[HookGroup]:
    return (_made("lora", "loras", lora_name, strength_model, strength_clip, prev_hooks, context),)


@node(
    "CreateHookLoraModelOnly",
    display_name="Create Hook LoRA (MO)",
    category="advanced/hooks/create",
    description="A LoRA for the prompts that get this hook; the text encoder stays as it is.",
    experimental=True,
    inputs=[
        Input("lora_name", _loras),
        Input("strength_model", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("prev_hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def create_hook_lora_model_only(
    lora_name: str, strength_model: float, prev_hooks: HookGroup | None = None, *, context: NodeContext
) -> tuple[HookGroup]:
    return (_made("lora", "loras", lora_name, strength_model, 0.0, prev_hooks, context),)


@node(
    "CreateHookModelAsLora",
    display_name="Create Hook Model as LoRA",
    category="advanced/hooks/create",
    description="Another checkpoint's weights for the prompts that get this hook.",
    experimental=True,
    inputs=[
        Input("ckpt_name", _checkpoints),
        Input("strength_model", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("strength_clip", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("prev_hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def create_hook_model_as_lora(
    ckpt_name: str,
    strength_model: float,
    strength_clip: float,
    prev_hooks: HookGroup | None = None,
    *,
    context: NodeContext,
) -> tuple[HookGroup]:
    return (_made("model", "checkpoints", ckpt_name, strength_model, strength_clip, prev_hooks, context),)


@node(
    "CreateHookModelAsLoraModelOnly",
    display_name="Create Hook Model as LoRA (MO)",
    category="advanced/hooks/create",
    description="Another checkpoint's weights for the prompts that get this hook, without its text encoder.",
    experimental=True,
    inputs=[
        Input("ckpt_name", _checkpoints),
        Input("strength_model", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("prev_hooks", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def create_hook_model_as_lora_model_only(
    ckpt_name: str, strength_model: float, prev_hooks: HookGroup | None = None, *, context: NodeContext
) -> tuple[HookGroup]:
    return (_made("model", "checkpoints", ckpt_name, strength_model, 0.0, prev_hooks, context),)


def _combined(*groups: HookGroup | None) -> tuple[HookGroup | None]:
    from engine.models.hooks import combined

    return (combined(groups),)


@node(
    "CombineHooks2",
    display_name="Combine Hooks [2]",
    category="advanced/hooks/combine",
    description="Two groups of hooks as one.",
    experimental=True,
    inputs=[
        Input("hooks_A", "HOOKS", optional=True),
        Input("hooks_B", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def combine_hooks_2(
    hooks_A: HookGroup | None = None,
    hooks_B: HookGroup | None = None,
) -> tuple[HookGroup | None]:
    return _combined(hooks_A, hooks_B)


@node(
    "CombineHooks4",
    display_name="Combine Hooks [4]",
    category="advanced/hooks/combine",
    description="Up to four groups of hooks as one.",
    experimental=True,
    inputs=[
        Input("hooks_A", "HOOKS", optional=True),
        Input("hooks_B", "HOOKS", optional=True),
        Input("hooks_C", "HOOKS", optional=True),
        Input("hooks_D", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def combine_hooks_4(
    hooks_A: HookGroup | None = None,
    hooks_B: HookGroup | None = None,
    hooks_C: HookGroup | None = None,
    hooks_D: HookGroup | None = None,
) -> tuple[HookGroup | None]:
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D)


@node(
    "CombineHooks8",
    display_name="Combine Hooks [8]",
    category="advanced/hooks/combine",
    description="Up to eight groups of hooks as one.",
    experimental=True,
    inputs=[
        Input("hooks_A", "HOOKS", optional=True),
        Input("hooks_B", "HOOKS", optional=True),
        Input("hooks_C", "HOOKS", optional=True),
        Input("hooks_D", "HOOKS", optional=True),
        Input("hooks_E", "HOOKS", optional=True),
        Input("hooks_F", "HOOKS", optional=True),
        Input("hooks_G", "HOOKS", optional=True),
        Input("hooks_H", "HOOKS", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def combine_hooks_8(
    hooks_A: HookGroup | None = None,
    hooks_B: HookGroup | None = None,
    hooks_C: HookGroup | None = None,
    hooks_D: HookGroup | None = None,
    hooks_E: HookGroup | None = None,
    hooks_F: HookGroup | None = None,
    hooks_G: HookGroup | None = None,
    hooks_H: HookGroup | None = None,
) -> tuple[HookGroup | None]:
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D, hooks_E, hooks_F, hooks_G, hooks_H)


def _joined(before: Keyframes | None, new: list[Keyframe], told: bool = False) -> tuple[Keyframes]:
    from engine.models.hooks import in_order

    for keyframe in new if told else ():
        log.info("hook keyframe at %.3f: strength %.4f", keyframe.start, keyframe.strength)
    return (in_order([*(before or ()), *new]),)


@node(
    "CreateHookKeyframe",
    display_name="Create Hook Keyframe",
    category="advanced/hooks/scheduling",
    description="How strong hooks are from a part of the run on.",
    experimental=True,
    inputs=[
        Input("strength_mult", "FLOAT", {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.01}),
        Input("start_percent", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("prev_hook_kf", "HOOK_KEYFRAMES", optional=True),
    ],
    outputs=[
        Output("HOOK_KEYFRAMES", "HOOK_KF"),
    ],
)
def create_hook_keyframe(
    strength_mult: float, start_percent: float, prev_hook_kf: Keyframes | None = None
) -> tuple[Keyframes]:
    from engine.models.hooks import Keyframe

    return _joined(prev_hook_kf, [Keyframe(strength_mult, start_percent)])


@node(
    "CreateHookKeyframesFromFloats",
    display_name="Create Hook Keyframes From Floats",
    category="advanced/hooks/scheduling",
    description="How strong hooks are, from a list of numbers spread over a part of the run.",
    experimental=True,
    inputs=[
        Input("floats_strength", "FLOATS", {"default": -1, "min": -1, "step": 0.001, "forceInput": True}),
        Input("start_percent", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("end_percent", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("print_keyframes", "BOOLEAN", {"default": False}),
        Input("prev_hook_kf", "HOOK_KEYFRAMES", optional=True),
    ],
    outputs=[
        Output("HOOK_KEYFRAMES", "HOOK_KF"),
    ],
)
def create_hook_keyframes_from_floats(
    floats_strength: list[float] | float,
    start_percent: float,
    end_percent: float,
    print_keyframes: bool,
    prev_hook_kf: Keyframes | None = None,
) -> tuple[Keyframes]:
    from engine.models.hooks import spread

    strengths = [floats_strength] if isinstance(floats_strength, int | float) else list(floats_strength)
    return _joined(prev_hook_kf, spread(strengths, start_percent, end_percent), print_keyframes)


@node(
    "CreateHookKeyframesInterpolated",
    display_name="Create Hook Keyframes Interp.",
    category="advanced/hooks/scheduling",
    description="How strong hooks are, from one strength to another over a part of the run.",
    experimental=True,
    inputs=[
        Input("strength_start", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.001}),
        Input("strength_end", "FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.001}),
        Input("interpolation", ["linear", "ease_in", "ease_out", "ease_in_out"]),
        Input("start_percent", "FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("end_percent", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.001}),
        Input("keyframes_count", "INT", {"default": 5, "min": 2, "max": 100, "step": 1}),
        Input("print_keyframes", "BOOLEAN", {"default": False}),
        Input("prev_hook_kf", "HOOK_KEYFRAMES", optional=True),
    ],
    outputs=[
        Output("HOOK_KEYFRAMES", "HOOK_KF"),
    ],
)
def create_hook_keyframes_interpolated(
    strength_start: float,
    strength_end: float,
    interpolation: Easing,
    start_percent: float,
    end_percent: float,
    keyframes_count: int,
    print_keyframes: bool,
    prev_hook_kf: Keyframes | None = None,
) -> tuple[Keyframes]:
    from engine.models.hooks import eased, spread

    strengths = eased(strength_start, strength_end, interpolation, keyframes_count)
    return _joined(prev_hook_kf, spread(strengths, start_percent, end_percent), print_keyframes)


@node(
    "SetHookKeyframes",
    display_name="Set Hook Keyframes",
    category="advanced/hooks/scheduling",
    description="Gives hooks their strengths along the way.",
    experimental=True,
    inputs=[
        Input("hooks", "HOOKS"),
        Input("hook_kf", "HOOK_KEYFRAMES", optional=True),
    ],
    outputs=[
        Output("HOOKS"),
    ],
)
def set_hook_keyframes(hooks: HookGroup, hook_kf: Keyframes | None = None) -> tuple[HookGroup]:
    return (hooks if hook_kf is None else hooks.with_keyframes(hook_kf),)


NODES: tuple[NodeDefinition, ...] = (
    create_hook_lora,
    create_hook_lora_model_only,
    create_hook_model_as_lora,
    create_hook_model_as_lora_model_only,
    combine_hooks_2,
    combine_hooks_4,
    combine_hooks_8,
    create_hook_keyframe,
    create_hook_keyframes_from_floats,
    create_hook_keyframes_interpolated,
    set_hook_keyframes,
)
