"""What pictures, films, sounds and tensor files carry is found; what is hostile or damaged in them is told."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.workflow import document, embedded
from comfytui.workflow.embedded.source import MAX_TEXT
from comfytui.workflow.errors import WorkflowError

from ..graphs import example
from . import carriers
from .carriers import BUILDERS, box, chunk, element

GRAPH = example("trivial")
PAGE = {"nodes": [{"id": 1, "type": "KSampler", "widgets_values": ["é猫"]}], "links": [], "version": 0.4}
TEXTS = {"prompt": json.dumps(GRAPH), "workflow": json.dumps(PAGE)}
SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Counted(io.BytesIO):
    """Counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.count = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.count += len(found)
        return found


@pytest.mark.parametrize("kind", BUILDERS)
def test_both_forms_are_found_in_every_kind(kind: str) -> None:
    found = document.parse(BUILDERS[kind](TEXTS), "file")
    assert (found.graph, found.workflow) == (GRAPH, PAGE)
    assert found.source in ("picture", "film", "sound", "scene", "file")


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind not in ("jpeg_comment", "svg", "mp4_comment")])
def test_a_file_with_the_ui_form_alone_is_a_document(kind: str) -> None:
    found = document.parse(BUILDERS[kind]({"workflow": TEXTS["workflow"]}), "file")
    assert (found.graph, found.workflow, found.form) == ({}, PAGE, "ui")


@pytest.mark.parametrize("kind", BUILDERS)
def test_mutated_files_give_an_error_of_ours_or_an_answer(kind: str) -> None:
    whole = BUILDERS[kind](TEXTS)
    rolls = random.Random(kind)
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(rolls.randint(1, 6)):
            at = rolls.randrange(len(data))
            match rolls.randrange(4):
                case 0:
                    data[at] = rolls.randrange(256)
                case 1:
                    data[at : at + 4] = rolls.choice(
                        [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\1\0\0\0"]
                    )
                case 2:
                    del data[at:]
                    data += b"\0"
                case _:
                    data[at:at] = rolls.randbytes(rolls.randint(1, 9))
        _answered(bytes(data))


@pytest.mark.parametrize("kind", BUILDERS)
@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0, 1), noise=st.binary(max_size=40))
def test_cut_files_and_noise_give_an_error_of_ours_or_an_answer(kind: str, cut: float, noise: bytes) -> None:
    whole = BUILDERS[kind](TEXTS)
    at = int(len(whole) * cut)
    _answered(whole[:at])
    _answered(whole[:at] + noise)
    _answered(whole[:12] + noise)


def _answered(data: bytes) -> None:
    try:
        found = document.parse(data, "file")
    except WorkflowError as error:
        assert error.name == "file" and error.problem
        return
    assert found.form in ("api", "ui")


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg", "avif", "mp4", "webm", "flac", "ogg", "mp3", "latent"])
def test_a_truncated_file_is_told_with_the_place(kind: str) -> None:
    whole = BUILDERS[kind](TEXTS)
    text = b"class_type" if b"class_type" in whole else b"prompt"
    with pytest.raises(WorkflowError, match=r"byte \d+.*(ends in the middle|cut off)"):
        document.parse(whole[: whole.index(text) + 5], "cut")


def test_a_prompt_before_the_damage_is_used() -> None:
    whole = carriers.png(TEXTS)
    assert document.parse(whole[: whole.index(b"IDAT")], "cut.png").graph == GRAPH
    bad = chunk(b"zTXt", b"other\0\0" + b"no zlib data")
    assert document.parse(SIGNATURE + bad + whole[8:], "p.png").graph == GRAPH


def test_a_damaged_prompt_leaves_the_workflow() -> None:
    found = document.parse(carriers.png({**TEXTS, "prompt": '{"1": '}), "p.png")
    assert (found.form, found.workflow) == ("ui", PAGE)
    with pytest.raises(WorkflowError, match=r"the text 'prompt', line 1.*incomplete"):
        document.parse(carriers.png({"prompt": '{"1": '}), "p.png")


def test_only_headers_are_read_of_a_long_film(tmp_path: Path) -> None:
    moov = box(b"moov", box(b"udta", carriers.meta(TEXTS)))
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.write(box(b"ftyp", b"isom", bytes(4)))
        file.write(struct.pack(">I4sQ", 1, b"mdat", 16 + (3 << 30)))
        file.seek(3 << 30, 1)  # a hole: 3 GB that take no place
        file.write(moov)
    assert document.read(path).graph == GRAPH
    film = Counted(carriers.webm(TEXTS).replace(bytes(3000), bytes(3000)))
    assert embedded.find(film, len(film.getvalue())) is not None
    assert film.count < len(film.getvalue()) - 2000, "its pictures are stepped over"


