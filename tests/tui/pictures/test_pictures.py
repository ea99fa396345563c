"""Pictures: bounded decoding, true proportions and colours, and bytes that stay within their budget."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from textual.strip import Strip

from comfytui.tui.pictures import (
    Depth,
    Fit,
    PictureError,
    changed,
    decode,
    depth_of_terminal,
    difference,
    fit_cells,
    price,
    scale,
)
from comfytui.tui.pictures import halfblock as encode
from comfytui.tui.pictures import render as draw

SYSTEMS = {Depth.TRUECOLOR: "truecolor", Depth.EIGHT_BIT: "256", Depth.SHADES: None}


def halfblock(*arguments: Any, **options: Any) -> list[Strip]:
    return encode(*arguments, **options).lines


def render(*arguments: Any, **options: Any) -> list[Strip]:
    return draw(*arguments, **options).lines


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def written(strips: list[Strip], depth: Depth) -> bytes:
    """What a terminal of that depth would be sent."""
    console = Console(color_system=SYSTEMS[depth], force_terminal=True, width=500)
    return "".join(strip.render(console) for strip in strips).encode()


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that promises pixels it does not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\x09IDATx"
    )


def cell_colours(strip: Strip) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(top, bottom) of every cell of a half-block line."""
    cells = []
    for text, style, _ in strip:
        assert style is not None
        bottom = tuple(style.bgcolor.get_truecolor())
        top = tuple(style.color.get_truecolor()) if text[0] == "▀" else bottom
        cells += [(top, bottom)] * len(text)
    return cells


# ── decode ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_decodes_what_servers_send(kind: str) -> None:
    image = decode(encoded(Image.new("RGB", (40, 20), (250, 10, 10)), kind))
    assert image.mode == "RGB"
    assert image.size == (40, 20)
    red, green, blue = image.getpixel((20, 10))
    assert red > 235 and green < 30 and blue < 30


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).getpixel((0, 0)) == (255, 0, 0)


def test_sixteen_bit_grey_keeps_its_greys() -> None:
    image = Image.new("I;16", (4, 4), 32768)
    assert decode(encoded(image)).getpixel((0, 0)) == (128, 128, 128)


def test_transparency_lies_on_a_dark_backdrop() -> None:
    red, green, blue = decode(encoded(Image.new("RGBA", (4, 4), (255, 255, 255, 0)))).getpixel((0, 0))
    assert max(red, green, blue) < 64


def test_a_large_picture_is_kept_small() -> None:
    assert max(decode(encoded(Image.new("RGB", (3000, 500)))).size) <= 1024


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(PictureError, match="too large"):
        decode(png_header_only(60_000, 60_000))
    with pytest.raises(PictureError, match="20×20 is too large"):
        decode(encoded(Image.new("RGB", (20, 20))), max_pixels=100)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"<html>502 Bad Gateway</html>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (png_header_only(10, 10), "broken picture"),
    ],
)
def test_what_cannot_be_shown_has_a_reason(data: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        decode(data)


def test_a_picture_cut_off_in_the_middle() -> None:
    data = encoded(noise(64, 64))
    with pytest.raises(PictureError, match="broken picture"):
        decode(data[: len(data) // 2])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from(["PNG", "GIF", "BMP"]))
def test_damaged_files_raise_only_our_error(junk: bytes, at: int, kind: str) -> None:
    good = encoded(Image.new("RGB", (16, 16), "teal"), kind)
    damaged = good[:at] + junk + good[at + len(junk) :]
    try:
        assert decode(damaged).mode == "RGB"
    except PictureError as error:
        assert str(error)


# ── scale ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_square_picture_is_twice_as_many_columns_as_rows() -> None:
    assert fit_cells(512, 512, 100, 20) == (40, 20)
    assert fit_cells(512, 512, 30, 40) == (30, 15)


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 300), st.integers(1, 100))
def test_a_fitted_picture_is_inside_the_box_and_touches_it(width: int, height: int, cols: int, rows: int) -> None:
    c, r = fit_cells(width, height, cols, rows)
    assert 1 <= c <= cols and 1 <= r <= rows
    assert c == cols or r == rows


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 20), st.sampled_from(list(Fit)))
def test_lines_are_as_wide_as_they_say(width: int, height: int, cols: int, rows: int, fit: Fit) -> None:
    image = noise(width, height)
    for depth in (Depth.TRUECOLOR, Depth.EIGHT_BIT, Depth.SHADES):
        lines = render(image, cols, rows, depth, fit=fit)
        assert 1 <= len(lines) <= rows
        for line in lines:
            assert sum(len(segment.text) for segment in line) == line.cell_length <= cols
        if fit is not Fit.CONTAIN:
            assert (lines[0].cell_length, len(lines)) == (cols, rows)


def test_cover_keeps_the_middle() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))
    assert scale(image, 10, 5, Fit.COVER).getcolors() == [(100, (255, 255, 255))]


# ── half blocks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_colours_land_in_their_cells() -> None:
    image = Image.new("RGB", (2, 4))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (9, 9, 9), (9, 9, 9), (9, 9, 9), (9, 9, 9)])
    first, second = halfblock(image)
    assert cell_colours(first) == [((255, 0, 0), (0, 0, 255)), ((0, 255, 0), (255, 255, 255))]
    assert [segment.text for segment in second] == ["  "], "equal neighbours are one run"


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 1000))
def test_quantising_moves_no_channel_far(cols: int, rows: int, seed: int) -> None:
    image = noise(cols, rows * 2, seed)
    for y, line in enumerate(halfblock(image, budget=10**9)):
        for x, (top, bottom) in enumerate(cell_colours(line)):
            for shown, real in ((top, image.getpixel((x, 2 * y))), (bottom, image.getpixel((x, 2 * y + 1)))):
                assert max(abs(a - b) for a, b in zip(shown, real, strict=True)) <= 4


