import json
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.files.pictures import encode_png, read_text, text_chunks


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_prompt_and_workflow_come_back_as_other_readers_see_them(tmp_path: Path) -> None:
    prompt = {"1": {"class_type": "A", "inputs": {"text": "ä 漢"}}}
    data = encode_png(Image.new("RGB", (3, 2)), text_chunks(prompt, {"workflow": {"nodes": []}}))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    found = read_text(path)
    assert json.loads(found["prompt"]) == prompt
    assert list(found) == ["prompt", "workflow"]
    assert Image.open(BytesIO(data)).text == found
    assert b"tEXtprompt\0" in data


def test_without_metadata_there_are_no_chunks() -> None:
    assert read_text(encode_png(Image.new("RGB", (3, 2)))) == {}


def test_compressed_and_international_texts_are_read() -> None:
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"one"))
    body += chunk(b"iTXt", b"b\0\0\0\0\0" + "zwö".encode())
    body += chunk(b"iTXt", b"c\0\1\0\0\0" + zlib.compress(b"three")) + chunk(b"IEND", b"")
    assert read_text(body) == {"a": "one", "b": "zwö", "c": "three"}


def test_a_bomb_is_left_out() -> None:
    bomb = zlib.compress(bytes(40 * 1024 * 1024))
    assert read_text(b"\x89PNG\r\n\x1a\n" + chunk(b"zTXt", b"a\0\0" + bomb)) == {}


@given(st.binary(max_size=200))
def test_garbage_gives_nothing_and_no_error(data: bytes) -> None:
    assert read_text(data) == {}
    assert isinstance(read_text(b"\x89PNG\r\n\x1a\n" + data), dict)
    whole = encode_png(Image.new("RGB", (1, 1)), {"prompt": "{}"})
    assert isinstance(read_text(whole[: len(data)]), dict)


def test_many_small_bombs_are_no_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.files.pictures.MAX_TEXTS", 3000)
    packed = zlib.compress(b"x" * 1000)
    found = read_text(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(b"zTXt", b"k%d\0\0" % n + packed) for n in range(100)))
    assert len(found) == 3
