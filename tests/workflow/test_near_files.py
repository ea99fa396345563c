"""Near files: the same elsewhere first, then another precision of the same model, then names that are alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.near_files import ALIKE, ELSEWHERE, PRECISION, model_of, near_files


def test_the_best_comes_first() -> None:
    there = [
        "flux1-schnell-fp8.safetensors",
        "flux1-dev-Q4_K_M.gguf",
        "flux1-dev-fp8.safetensors",
        "flux/flux1-dev.safetensors",
        "t5xxl.safetensors",
    ]
    found = near_files("flux1-dev.safetensors", there)
    assert [(each.name, each.how) for each in found] == [
        ("flux/flux1-dev.safetensors", ELSEWHERE),
        ("flux1-dev-fp8.safetensors", PRECISION),
        ("flux1-dev-Q4_K_M.gguf", PRECISION),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("t5xxl_fp16.safetensors", "t5xxl_fp8_e4m3fn.safetensors"),
        ("t5xxl_fp16.safetensors", "text/T5XXL-fp8_e4m3fn_scaled.safetensors"),
        ("wan2.2_t2v_high_noise_14B_fp16.safetensors", "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors"),
        ("flux1-dev.safetensors", "flux1-dev-Q8_0.gguf"),
        ("qwen_image_bf16.safetensors", "qwen-image-Q5_K_S.gguf"),
        ("model.fp16.safetensors", "model.safetensors"),
    ],
)
def test_the_same_model_in_another_precision(one: str, other: str) -> None:
    assert model_of(one) == model_of(other)
    (found,) = near_files(one, [other, "unrelated_xyz.safetensors"], count=1)
    assert (found.name, found.how) == (other, PRECISION)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wan2.2_t2v_high_noise_14B_fp16.safetensors", "wan2.2_t2v_low_noise_14B_fp16.safetensors"),
        ("sd_xl_base_1.0.safetensors", "sd_xl_refiner_1.0.safetensors"),
        ("model_v1.safetensors", "model_v2.safetensors"),
        ("qwen2.safetensors", "qwen3.safetensors"),
    ],
)
def test_other_models_are_only_alike(one: str, other: str) -> None:
    assert model_of(one) != model_of(other)
    assert [each.how for each in near_files(one, [other])] == [ALIKE]


PARTS = st.sampled_from(["flux1", "dev", "wan2.2", "14B", "lora", "v2"])
STORED = st.sampled_from(
    ["fp16", "bf16", "fp8_e4m3fn", "fp8_e5m2_scaled", "Q4_K_M", "Q8_0", "IQ3_XXS", "int8", "nf4", "fp32"]
)


@given(st.lists(PARTS, min_size=1, max_size=4), STORED, STORED, st.sampled_from("-_."), st.booleans())
def test_any_precision_of_any_model_is_found(parts: list[str], one: str, other: str, gap: str, folder: bool) -> None:
    wanted = f"{gap.join(parts)}{gap}{one}.safetensors"
    there = f"{'x/' if folder else ''}{gap.join(parts)}{gap}{other}.gguf"
    assert [each.name for each in near_files(wanted, ["zzz.ckpt", there], count=1)] == [there]


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=8))
def test_any_names_give_an_answer_without_the_wanted_one(wanted: str, there: list[str]) -> None:
    found = near_files(wanted, there)
    names = [each.name for each in found]
    assert len(found) <= 3 and wanted not in names and set(names) <= set(there) and len(set(names)) == len(names)
