"""Model files from anywhere: what is read of them, and what is refused with which words."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from engine.models.checkpoint import MAX_HEADER, ModelFileError, open_weights
from engine.models.loading import load_checkpoint
from engine.models.memory import Memory, memory_for
from engine.options import parse


def file_of(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(start: int, end: int, dtype: str = "F32", shape: tuple[Any, ...] = (2,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, "a and b lie over each other"),
        ({"a": entry(0, 12)}, "a should have 8 bytes and has 12"),
        ({"a": entry(8, 0)}, "a should have 8 bytes"),
        ({"a": entry(0, 8, "F16")}, "a should have 4 bytes"),
        ({"a": entry(0, 8, "PICKLE")}, "does not parse"),
        ({"a": entry(0, 8, shape=(-2,))}, "does not parse"),
        ({"a": entry(0, 8, shape=(2.0,))}, "does not parse"),
        ({"a": entry(0, 8, shape=(True,))}, "does not parse"),
        ({"a": entry(0, 8, shape=(1 << 40, 1 << 40))}, "a should have"),
        ({"a": entry(1 << 70, (1 << 70) + 8)}, "does not parse"),
        ({"a": entry(96, 104)}, "cut short"),
        ({"a": {"dtype": "F32", "shape": [2]}}, "does not parse"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]}}, "does not parse"),
        ({"a": 3}, "does not parse"),
        (b"{" + b"[" * 100_000, "does not parse"),
        (b'{"a": NaN}', "does not parse"),
        (b"{\xff}", "does not parse"),
        ({str(number): entry(0, 0, shape=(0,)) for number in range(100_001)}, "100000 are the limit"),
    ],
    ids=range(18),
)
def test_headers_that_lie(tmp_path: Path, header: Any, words: str) -> None:
    path = file_of(tmp_path / "bad.safetensors", header, b"\0" * 64)
    with pytest.raises(ModelFileError, match=words) as problem:
        open_weights(path)
    assert "bad.safetensors" in str(problem.value)


def test_a_header_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes((MAX_HEADER + 1).to_bytes(8, "little") + b"{")
    os.truncate(path, 1 << 34)  # sparse: sixteen gigabytes that take no room
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        open_weights(path)


def test_metadata_is_text_and_nothing_else(tmp_path: Path) -> None:
    said = {"__metadata__": {"author": "me", "code": {"__reduce__": "os.system"}, "n": 3}, "a": entry(0, 8)}
    assert open_weights(file_of(tmp_path / "a.safetensors", said, b"\0" * 8)).metadata == {"author": "me"}
    none = {"__metadata__": ["x"], "a": entry(0, 8)}
    assert open_weights(file_of(tmp_path / "b.safetensors", none, b"\0" * 8)).metadata == {}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused_in_words(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("weights")
    path = folder / "a.safetensors"
    save_file({"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2, dtype=torch.float16)}, path, {"k": "v"})
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    try:
        weights = open_weights(path)
        weights.read({key: key for key in weights.shapes}, torch.float32)
    except ModelFileError as error:
        assert "a.safetensors" in str(error)


class Hostile:
    """Unpickling this makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "pth", "bin"])
def test_a_pickle_is_refused_with_the_flag_that_takes_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    torch.save({"state_dict": {"w": torch.ones(2), "deep": {"x": torch.zeros(1)}}, "step": 3}, path)
    with pytest.raises(ModelFileError, match="--allow-pickle"):
        open_weights(path)
    weights = open_weights(path, allow_pickle=True)
    assert weights.shapes == {"w": (2,), "deep.x": (1,)}
    assert weights.read({"w": "v"}, torch.float16)["v"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("legacy", [False, True])
def test_what_a_pickle_would_run_is_not_run(tmp_path: Path, legacy: bool) -> None:
    mark, path = tmp_path / "mark", tmp_path / "a.ckpt"
    torch.save({"w": torch.ones(1), "x": Hostile(mark)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelFileError, match=r"more in it than weights: it names \w+\.mkdir"):
        open_weights(path, allow_pickle=True)
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(ModelFileError, match=r"a\.ckpt cannot be read"):
        open_weights(path, allow_pickle=True)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}", b"<html>", b"\0" * 100, b"(" * 10_000])
def test_what_is_no_pickle_of_pytorch(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"a\.pt cannot be read"):
        open_weights(path, allow_pickle=True)


def test_pickles_of_programs_are_never_read(tmp_path: Path) -> None:
    for name in ("a.pt2", "a.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps({}))
        with pytest.raises(ModelFileError, match="never read"):
            open_weights(tmp_path / name, allow_pickle=True)
    torch.save({"a": 1}, tmp_path / "empty.pt")
    with pytest.raises(ModelFileError, match="no tensors"):
        open_weights(tmp_path / "empty.pt", allow_pickle=True)


def test_a_pickled_checkpoint_is_the_same_model(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "same.ckpt"
    torch.save({"state_dict": load_file(checkpoint)}, path)
    assert memory_for(parse(["--cpu", "--allow-pickle"])).allow_pickle
    with pytest.raises(ModelFileError, match="--allow-pickle"):
        load_checkpoint(path, memory_for(parse(["--cpu"])))
    ours = load_checkpoint(path, Memory(torch.device("cpu"), allow_pickle=True))
    theirs = load_checkpoint(checkpoint, Memory(torch.device("cpu")))
    assert torch.equal(ours.clip.encode("a cat")[0], theirs.clip.encode("a cat")[0])


def test_an_embedding_in_a_pickle_is_used_where_pickles_are_read(checkpoint: Path, tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": torch.full((1, 64), 0.5)}}, tmp_path / "mine.pt")
    plain = load_checkpoint(checkpoint, Memory(torch.device("cpu")), [tmp_path]).clip
    open_minded = load_checkpoint(checkpoint, Memory(torch.device("cpu"), allow_pickle=True), [tmp_path]).clip
    assert not torch.equal(plain.encode("embedding:mine")[0], open_minded.encode("embedding:mine")[0])
    for name in ("../mine", "/etc/passwd", f"{tmp_path}/mine", "x" * 3000, "a\0b", "mine.pt/x"):
        assert torch.equal(open_minded.encode(f"embedding:{name}")[0], plain.encode(f"embedding:{name}")[0])
