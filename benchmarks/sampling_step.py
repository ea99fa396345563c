"""What one sampling step costs beyond the UNet calls it needs: sampler, guidance, progress, previews.

The baseline is the bare diffusers network, called as often, on the same batch of both guidance sides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result, interleaved

MODEL = Path(__file__).parents[1] / "engine" / "data" / "models" / "checkpoints" / "comfytui-demo.safetensors"
STEPS = 20


def run() -> Iterator[Result]:
    import torch

    from engine.models.latents import preview
    from engine.models.loading import load_checkpoint
    from engine.models.memory import Memory
    from engine.sampling.run import Settings, sample

    models = load_checkpoint(MODEL, Memory(), [])
    model = models.model
    encoded = [models.clip.encode(text) for text in ("a red circle on a blue background", "")]
    sides = [[[states, {"pooled_output": pooled}]] for states, pooled in encoded]
    for side in (16, 64):
        latent = torch.zeros(1, 4, side, side)
        x, context, t = (
            torch.randn(2, 4, side, side),
            torch.cat([states for states, _ in encoded]),
            torch.tensor([500.0, 500.0]),
        )

        def bare(x: torch.Tensor = x, context: torch.Tensor = context, t: torch.Tensor = t) -> float:
            start = time.perf_counter()
            with torch.inference_mode():
                for _ in range(STEPS):
                    model.network(x, t, context, return_dict=False)
            return (time.perf_counter() - start) / STEPS

        def whole(latent: torch.Tensor = latent) -> float:
            shown = [0.0]

            def on_step(step: int, total: int, denoised: torch.Tensor) -> None:
                if time.perf_counter() - shown[0] > 1 / 8:  # as often as the executor asks for one
                    shown[0] = time.perf_counter()
                    preview(denoised, model.latent_format)

            start = time.perf_counter()
            sample(model, sides[0], sides[1], latent, Settings(1, STEPS, 6.0, "euler", "normal", 1.0), on_step=on_step)
            return (time.perf_counter() - start) / STEPS

        bare()
        mine, least = interleaved(5, whole, bare)
        name = f"one sampling step, {side * 8}x{side * 8}, with previews"
        yield Result(name, mine * 1e3, "ms", least * 1e3, "the bare UNet calls", "at most 1.1")
