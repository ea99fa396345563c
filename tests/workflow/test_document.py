"""Whatever file is opened: a workflow, or an error that says what is wrong and what to do."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from comfytui.workflow import document, inputs, order, seeds, summary
from comfytui.workflow.check import check
from comfytui.workflow.errors import WorkflowError

from .graphs import EXAMPLES, OBJECT_INFO, example


def picture(format: str = "PNG", **texts: str) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", (4, 4))
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        for key, text in texts.items():
            info.add_text(key, text, zip=key == "zipped")
        image.save(file, "PNG", pnginfo=info)
    else:
        exif = image.getexif()
        for number, (key, text) in enumerate(texts.items()):
            exif[0x0110 - number] = f"{key}:{text}"
        image.save(file, format, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_every_example_is_read(path: Path) -> None:
    found = document.read(path)
    assert found.name == path.name
    assert found.graph == json.loads(path.read_text())


GRAPH = example("trivial")
UI = {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (GRAPH, "api"),
        ({"prompt": GRAPH, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": UI}}}, "post body"),
        ({"prompt": GRAPH, "workflow": UI}, "post body"),
        ({"prompt": [3, "id", GRAPH, {"extra_pnginfo": {"workflow": UI}}, ["3"]], "outputs": {}}, "history"),
        ({"an-id": {"prompt": [3, "id", GRAPH, {}, ["3"]], "outputs": {}, "status": {}}}, "history"),
        ([3, "id", GRAPH, {}, ["3"]], "queue"),
        ({"prompt": json.dumps(GRAPH)}, "post body"),
    ],
)
def test_every_form_of_a_graph_is_found(data: Any, source: str) -> None:
    found = document.parse(json.dumps(data).encode(), "w.json")
    assert (found.graph, found.source) == (GRAPH, source)
    assert (found.workflow == UI) is ("nodes" in json.dumps(data))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_a_picture_gives_what_made_it(format: str) -> None:
    found = document.parse(picture(format, prompt=json.dumps(GRAPH), workflow=json.dumps(UI)), "p")
    assert (found.graph, found.workflow, found.source) == (GRAPH, UI, "picture")


def test_a_damaged_workflow_text_does_not_hide_the_prompt() -> None:
    found = document.parse(picture(prompt=json.dumps(GRAPH), workflow="{"), "p.png")
    assert (found.graph, found.workflow) == (GRAPH, None)


def test_large_and_foreign_text_in_a_picture_is_read() -> None:
    graph = {"1": {"class_type": "X", "inputs": {"text": "ü猫" * 500_000}}}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("prompt", json.dumps(graph, ensure_ascii=False), zip=True)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    assert document.parse(file.getvalue(), "p.png").graph == graph


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"<html>", "line 1, column 1: not JSON"),
        (json.dumps(GRAPH).encode()[:-40], "incomplete"),
        (b'{"1": {"class_type": "A", "inputs": {}}', "incomplete"),
        (b"{}", "has no nodes"),
        (b"[]", "has no nodes"),
        (b"42", "has no nodes"),
        (b'{"a": 1}', "has no nodes"),
        (b"\xff\x00", "byte 0: not text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"1": {"class_type": "A", "inputs": {"x": ' + b"[" * 200 + b"1" + b"]" * 200 + b"}}}", "nested too deeply"),
        (b'{"1": {"class_type": "A", "inputs": {"cfg": NaN}}}', "node 1, input cfg: nan"),
        (b'{"1": {"class_type": "A", "inputs": {"cfg": -Infinity}}}', "-inf is not a number"),
        (b'{"1": {"class_type": "A", "inputs": {"cfg": 1e999}}}', "inf is not a number"),
        (b'{"1": {"class_type": "A", "inputs": {"seed": ' + b"9" * 5000 + b"}}}", "too large"),
        (b'{"1": {"class_type": "A", "inputs": {"text": "\\ud800"}}}', "half a character"),
        (b'{"1": {"class_type": "A", "inputs": {}}, "note": "hi"}', "node note: is not a node"),
        (b'{"1": {"class_type": 3, "inputs": {}}}', "class_type is not a name"),
        (b'{"1": {"class_type": "A", "inputs": []}}', "inputs is not an object"),
        (b'{"a": {"prompt": [1, "a", {"1": 1}]}, "b": {"prompt": [2]}}', "history of 2 jobs"),
        (picture(parameters="a cat, steps: 20"), "another program"),
        (picture(), "holds no workflow"),
        (picture("WEBP"), "holds no workflow"),
        (b"RIFF....WEBPgarbage", "ends in the middle"),
    ],
)
def test_what_is_wrong_is_said_with_the_name(data: bytes, says: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        document.parse(data, "mine.json")
    assert says in str(caught.value)
    assert caught.value.name == "mine.json"
    assert str(caught.value).startswith("mine.json")


def test_nan_that_old_servers_left_outside_the_inputs_is_no_obstacle() -> None:
    found = document.parse(b'{"1": {"class_type": "A", "inputs": {}, "is_changed": [NaN]}}', "old.json")
    assert found.graph == {"1": {"class_type": "A", "inputs": {}}}


def test_a_text_bomb_in_a_picture_is_refused() -> None:
    body = b"prompt\0\0" + zlib.compress(b"[" * (40 * 1024 * 1024))
    chunk = struct.pack(">I4s", len(body), b"zTXt") + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    with pytest.raises(WorkflowError, match="larger than"):
        document.parse(b"\x89PNG\r\n\x1a\n" + chunk, "bomb.png")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, says in [(tmp_path / "none.json", "no such file"), (tmp_path, "not a file"), ("a\0b", "cannot be read")]:
        with pytest.raises(WorkflowError, match=says):
            document.read(path)


def test_written_files_are_read_again_and_never_replaced_unasked(tmp_path: Path) -> None:
    path = document.write(tmp_path / "new" / "w.json", GRAPH)
    assert document.read(path).graph == GRAPH
    with pytest.raises(WorkflowError, match="exists already"):
        document.write(path, {})
    document.write(path, example(), overwrite=True)
    assert document.read(path).graph == example()
    assert [each.name for each in path.parent.iterdir()] == ["w.json"]
    with pytest.raises(WorkflowError, match="cannot be written"):
        document.write(path / "below" / "w.json", GRAPH)
    with pytest.raises(WorkflowError, match="as JSON"):
        document.write(tmp_path / "nan.json", {"1": {"class_type": "A", "inputs": {"x": float("nan")}}})
    assert not (tmp_path / "nan.json").exists()


def use_everything(found: document.Document) -> None:
    """What the programs do with a document; it must hold for all that `parse` lets through."""
    summary.facts(found.graph, found.name)
    assert sorted(order.expected(found.graph)) == sorted(found.graph)
    order.titles(found.graph)
    for problem in check(found.graph, OBJECT_INFO):
        assert problem.text
        assert problem.fix
    for info in (None, OBJECT_INFO):
        for field in inputs.fields(found.graph, info):
            inputs.check_value(field, "7")
    if seeds.seed_places(found.graph):
        seeds.with_seed(found.graph, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), rolls=st.randoms(use_true_random=False))
def test_mutated_workflows_are_read_or_refused(data: st.DataObject, rolls: random.Random) -> None:
    graph: Any = example(rolls.choice(["txt2img-demo", "img2img-demo", "trivial"]))
    for _ in range(rolls.randint(1, 4)):
        at: Any = graph
        while True:  # go down to a random place and put something else there
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = rolls.choice(keys)
            if isinstance(at[key], (dict, list)) and at[key] and rolls.random() < 0.7:
                at = at[key]
                continue
            at[key] = data.draw(JSON)
            break
    try:
        found = document.parse(json.dumps(graph).encode(), "w.json")
    except WorkflowError as error:
        assert error.problem
        return
    use_everything(found)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 2000), noise=st.binary(max_size=12), at=st.integers(0, 2000))
def test_damaged_bytes_are_read_or_refused(cut: int, noise: bytes, at: int) -> None:
    for whole in (json.dumps(GRAPH).encode(), picture(prompt=json.dumps(GRAPH), zipped="x" * 100)):
        damaged = whole[:at] + noise + whole[at + len(noise) :]
        for data in (whole[:cut], damaged, noise):
            try:
                found = document.parse(data, "w")
            except WorkflowError:
                continue
            use_everything(found)
