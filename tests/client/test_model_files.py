"""Model folders as a real engine, an old server and a hostile one tell of them."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from comfytui.client.errors import BadAnswer, Missing
from comfytui.client.http import Http
from comfytui.client.model_files import ModelFile, ModelRoutes, _files, _folders, _metadata
from comfytui.client.target import Target
from tests.support.engine import RunningEngine
from tests.support.replay import FakeComfy


def safetensors(path: Path, metadata: dict[str, str]) -> None:
    header = json.dumps({"__metadata__": metadata}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header)


async def test_our_engine_tells_sizes_metadata_and_pictures(engine: RunningEngine) -> None:
    loras = engine.base / "models" / "loras"
    safetensors(loras / "styles" / "steer grain#1.safetensors", {"ss_network_dim": "32", "trigger": "a\x1b[31mb"})
    Image.new("RGB", (8, 8), "red").save(loras / "styles" / "steer grain#1.preview.png")
    async with Http(Target.parse(engine.url)) as http:
        routes = ModelRoutes(http)
        folders = {folder.name: folder for folder in await routes.folders()}
        assert str(loras) in folders["loras"].paths
        (file,) = [file for file in await routes.files(folders["loras"]) if "steer" in file.name]
        assert (file.name, file.below, file.base) == (
            "styles/steer grain#1.safetensors",
            "styles",
            "steer grain#1.safetensors",
        )
        assert file.size == (loras / file.raw).stat().st_size
        assert file.modified == pytest.approx((loras / file.raw).stat().st_mtime)
        assert await routes.metadata(file) == {"ss_network_dim": "32", "trigger": "ab"}
        with Image.open(io.BytesIO(await routes.picture(file))) as picture:
            assert picture.size == (8, 8)
        other = ModelFile("nope.safetensors", "nope.safetensors", "loras", place=0)
        assert await routes.metadata(other) == {}
        with pytest.raises(Missing):
            await routes.picture(other)


async def test_a_server_without_the_newer_routes_tells_names_alone() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        routes = ModelRoutes(http)
        folders = await routes.folders()
        assert [folder.name for folder in folders] == ["checkpoints", "loras", "vae"]
        (file,) = await routes.files(folders[0])
        assert (file.name, file.size, file.modified, file.place) == ("demo.safetensors", None, None, None)
        with pytest.raises(Missing):
            await routes.picture(file)
        server.answer("GET", "/models/loras", web.Response(status=404))
        with pytest.raises(Missing, match="loras"):
            await routes.files(folders[1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(
        JSON | st.fixed_dictionaries({"name": JSON, "size": JSON, "pathIndex": JSON, "modified": JSON, "folders": JSON})
    )
)
def test_whatever_a_server_says_is_read_or_refused(value: Any) -> None:
    for folder in _folders(value):
        assert folder.raw
    for file in _files(value, "loras"):
        assert file.raw and (file.size is None or file.size >= 0)
        assert not {"\x1b", "\u202e", "\n"} & set(file.name)


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=6))
def test_metadata_is_text(value: dict[str, Any]) -> None:
    try:
        found = _metadata(value)
    except BadAnswer:
        return
    assert all(
        isinstance(key, str) and isinstance(said, str) and "\x1b" not in key + said for key, said in found.items()
    )


def test_lists_are_bounded() -> None:
    assert len(_files([f"{n}.ckpt" for n in range(60_000)], "x")) == 50_000
    assert len(_metadata({str(n): "x" for n in range(2000)})) == 500
    assert len(_metadata({"x": "y" * 3_000_000})["x"]) <= 100_000
    with pytest.raises(BadAnswer):
        _folders({"a": 1})