@pytest.mark.parametrize("depth", [Depth.TRUECOLOR, Depth.EIGHT_BIT, Depth.SHADES])
@pytest.mark.parametrize("seed", [1, 2])
def test_pure_noise_stays_within_40_kilobytes(depth: Depth, seed: int) -> None:
    lines = render(noise(60, 60, seed), 60, 30, depth, fit=Fit.STRETCH)
    assert len(written(lines, depth)) <= 40_000


def test_smooth_pictures_keep_their_colours_within_the_budget() -> None:
    gradient = Image.linear_gradient("L").rotate(90)
    image = Image.merge("RGB", [gradient, gradient, Image.new("L", gradient.size, 90)])
    lines = render(image, 60, 30, Depth.TRUECOLOR, fit=Fit.STRETCH)
    assert len(written(lines, Depth.TRUECOLOR)) <= 40_000
    reds = [top[0] for top, _ in cell_colours(lines[5])]
    assert all(abs(red - (x * 255 / 59)) < 8 or abs(red - (255 - x * 255 / 59)) < 8 for x, red in enumerate(reds))


def test_a_smaller_budget_is_kept_too() -> None:
    assert len(written(render(noise(60, 60), 60, 30, Depth.TRUECOLOR, budget=12_000), Depth.TRUECOLOR)) <= 12_000


def test_256_colours_never_use_the_users_own_sixteen() -> None:
    for line in halfblock(noise(30, 20), Depth.EIGHT_BIT):
        for _, style, _ in line:
            numbers = [colour.number for colour in (style.color, style.bgcolor) if colour is not None]
            assert all(number >= 16 for number in numbers)


def test_256_colours_are_near() -> None:
    image = Image.new("RGB", (4, 4), (250, 128, 10))
    ((top, _), *_) = cell_colours(halfblock(image, Depth.EIGHT_BIT)[0])
    assert max(abs(a - b) for a, b in zip(top, (250, 128, 10), strict=True)) <= 25


# ── without colours ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_shades_go_from_dark_to_light_without_escapes() -> None:
    image = Image.linear_gradient("L").rotate(90).convert("RGB")  # one side black, the other white
    (line,) = render(image, 40, 1, Depth.SHADES, fit=Fit.STRETCH)
    text = line.text
    assert {text[0], text[-1]} == {" ", "█"}
    assert b"\x1b" not in written([line], Depth.SHADES)


@pytest.mark.parametrize(
    ("system", "no_color", "images", "depth"),
    [
        ("truecolor", False, "auto", Depth.TRUECOLOR),
        ("256", False, "auto", Depth.EIGHT_BIT),
        ("standard", False, "auto", Depth.SHADES),
        (None, False, "auto", Depth.SHADES),
        ("truecolor", True, "auto", Depth.SHADES),
        ("truecolor", False, "none", Depth.NONE),
        ("truecolor", False, "a later version's word", Depth.TRUECOLOR),
    ],
)
def test_depth_follows_the_terminal(system: str | None, no_color: bool, images: str, depth: Depth) -> None:
    assert depth_of_terminal(system, no_color=no_color, images=images) is depth


def test_no_pictures_no_lines() -> None:
    assert render(noise(4, 4), 10, 10, Depth.NONE) == []


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_stream_only_what_changed_is_sent_again() -> None:
    image = Image.radial_gradient("L").convert("RGB")
    first = draw(image, 40, 20, Depth.TRUECOLOR, budget=100_000)
    hardly = image.point(lambda value: min(255, value + 2))
    second = draw(hardly, 40, 20, Depth.TRUECOLOR, before=first.cells, budget=100_000)
    assert not any(changed(old, new) for old, new in zip(first.lines, second.lines, strict=True))
    hardly.paste("red", (0, 0, 64, 64))
    third = draw(hardly, 40, 20, Depth.TRUECOLOR, before=second.cells, budget=100_000)
    spans = {y: changed(old, new) for y, (old, new) in enumerate(zip(second.lines, third.lines, strict=True))}
    assert all(spans[y] and spans[y][-1][1] <= 11 for y in range(5)) and not any(spans[y] for y in range(6, 20))


def test_what_differs_of_a_line_lies_within_one_span_and_costs_no_more_than_the_line() -> None:
    image = Image.radial_gradient("L").convert("RGB")
    old = render(image, 40, 20, Depth.TRUECOLOR, budget=100_000)
    image.paste("red", (20, 0, 60, 250))
    image.paste("blue", (180, 0, 200, 250))
    new = render(image, 40, 20, Depth.TRUECOLOR, budget=100_000)
    for was, now in zip(old, new, strict=True):
        start, end, cost = difference(was, now)
        spans = changed(was, now)
        assert (start, end) == ((spans[0][0], spans[-1][1]) if spans else (0, 0))
        assert cost <= price(now)
        assert difference(now, now) == (0, 0, 0)
    assert difference(None, new[0]) == (0, 40, price(new[0]))


def test_a_long_stream_does_not_drift_from_the_picture() -> None:
    drawn = None
    for level in range(0, 200, 2):
        image = Image.new("RGB", (8, 8), (level, level, level))
        drawn = draw(image, 4, 2, Depth.TRUECOLOR, before=None if drawn is None else drawn.cells)
        assert abs(drawn.cells[0][0][0][0] - level) <= 12
