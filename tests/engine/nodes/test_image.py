"""Picture nodes: what they take from files, what they make, and what they write."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.files.folders import Folders
from engine.nodes import image as nodes
from engine.nodes import pixels
from engine.nodes.context import NodeContext
from engine.options import Options

SHARED = Path(__file__).resolve().parents[4] / "shared"
RECORDED = SHARED / "recordings" / "object_info.json"
CASES = SHARED / "parity" / "cases"
# Prose is our own; the rest must be what clients know.
PROSE = {"description", "output_tooltips"}


class Silent:
    def progress(self, node_id: str, value: float, maximum: float, preview: Any = None) -> None: ...
    def text(self, node_id: str, text: str) -> None: ...


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders.from_options(Options(base_directory=str(tmp_path)))
    made.create()
    return made


@pytest.fixture
def context(folders: Folders) -> NodeContext:
    return NodeContext("1", "p", folders, Silent(), threading.Event())


def put(folders: Folders, name: str, picture: Image.Image, **options: Any) -> str:
    picture.save(folders.input / name, **options)
    return name


def load(name: str, context: NodeContext) -> tuple[torch.Tensor, torch.Tensor]:
    result: tuple[torch.Tensor, torch.Tensor] = nodes.load_image.function(name, context)
    return result


def without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_prose(item) for key, item in value.items() if key not in PROSE | {"tooltip"}}
    if isinstance(value, list):
        # A spec whose only option was its tooltip is left with `{}`.
        return [item for item in map(without_prose, value) if item != {}]
    return value


@pytest.mark.skipif(not RECORDED.exists(), reason="needs the recordings")
@pytest.mark.parametrize("definition", nodes.NODES, ids=lambda d: d.name)
def test_clients_see_the_node_they_know(definition: Any, folders: Folders) -> None:
    recorded = json.loads(RECORDED.read_text())[definition.name]
    ours = json.loads(json.dumps(definition.info(folders)))
    for entry in (recorded, ours):
        if "image" in entry["input"]["required"] and definition.name.startswith("LoadImage"):
            entry["input"]["required"]["image"][0] = "files"
    assert without_prose(ours) == without_prose(recorded)
    assert list(ours["input"]["required"]) == list(recorded["input"]["required"])


@pytest.mark.skipif(not CASES.exists(), reason="needs the parity cases")
@pytest.mark.parametrize(
    "name",
    ["invert", "scale-area", "scale-bicubic", "scale-bilinear", "scale-lanczos", "scale-nearest-exact"],
)
def test_same_pixels_as_comfyui(name: str, folders: Folders, context: NodeContext) -> None:
    from safetensors.numpy import load_file

    (folders.input / "parity_in.png").write_bytes((SHARED / "parity" / "parity_in.png").read_bytes())
    known = {definition.name: definition for definition in nodes.NODES}
    graph = json.loads((CASES / f"image-{name}.json").read_text())
    image, _ = load("parity_in.png", context)
    for node in graph.values():
        if node["class_type"] in ("ImageInvert", "ImageScale", "ImageScaleBy"):
            constants = {key: value for key, value in node["inputs"].items() if not isinstance(value, list)}
            (image,) = known[node["class_type"]].function(image, **constants)
    for key, want in load_file(CASES / f"image-{name}.safetensors").items():
        got = pixels.to_bytes(image[int(key.removeprefix("image"))]).astype(np.float32)
        assert got.shape == want.shape
        assert np.abs(got - want.astype(np.float32)).mean() <= 0.01


def test_bytes_are_truncated_and_clipped() -> None:
    row = torch.tensor([[[0.999, 0.5, -1.0], [2.0, 1.0, float("nan")]]])
    assert pixels.to_bytes(row).tolist() == [[[254, 127, 0], [255, 255, 0]]]


def test_saved_picture_carries_prompt_and_workflow(folders: Folders, context: NodeContext) -> None:
    images = torch.rand(2, 5, 7, 3)
    prompt, extra = {"1": {"class_type": "SaveImage", "inputs": {}}}, {"workflow": {"nodes": []}}
    answer = nodes.save_image.function(images, context, "a/%width%x%height%", prompt, extra)
    files = answer["ui"]["images"]
    assert files == [{"filename": f"7x5_{number:05}_.png", "subfolder": "a", "type": "output"} for number in (1, 2)]
    with Image.open(folders.output / "a" / files[1]["filename"]) as written:
        assert np.array_equal(np.asarray(written), pixels.to_bytes(images[1]))
        assert json.loads(written.info["prompt"]) == prompt
        assert json.loads(written.info["workflow"]) == extra["workflow"]


def test_metadata_can_be_left_out(folders: Folders, context: NodeContext) -> None:
    context.metadata = False
    answer = nodes.preview_image.function(torch.rand(1, 4, 4, 3), context, {"1": {}}, {"workflow": {}})
    (saved,) = answer["ui"]["images"]
    assert saved["type"] == "temp"
    with Image.open(folders.temp / saved["filename"]) as written:
        assert not {"prompt", "workflow"} & set(written.info)


def test_prefix_cannot_leave_the_folder(context: NodeContext) -> None:
    with pytest.raises(ValueError, match="leaves its folder"):
        nodes.save_image.function(torch.rand(1, 4, 4, 3), context, "../x")


def test_transparency_becomes_a_mask(folders: Folders, context: NodeContext) -> None:
    picture = Image.new("RGBA", (3, 2), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 255, 0, 51))
    image, mask = load(put(folders, "a.png", picture), context)
    assert image.shape == (1, 2, 3, 3)
    assert mask.shape == (1, 2, 3)
    assert mask[0, 0, 1] == pytest.approx(0.8)
    assert mask.sum() == pytest.approx(0.8)
    assert image[0, 0, 1].tolist() == [0, 1, 0]  # colours below transparency are kept


def test_transparent_palette_becomes_a_mask(folders: Folders, context: NodeContext) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    image, mask = load(put(folders, "p.png", picture, transparency=1), context)
    assert mask[0].tolist() == [[0.0, 1.0]]
    assert (image[0, 0, 0] * 255).round().tolist() == [10, 20, 30]


def test_opaque_picture_has_an_empty_mask(folders: Folders, context: NodeContext) -> None:
    _, mask = load(put(folders, "a.png", Image.new("RGB", (9, 9))), context)
    assert mask.shape == (1, 64, 64)
    assert not mask.any()


def test_sixteen_bits_keep_their_greys(folders: Folders, context: NodeContext) -> None:
    grey = np.array([[0, 32768, 65535]], dtype=np.uint16)
    image, _ = load(put(folders, "g.png", Image.fromarray(grey)), context)
    assert image[0, 0, :, 0].tolist() == pytest.approx([0.0, 32768 / 65535, 1.0])


def test_photograph_is_turned_as_the_camera_says(folders: Folders, context: NodeContext) -> None:
    picture = Image.new("RGB", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6
    image, _ = load(put(folders, "a.jpg", picture, exif=exif), context)
    assert image.shape == (1, 4, 2, 3)


def test_frames_become_a_batch(folders: Folders, context: NodeContext) -> None:
    frames = [Image.new("RGB", (4, 3), (value, 0, 0)) for value in (10, 20, 30)]
    frames[0].save(folders.input / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, mask = load("a.webp", context)
    assert (image[:, 0, 0, 0] * 255).round().tolist() == [10, 20, 30]
    assert len(mask) == 3


@pytest.mark.parametrize(
    ("content", "message"), [(b"no picture at all", "not a picture"), (None, "is not in input"), (b"half", "damaged")]
)
def test_bad_file_is_named(folders: Folders, context: NodeContext, content: bytes | None, message: str) -> None:
    path = folders.input / "bad.png"
    if content == b"half":
        put(folders, "bad.png", Image.effect_noise((64, 64), 80))
        content = path.read_bytes()[:1500]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(pixels.BadPictureError, match=f"bad.png.*{message}"):
        load("bad.png", context)


def test_size_is_bounded(folders: Folders, context: NodeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folders, "big.png", Image.new("RGB", (50, 50)))
    monkeypatch.setattr(pixels, "MAX_PIXELS", 2499)
    with pytest.raises(pixels.BadPictureError, match="too large: 50x50"):
        load("big.png", context)


def test_mask_channels(folders: Folders, context: NodeContext) -> None:
    put(folders, "m.png", Image.new("RGBA", (2, 2), (51, 102, 153, 204)))
    for channel, value in {"red": 0.2, "green": 0.4, "blue": 0.6, "alpha": 0.2}.items():
        (mask,) = nodes.load_image_mask.function("m.png", channel, context)
        assert mask.shape == (1, 2, 2)
        assert mask.mean() == pytest.approx(value)


def test_only_pictures_are_offered(folders: Folders) -> None:
    for name in ("b.png", "a.webp", "note.txt"):
        (folders.input / name).touch()
    assert nodes.load_image.info(folders)["input"]["required"]["image"][0] == ["a.webp", "b.png"]


def test_changed_file_is_noticed(folders: Folders) -> None:
    put(folders, "a.png", Image.new("RGB", (2, 2)))
    assert nodes.load_image.is_changed is not None
    before = nodes.load_image.is_changed("a.png", folders)
    assert nodes.load_image.is_changed("a.png", folders) == before
    put(folders, "a.png", Image.new("RGB", (200, 2)))
    assert nodes.load_image.is_changed("a.png", folders) != before


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(0, 0, (1, 6, 9, 3)), (3, 0, (1, 2, 3, 3)), (0, 12, (1, 12, 18, 3))]
)
def test_zero_keeps_proportions(width: int, height: int, expected: tuple[int, ...]) -> None:
    (scaled,) = nodes.image_scale.function(torch.rand(1, 6, 9, 3), "area", width, height, "disabled")
    assert scaled.shape == expected


def test_center_crop_takes_the_middle() -> None:
    image = torch.arange(6.0).reshape(1, 1, 6, 1).expand(1, 2, 6, 3)
    (scaled,) = nodes.image_scale.function(image, "nearest-exact", 2, 2, "center")
    assert scaled[0, 0, :, 0].tolist() == [2.0, 3.0]


def test_scaling_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves nothing of a picture of 4x4"):
        nodes.image_scale_by.function(torch.rand(1, 4, 4, 3), "area", 0.01)


def test_empty_image_has_the_colour() -> None:
    (image,) = nodes.empty_image.function(2, 3, 4, 0x3366FF)
    assert image.shape == (4, 3, 2, 3)
    assert pixels.to_bytes(image).reshape(-1, 3).tolist() == [[0x33, 0x66, 0xFF]] * 24
