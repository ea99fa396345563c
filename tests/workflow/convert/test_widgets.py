"""The values of widgets: by position and by name, with all that files hold between them."""

from __future__ import annotations

from typing import Any

import pytest

from comfytui.workflow.convert import Converted, to_api

from .pages import INFO, Page


def made(kind: str, values: Any = None, **more: Any) -> Converted:
    return to_api(Page().node(1, kind, values, **more).saved, INFO)


def values(kind: str, given: Any = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = made(kind, given, **more).graph["1"]["inputs"]
    return found


SAMPLER = {"seed": 7, "steps": 20, "cfg": 6.5, "sampler_name": "euler", "denoise": 0.9}


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("Sampler", [7, "randomize", 20, 6.5, "euler", 0.9], SAMPLER),
        ("Sampler", [7, "fixed", 20], {"seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "denoise": 1.0}),
        ("Sampler", [7, True, 20, 6.5, "euler", 0.9], SAMPLER),  # an old control
        ("Sampler", [7, "fixed", 20.0, 6.5, "euler", 0.9, "more", 3], SAMPLER),
        ("Sampler", None, {"seed": 0, "steps": 1, "cfg": 8.0, "sampler_name": "euler", "denoise": 1.0}),
        ("Sampler", {"steps": 20, "seed": 7, "cfg": 6.5, "sampler_name": "euler", "denoise": 0.9}, SAMPLER),
        ("Load", ["b.png", "image"], {"image": "b.png", "scale": 1.0}),
        ("Load", ["b.png", "image", 3.5], {"image": "b.png", "scale": 3.5}),
        ("Load", ["b.png", 3.5], {"image": "b.png", "scale": 3.5}),  # the button was not always saved
        ("Load", ["b.png", None, 3.5], {"image": "b.png", "scale": 3.5}),
        ("Number", [5, "increment"], {"value": 5}),
        ("Pick", ["y", "increment", "/x/", 9], {"choice": "y", "n": 9}),
        ("Resize", ["by", 3.5, "lanczos"], {"how": "by", "how.factor": 3.5, "method": "lanczos"}),
        (
            "Resize",
            ["to", 5, "crop", 2, "lanczos"],
            {"how": "to", "how.width": 5, "how.fit": "crop", "how.fit.edge": 2, "method": "lanczos"},
        ),
        ("Resize", ["to", 5, "none", "area"], {"how": "to", "how.width": 5, "how.fit": "none", "method": "area"}),
        ("Resize", ["match", "area"], {"how": "match", "method": "area"}),
        ("Resize", [], {"how": "by", "how.factor": 2.0, "method": "area"}),
        ("Curved", [[0, 0, 1, 1], "x"], {"curve": {"__type__": "CURVE", "__value__": [0, 0, 1, 1]}, "sizes": "x"}),
        ("Curved", [None, ["a", 2]], {"curve": None, "sizes": {"__value__": ["a", 2]}}),
        ("Forced", [8], {"k": 8}),
        ("Forced", [0.25, 8], {"k": 8}),  # saved when the value could be typed
        ("Encode", [None], {"text": None}),
    ],
)
def test_values_find_their_inputs(kind: str, given: Any, wanted: dict[str, Any]) -> None:
    assert values(kind, given) == wanted


def test_names_are_preferred_to_positions() -> None:
    named = {"seed": 1, "control_after_generate": "fixed", "steps": 2, "cfg": 3.0, "sampler_name": "dpmpp_2m"}
    found = values("Sampler", [9, 9, 9, 9], widgets_values_named=named)
    assert found == {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "dpmpp_2m", "denoise": 1.0}


@pytest.mark.parametrize(
    ("kind", "given", "wanted", "mended"),
    [
        ("Sampler", [7, 20, 6.5, "euler", 0.9], SAMPLER, "without a control"),  # made by a script
        ("Sampler", [7, "x", "randomize", 20, 6.5, "euler", 0.9], SAMPLER, "left out"),
    ],
)
def test_shifted_values_are_mended_and_told(kind: str, given: Any, wanted: dict[str, Any], mended: str) -> None:
    found = made(kind, given)
    assert found.graph["1"]["inputs"] == wanted
    assert mended in found.warnings[0].text


def test_a_value_that_cannot_be_is_told_and_kept() -> None:
    found = made("Empty", ["wide", 8])
    assert found.graph["1"]["inputs"] == {"width": "wide", "height": 8}
    assert [str(each) for each in found.problems] == ["node 1 (Empty): width is 'wide', and not a whole number"]


def test_a_new_choice_is_kept_and_told_and_a_missing_file_is_no_doubt() -> None:
    found = made("Sampler", [7, "fixed", 20, 6.5, "brand_new", 0.9])
    assert found.graph["1"]["inputs"]["sampler_name"] == "brand_new"
    assert "none of its choices" in found.problems[0].text
    assert made("Loader", ["other.safetensors"]).problems == ()


def test_packs_that_save_by_name_keep_what_only_their_scripts_know() -> None:
    given = {"rate": 8, "format": "mp4", "crf": 19, "pix_fmt": "yuv", "videopreview": {"hidden": False}}
    assert values("Packed", given) == {"rate": 8, "format": "mp4", "crf": 19, "pix_fmt": "yuv"}
    # The front end's own previews are no inputs, of nodes that come with ComfyUI.
    assert values("Save", ["x", ""], widgets_values_named={"filename_prefix": "x", "preview": ""}) == {
        "filename_prefix": "x"
    }


def test_a_choice_without_choices_is_left_out() -> None:
    info = {"Load": {"input": {"required": {"image": [[], {"image_upload": True}]}}, "output": ["IMAGE"]}}
    assert to_api(Page().node(1, "Load").saved, info).graph["1"]["inputs"] == {}
    assert to_api(Page().node(1, "Load", ["x.png", "image"]).saved, info).graph["1"]["inputs"] == {"image": "x.png"}


def test_a_converted_widget_is_overwritten_by_its_link_and_comes_back_without() -> None:
    page = (
        Page()
        .node(1, "Number", [42, "fixed"])
        .node(2, "Sampler", [7, "fixed", 20, 6.5, "euler", 1.0], {"seed": (1, 0)}, widgets=("seed",))
    )
    assert to_api(page.saved, INFO).graph["2"]["inputs"]["seed"] == ["1", 0]
    page.nodes[0]["mode"] = 2
    assert to_api(page.saved, INFO).graph["2"]["inputs"]["seed"] == 7
