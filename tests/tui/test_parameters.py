from __future__ import annotations

from msgspec.structs import replace

from comfytui.tui import parameters
from tests.tui import sample


def test_the_form_of_the_web_ui() -> None:
    assert parameters.as_a1111(sample.finished(1)).split("\n") == [
        "a lighthouse keeper, oil on canvas, (rim light:1.2), storm",
        "Negative prompt: blurry, low quality",
        "Steps: 30, Sampler: dpmpp_2m, Schedule type: karras, CFG scale: 6.5, Seed: 8401, Size: 1024x1024, "
        "Model: sdxl_base_1.0, Loras: film_grain",
    ]


def test_lines_name_every_parameter_and_file() -> None:
    text = parameters.as_lines(sample.finished(1))
    assert "seed: 8401" in text
    assert "images: portrait_v4_00001_.png" in text


def test_only_what_differs_is_told_and_inputs_without_a_name_too() -> None:
    left = sample.finished(1)
    graph = sample.graph(8401)
    graph["9"]["inputs"]["filename_prefix"] = "other"
    right = replace(left, graph=graph, facts=sample.facts(9))
    assert [row[:] for row in parameters.differing(left, right)] == [
        ("seed", "8401", "9"),
        ("SaveImage 9 · filename_prefix", "portrait", "other"),
    ]
    assert parameters.differing(left, left) == ()