def test_bombs_are_refused_within_bounded_memory(tmp_path: Path) -> None:
    """A PNG of 50 MB whose texts unpack to 50 GB."""
    bomb = chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(64 << 20), 9))
    path = tmp_path / "bomb.png"
    with path.open("wb") as file:
        file.write(SIGNATURE)
        for _ in range((50 << 20) // len(bomb)):
            file.write(bomb)
    tracemalloc.start()
    with pytest.raises(WorkflowError, match=r"byte \d+: a compressed text is larger than"):
        document.read(path)  # two of them are unpacked, and then no more
    assert tracemalloc.get_traced_memory()[1] < 4 * MAX_TEXT
    tracemalloc.stop()


def test_many_texts_are_bounded_together() -> None:
    part = chunk(b"zTXt", b"x\0\0" + zlib.compress(b"a" * (20 << 20), 1))
    found = embedded.find(io.BytesIO(SIGNATURE + part * 9), 8 + 9 * len(part))
    assert found is not None and found.damage is not None and "more than 64 MiB" in found.damage.problem


def test_lying_lengths_circles_and_endless_parts_end() -> None:
    ifd = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8)
    files = {
        "directories that point to one another": b"\xff\xd8\xff\xe1"
        + struct.pack(">H", len(ifd) + 8)
        + b"Exif\0\0"
        + ifd
        + b"\xff\xd9",
        "empty chunks": SIGNATURE + chunk(b"tEXt", b"") * 250_000,
        "boxes in boxes": box(b"ftyp", b"isom") + box(b"free") * 250_000,
        "elements": b"\x1a\x45\xdf\xa3\x80" + element(0x18538067, b"\xec\x80" * 250_000),
        "a box of no size": box(b"ftyp", b"isom") + struct.pack(">I4s", 3, b"moov"),
        "a header of 16 EB": b"\xff" * 8 + b'{"a"',
        "tags in tags": b"\x1a\x45\xdf\xa3\x80" + element(0x18538067, _nested(40)),
        "a segment of no length": b"\xff\xd8\xff\xe1\0\0",
        "entities": carriers.svg(TEXTS).replace(b"<svg", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><svg', 1),
        "deep XML": b"<svg>" + b"<prompt>" * 300_000,
    }
    for what, data in files.items():
        with pytest.raises(WorkflowError) as caught:
            document.parse(data, what)
        assert caught.value.name == what


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = element(0x67C8, inner)
    return element(0x1254C367, element(0x7373, inner))


A1111 = """a castle, (red:1.2)
on a hill
Negative prompt: blurry
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x768, Model: base, Lora hashes: "grain: 12ab, x: 3", Version: v1.9"""


@pytest.mark.parametrize(
    "data",
    [
        carriers.png({"parameters": A1111}),
        carriers.with_exif("JPEG", {"parameters": A1111}),
    ],
)
def test_parameters_of_another_program_are_told_as_such(data: bytes) -> None:
    with pytest.raises(document.NotAWorkflowError, match="another program, and no workflow") as caught:
        document.parse(data, "a.png")
    told = caught.value.parameters
    assert (told.positive, told.negative) == ("a castle, (red:1.2)\non a hill", "blurry")
    assert (told.settings["Steps"], told.settings["Seed"], told.settings["Sampler"]) == ("20", "42", "Euler a")
    assert told.settings["Lora hashes"] == "grain: 12ab, x: 3"
    assert caught.value.name == "a.png"
    facts = embedded.as_facts(told)
    assert (facts.seed, facts.steps, facts.cfg, facts.width, facts.height) == (42, 20, 7.0, 512, 768)


def test_a_user_comment_in_utf16_is_read() -> None:
    from PIL import Image

    for encoded in (
        b"UNICODE\0" + A1111.encode("utf-16-be"),
        b"UNICODE\0" + A1111.encode("utf-16-le"),
        b"ASCII\0\0\0" + A1111.encode(),
    ):
        exif = Image.new("RGB", (4, 4)).getexif()
        exif.get_ifd(0x8769)[0x9286] = encoded
        file = io.BytesIO()
        Image.new("RGB", (4, 4)).save(file, "JPEG", exif=exif)
        with pytest.raises(document.NotAWorkflowError) as caught:
            document.parse(file.getvalue(), "a.jpg")
        assert caught.value.parameters.settings["Seed"] == "42"


def test_both_a_workflow_and_parameters_are_kept() -> None:
    found = document.parse(carriers.png({**TEXTS, "parameters": A1111}), "p.png")
    assert found.graph == GRAPH and found.parameters is not None and found.parameters.negative == "blurry"


def test_objects_of_other_programs_are_parameters_too() -> None:
    swarm = {"sui_image_params": {"prompt": "a cat", "negativeprompt": "dog", "seed": 7, "model": "m"}}
    told = embedded.parameters(json.dumps(swarm))
    assert told is not None
    assert (told.positive, told.negative, told.settings) == ("a cat", "dog", {"seed": "7", "model": "m"})
    assert embedded.parameters(TEXTS["prompt"]) is None and embedded.parameters("a cat") is None


@given(st.text(max_size=300) | st.text(alphabet='Steps:, "\nNegative prompt', max_size=300))
def test_any_text_of_another_program_is_read(text: str) -> None:
    for each in (text, f"x\nSteps: 20, {text}", f"x\nSteps: 20, Size: {text}, Seed: {text}"):
        found = embedded.parameters(each)
        assert found is None or embedded.as_facts(found)


def test_all_texts_can_be_had_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(carriers.png({"Software": "X", **TEXTS}))
    found = document.embedded_in(path)
    assert found is not None and found.kind == "png" and found.texts["software"] == "X"
    path.write_text("{}")
    assert document.embedded_in(path) is None
