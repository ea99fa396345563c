from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.carried import InputFile, input_files, with_values

INFO = {
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}], "note": ["STRING", {}]}}},
    "Loader": {"input": {"required": {"model": [["m.safetensors"]]}}},
}


def graph(value: object) -> dict[str, object]:
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": value, "note": "b.png"}},
        "2": {"class_type": "Loader", "inputs": {"model": "m.safetensors"}},
    }


def test_only_what_is_uploaded_is_carried() -> None:
    assert list(input_files(graph("a.png"), INFO)) == [InputFile("1", "image", "a.png", "", "input")]
    assert list(input_files(graph("clipspace/b 1.png [temp]"), INFO)) == [
        InputFile("1", "image", "b 1.png", "clipspace", "temp")
    ]
    assert not list(input_files(graph(["9", 0]), INFO))
    assert not list(input_files(graph(""), INFO))
    assert not list(input_files(graph("a.png"), {}))


@given(st.text(min_size=1))
def test_any_value_names_a_file_of_one_folder(value: str) -> None:
    (found,) = input_files(graph(value), INFO)
    assert "/" not in found.filename
    assert found.type in ("input", "output", "temp")


def test_the_graph_itself_stays_as_it_is() -> None:
    before = graph("a.png")
    after = with_values(before, {("1", "image"): "a (1).png"})
    assert after["1"]["inputs"] == {"image": "a (1).png", "note": "b.png"}
    assert before == graph("a.png")
