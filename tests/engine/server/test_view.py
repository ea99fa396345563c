"""`/view` and uploads: pieces of a file, what a browser would run, and pictures that are too large."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.files import decode
from engine.server import content
from tests.engine.server.conftest import Rig
from tests.engine.server.test_files import fetch, picture, upload

VIDEO = bytes(range(256)) * 40


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("wanted", "status", "start", "end"),
    [
        ("bytes=0-3", 206, 0, 4),
        ("bytes=100-199", 206, 100, 200),
        ("bytes=10000-", 206, 10000, 10240),
        ("bytes=-40", 206, 10200, 10240),
        ("bytes=10000-99999", 206, 10000, 10240),
        ("bytes=10240-", 416, 0, 0),
        ("bytes=99999-", 416, 0, 0),
        ("bytes=5-2", 416, 0, 0),
        ("lines=0-3", 416, 0, 0),
    ],
)
async def test_pieces_of_a_video(rig: Rig, wanted: str, status: int, start: int, end: int) -> None:
    await upload(rig, data=VIDEO, name="a.mp4")
    async with rig.client.get("/view?filename=a.mp4&type=input", headers={"Range": wanted}) as response:
        body = await response.read()
        assert response.status == status
        if status == 206:
            assert body == VIDEO[start:end]
            assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(VIDEO)}"
            assert response.content_type == "video/mp4"
        else:
            assert response.headers["Content-Range"] == f"bytes */{len(VIDEO)}"


async def test_a_piece_of_a_file_that_has_changed_is_the_whole_file(rig: Rig) -> None:
    await upload(rig, data=VIDEO, name="a.mp4")
    url = "/view?filename=a.mp4&type=input"
    async with rig.client.get(url) as response:
        assert response.headers["Accept-Ranges"] == "bytes"
        modified, tag = response.headers["Last-Modified"], response.headers["ETag"]
    for condition, status in ((modified, 206), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)):
        async with rig.client.get(url, headers={"Range": "bytes=0-3", "If-Range": condition}) as response:
            assert response.status == status
            assert len(await response.read()) == (4 if status == 206 else len(VIDEO))
    async with rig.client.get(url, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    async with rig.client.head(url) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(VIDEO)))


@pytest.mark.parametrize(
    "name",
    [
        "a.html",
        "a.HTM",
        "a.xhtml",
        "a.svg",
        "a.SVGZ",
        "a.xml",
        "a.xsl",
        "a.js",
        "a.mjs",
        "a.pdf",
        "a.mht",
        "a.swf",
        "a.svg.",
        "a.html ",
    ],
)
async def test_active_content_is_a_download(rig: Rig, name: str) -> None:
    status, told = await upload(rig, data=b"<svg onload=alert(1)>", name=name)
    assert status == 200
    async with rig.client.get("/view", params={"filename": told["name"], "type": "input"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment; ")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    async with rig.client.post("/userdata/x.html", data=b"<script>") as response:
        assert response.status == 200
    async with rig.client.get("/userdata/x.html") as response:
        assert response.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.webm", "video/webm"),
        ("a.flac", None),
        ("a.txt", "text/plain"),
        ("a.css", content.BYTES),
        ("a.tar.gz", content.BYTES),
        ("a", content.BYTES),
        ("a.png.html", content.BYTES),
        ("a.unknown", content.BYTES),
    ],
)
def test_types_come_from_names(name: str, kind: str | None) -> None:
    found = content.headers(name)["Content-Type"]
    assert found == kind if kind else found.startswith("audio/")
    assert content.headers("user.css", styles=True)["Content-Type"] == "text/css"


@given(st.text(max_size=40))
def test_no_name_breaks_a_header(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    quoted = content.quoted(name)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert quoted.count('"') == 2


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2), (200_000_000, 1), (14_000, 14_000)])
async def test_a_picture_that_unpacks_to_gigabytes(rig: Rig, size: tuple[int, int]) -> None:
    data = png_of(*size)
    for route in ("/upload/image", "/upload/mask"):
        status, told = await upload(rig, route, data, "bomb.png", original_ref='{"filename":"a.png","type":"input"}')
        if route == "/upload/image":
            assert status == 400
            assert f"{decode.MAX_PIXELS} pixels are the limit" in told["error"]["details"]
    assert not (rig.shared.folders.input / "bomb.png").exists()
    path = rig.shared.folders.input / "placed.png"
    path.write_bytes(data)
    for query in ("preview=webp", "preview=jpeg;1", "channel=rgb", "channel=a"):
        status, body, _ = await fetch(rig, f"filename=placed.png&type=input&{query}")
        assert status == 400
        assert b"pixels are the limit" in body
    assert (await fetch(rig, "filename=placed.png&type=input"))[0] == 200  # as it is, it costs nothing


async def test_a_mask_that_is_too_large(rig: Rig) -> None:
    await upload(rig, data=picture(), name="a.png")
    reference = '{"filename":"a.png","type":"input"}'
    status, told = await upload(rig, "/upload/mask", png_of(60_000, 60_000), "m.png", original_ref=reference)
    assert status == 400
    assert "the mask is too large" in told["error"]["details"]


async def test_formats_whose_readers_run_programs_are_no_pictures(rig: Rig) -> None:
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(%pipe%touch /tmp/x) (w) file\n"
    assert "EPS" not in decode.formats()
    assert (await upload(rig, data=data, name="a.png"))[0] == 200  # bytes like any others
    status, body, _ = await fetch(rig, "filename=a.png&type=input&preview=webp")
    assert status == 400
    assert b"not a picture" in body


def _samples() -> list[bytes]:
    made = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "ICO", "TGA"):
        buffer = BytesIO()
        Image.new("RGB", (16, 16), (9, 8, 7)).save(buffer, kind)
        made.append(buffer.getvalue())
    return made


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_pictures_are_refused_in_words(data: Any) -> None:
    raw = bytearray(data.draw(st.sampled_from(_samples())))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    source = BytesIO(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        with decode.opened(source, "a.png") as found:
            found.convert("RGBA")
    except decode.PictureError as error:
        assert "a.png" in str(error)
    source.seek(0)
    try:
        decode.size_of(source, "a.png")
    except decode.PictureError as error:
        assert "limit" in str(error)
