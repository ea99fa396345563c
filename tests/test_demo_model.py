"""The model in the package: what it is, and that it draws what it is told."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from tests.support.engine import RunningEngine

MODEL = Path(__file__).parents[1] / "engine" / "data" / "models" / "checkpoints" / "comfytui-demo.safetensors"
PROMPTS = (
    ("ring", "yellow", "purple"),
    ("cross", "black", "green"),
    ("star", "white", "green"),
    ("triangle", "blue", "orange"),
    ("heart", "pink", "black"),
    ("square", "green", "white"),
)


def _header() -> dict[str, dict[str, object]]:
    with MODEL.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, dict[str, object]] = json.loads(file.read(length))
        return header


def test_it_is_small_enough_to_ship() -> None:
    assert MODEL.stat().st_size <= 25_000_000


def test_it_has_the_layout_of_a_stable_diffusion_1_file() -> None:
    header = _header()
    card = header.pop("__metadata__")
    assert "license" in " ".join(card).lower()
    prefixes = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model.")
    assert {p for p in prefixes for k in header if k.startswith(p)} == set(prefixes)
    assert all(k.startswith(prefixes) for k in header)
    assert {v["dtype"] for k, v in header.items() if "position_ids" not in k} == {"F16"}


def test_it_draws_what_it_is_told(engine: RunningEngine) -> None:
    """Colour and background always; shape all but once (docs/demo-model.md has the figures over many prompts)."""
    from demo_model.evaluate import look, picture, workflow

    shapes = 0
    for number, (shape, colour, ground) in enumerate(PROMPTS):
        text = f"a {colour} {shape} on a {ground} background".replace("a orange", "an orange")
        seen = look(picture(engine.url, workflow(text, number, 128, 128, 20, 6.0)))
        assert (seen.colour, seen.ground) == (colour, ground), text
        shapes += seen.shape == shape
    assert shapes >= len(PROMPTS) - 1
