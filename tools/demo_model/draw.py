"""Draws the training pictures of the demo model and writes their captions.

Everything is vector geometry on a unit square, so one scene can be drawn at any size: a coloured
shape on a coloured background, the same with stripes or dots, two shapes with a relation, and a
few simple landscapes. No picture from anywhere else is used.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35),
    "orange": (250, 135, 15),
    "yellow": (250, 225, 35),
    "green": (35, 155, 55),
    "cyan": (40, 205, 215),
    "blue": (30, 65, 210),
    "purple": (125, 40, 160),
    "pink": (250, 130, 190),
    "white": (250, 250, 250),
    "black": (15, 15, 15),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "ring", "diamond")

# Pairs that training never shows: what the model makes of them tells composition from memory.
HELD_OUT_SHAPE_COLOUR = frozenset(
    {
        ("circle", "purple"), ("circle", "cyan"), ("square", "pink"), ("square", "orange"),
        ("triangle", "blue"), ("star", "green"), ("heart", "yellow"), ("cross", "white"),
        ("ring", "red"), ("diamond", "black"), ("star", "pink"), ("diamond", "cyan"),
    }
)  # fmt: skip
HELD_OUT_COLOUR_GROUND = frozenset(
    {
        ("red", "cyan"), ("orange", "purple"), ("yellow", "blue"), ("green", "pink"),
        ("cyan", "black"), ("blue", "orange"), ("purple", "yellow"), ("white", "green"),
        ("black", "red"), ("pink", "white"),
    }
)  # fmt: skip

Point = tuple[float, float]
RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """What to draw: `paint(draw, w, h)` in pixels of a canvas of any size, and its captions."""

    captions: tuple[str, ...]
    paint: Callable[[ImageDraw.ImageDraw, int, int], None] = field(repr=False)


def held_out(shape: str, colour: str, ground: str) -> bool:
    """True where training never sees this combination."""
    return (shape, colour) in HELD_OUT_SHAPE_COLOUR or (colour, ground) in HELD_OUT_COLOUR_GROUND


def outline(shape: str, cx: float, cy: float, r: float) -> list[Point]:
    """Corners of a filled polygon; rings are a circle that the caller hollows out."""
    if shape in ("circle", "ring"):
        return [(cx + r * math.cos(a * math.tau / 48), cy + r * math.sin(a * math.tau / 48)) for a in range(48)]
    if shape == "square":
        k = r * 0.86
        return [(cx - k, cy - k), (cx + k, cy - k), (cx + k, cy + k), (cx - k, cy + k)]
    if shape == "triangle":
        return [(cx, cy - r), (cx + r, cy + r * 0.8), (cx - r, cy + r * 0.8)]
    if shape == "diamond":
        return [(cx, cy - r), (cx + r * 0.72, cy), (cx, cy + r), (cx - r * 0.72, cy)]
    if shape == "star":
        return [
            (cx + q * math.sin(a * math.pi / 5), cy - q * math.cos(a * math.pi / 5))
            for a in range(10)
            for q in (r if a % 2 == 0 else r * 0.42,)
        ]
    if shape == "cross":
        a, b = r * 0.95, r * 0.33
        return [(cx - b, cy - a), (cx + b, cy - a), (cx + b, cy - b), (cx + a, cy - b), (cx + a, cy + b), (cx + b, cy + b),
                (cx + b, cy + a), (cx - b, cy + a), (cx - b, cy + b), (cx - a, cy + b), (cx - a, cy - b), (cx - b, cy - b)]  # fmt: skip
    if shape == "heart":
        points = []
        for i in range(48):
            t = i * math.tau / 48
            x = 16 * math.sin(t) ** 3
            y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
            points.append((cx + r * x / 16.5, cy - r * (y + 2.5) / 16.5))
        return points
    raise ValueError(f"unknown shape {shape!r}; known are {', '.join(SHAPES)}")


def _stripes(draw: ImageDraw.ImageDraw, w: int, h: int, colour: RGB, n: int, vertical: bool) -> None:
    for i in range(0, 2 * n, 2):
        if vertical:
            draw.rectangle([w * i / (2 * n), 0, w * (i + 1) / (2 * n), h], fill=colour)
        else:
            draw.rectangle([0, h * i / (2 * n), w, h * (i + 1) / (2 * n)], fill=colour)


def _dots(draw: ImageDraw.ImageDraw, w: int, h: int, colour: RGB, n: int) -> None:
    r = 0.24 / n
    for i in range(n):
        for j in range(n):
            x, y = (i + 0.5) / n, (j + 0.5) / n
            draw.ellipse([(x - r) * w, (y - r) * h, (x + r) * w, (y + r) * h], fill=colour)


def _shape(
    draw: ImageDraw.ImageDraw, w: int, h: int, shape: str, colour: RGB, cx: float, cy: float, r: float, hole: RGB
) -> None:
    """The unit square is fitted to the shorter side, so that shapes keep their form in a wide picture."""
    s = min(w, h)
    centre = (cx * w, cy * h)
    draw.polygon(outline(shape, *centre, r * s), fill=colour)
    if shape == "ring":
        draw.polygon(outline("circle", *centre, r * s * 0.52), fill=hole)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _jitter(rng: random.Random, colour: RGB) -> RGB:
    r, g, b = (max(0, min(255, c + rng.randint(-10, 10))) for c in colour)
    return (r, g, b)


def single(rng: random.Random, shape: str, colour: str, ground: str, position: bool = False) -> Scene:
    """One shape; its place and size are told only where the caption says them."""
    r, cx, cy, where, size = rng.uniform(0.24, 0.36), rng.gauss(0.5, 0.03), rng.gauss(0.5, 0.03), "", ""
    roll = rng.random()
    if roll < 0.12:
        r, size = rng.uniform(0.14, 0.19), rng.choice(("small ", "tiny ", "little "))
    elif roll < 0.24:
        r, size = rng.uniform(0.38, 0.45), rng.choice(("large ", "big ", "huge "))
    if position:
        where, cx, cy = rng.choice(
            (
                (" on the left", 0.27, 0.5),
                (" on the right", 0.73, 0.5),
                (" at the top", 0.5, 0.27),
                (" at the bottom", 0.5, 0.73),
            )
        )
        r = min(r, rng.uniform(0.17, 0.24))
    fg, bg = _jitter(rng, COLOURS[colour]), _jitter(rng, COLOURS[ground])
    noun = f"{size}{colour} {shape}"
    captions = (
        f"{_article(noun)}{where} on {_article(ground)} background",
        f"{_article(noun)}{where} on {_article(ground)} background",
        f"{noun}{where}, {ground} background",
        f"a picture of {_article(noun)}{where} on {ground}",
        f"a drawing of {_article(noun)}{where} on {_article(ground)} background",
    )

    def paint(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
        draw.rectangle([0, 0, w, h], fill=bg)
        _shape(draw, w, h, shape, fg, cx, cy, r, bg)

    return Scene(captions, paint)


def patterned(rng: random.Random, shape: str, colour: str, ground: str) -> Scene:
    """One shape on a striped or dotted background."""
    second = rng.choice([c for c in COLOURS if c not in (colour, ground)])
    fg, bg, alt = (_jitter(rng, COLOURS[c]) for c in (colour, ground, second))
    r = rng.uniform(0.26, 0.36)
    dotted, vertical, n = rng.random() < 0.5, rng.random() < 0.5, rng.choice((3, 4))
    if dotted:
        back = f"{_article(ground)} background with {second} dots"
    else:
        back = f"a background of {ground} and {second} {'vertical' if vertical else 'horizontal'} stripes"
    noun = f"{colour} {shape}"

    def paint(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
        draw.rectangle([0, 0, w, h], fill=bg)
        if dotted:
            _dots(draw, w, h, alt, n)
        else:
            _stripes(draw, w, h, alt, n, vertical)
        _shape(draw, w, h, shape, fg, 0.5, 0.5, r, bg)

    return Scene((f"{_article(noun)} on {back}", f"{noun}, {back}"), paint)


def pair(rng: random.Random, shapes: tuple[str, str], colours: tuple[str, str], ground: str) -> Scene:
    """Two shapes with a relation that the caption tells."""
    bg = _jitter(rng, COLOURS[ground])
    one, two = (_jitter(rng, COLOURS[c]) for c in colours)
    a, b = f"{colours[0]} {shapes[0]}", f"{colours[1]} {shapes[1]}"
    r, d = rng.uniform(0.16, 0.21), rng.gauss(0.0, 0.015)
    places: dict[str, tuple[Point, Point]] = {
        "left of": ((0.27, 0.5 + d), (0.73, 0.5 - d)),
        "right of": ((0.73, 0.5 + d), (0.27, 0.5 - d)),
        "above": ((0.5 + d, 0.27), (0.5 - d, 0.73)),
        "below": ((0.5 + d, 0.73), (0.5 - d, 0.27)),
    }
    relation = rng.choice(tuple(places))
    first, other = places[relation]
    captions = (
        f"{_article(a)} {relation} {_article(b)} on {_article(ground)} background",
        f"{a} {relation} {b}, {ground} background",
    )

    def paint(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
        draw.rectangle([0, 0, w, h], fill=bg)
        _shape(draw, w, h, shapes[0], one, *first, r, bg)
        _shape(draw, w, h, shapes[1], two, *other, r, bg)

    return Scene(captions, paint)


SKIES: dict[str, tuple[RGB, str]] = {
    "a blue sky": ((105, 180, 245), "sun"),
    "a night sky": ((20, 22, 70), "moon"),
    "an orange sunset": ((245, 140, 60), "sun"),
    "a grey sky": ((160, 165, 175), "none"),
}
GROUNDS: dict[str, RGB] = {
    "green hills": (60, 150, 65),
    "the sea": (25, 85, 165),
    "a yellow desert": (230, 195, 105),
    "snow": (238, 242, 248),
}


def landscape(rng: random.Random) -> Scene:
    """Ground, sky, sun or moon, and at most one thing standing there."""
    sky, ground = rng.choice(tuple(SKIES)), rng.choice(tuple(GROUNDS))
    thing = rng.choice(("", "boat", "mountain") if ground == "the sea" else ("", "house", "tree", "mountain"))
    sky_colour, light = _jitter(rng, SKIES[sky][0]), SKIES[sky][1]
    earth = _jitter(rng, GROUNDS[ground])
    colour = rng.choice(("red", "white", "blue", "yellow"))
    horizon, x, lx = rng.uniform(0.58, 0.68), rng.uniform(0.38, 0.62), rng.choice((0.2, 0.8))
    lamp = "with a moon" if light == "moon" else "with a sun"
    subject = {
        "": "",
        "boat": f"a {colour} boat on ",
        "house": f"a {colour} house on ",
        "tree": "a tree on ",
        "mountain": "a mountain behind ",
    }[thing]
    tail = f"{ground} under {sky}"
    captions = (
        f"{subject}{tail}",
        f"{subject}{tail} {lamp}" if light != "none" else f"{subject}{tail}",
        f"a landscape of {subject}{tail}",
    )

    def paint(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
        def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
            return [x0 * w, y0 * h, x1 * w, y1 * h]

        def poly(*points: Point) -> list[Point]:
            return [(px * w, py * h) for px, py in points]

        draw.rectangle([0, 0, w, h], fill=sky_colour)
        if light != "none":
            lit = (250, 225, 60) if light == "sun" else (245, 245, 225)
            draw.ellipse(box(lx - 0.1, 0.12, lx + 0.1, 0.32), fill=lit)
        if thing == "mountain":
            draw.polygon(poly((x - 0.36, horizon), (x, horizon - 0.36), (x + 0.36, horizon)), fill=(110, 105, 120))
            draw.polygon(
                poly((x - 0.12, horizon - 0.24), (x, horizon - 0.36), (x + 0.12, horizon - 0.24)), fill=(245, 245, 250)
            )
        draw.rectangle(box(0, horizon, 1, 1), fill=earth)
        if ground == "green hills":
            draw.ellipse(box(-0.3, horizon - 0.1, 0.6, 1.3), fill=earth)
            draw.ellipse(box(0.45, horizon - 0.07, 1.4, 1.3), fill=earth)
        if thing == "house":
            draw.rectangle(box(x - 0.15, horizon - 0.1, x + 0.15, horizon + 0.14), fill=COLOURS[colour])
            draw.polygon(
                poly((x - 0.2, horizon - 0.1), (x, horizon - 0.28), (x + 0.2, horizon - 0.1)), fill=(110, 50, 40)
            )
            draw.rectangle(box(x - 0.04, horizon + 0.0, x + 0.05, horizon + 0.14), fill=(60, 35, 25))
        elif thing == "tree":
            draw.rectangle(box(x - 0.035, horizon - 0.1, x + 0.035, horizon + 0.15), fill=(100, 65, 35))
            draw.ellipse(box(x - 0.17, horizon - 0.38, x + 0.17, horizon - 0.04), fill=(25, 105, 45))
        elif thing == "boat":
            draw.polygon(
                poly(
                    (x - 0.2, horizon + 0.06),
                    (x + 0.2, horizon + 0.06),
                    (x + 0.12, horizon + 0.17),
                    (x - 0.12, horizon + 0.17),
                ),
                fill=COLOURS[colour],
            )
            draw.polygon(
                poly((x, horizon - 0.28), (x + 0.15, horizon + 0.02), (x, horizon + 0.02)), fill=(245, 245, 245)
            )

    return Scene(captions, paint)


def _free(rng: random.Random) -> tuple[str, str, str]:
    """A combination that training may show."""
    while True:
        shape, colour, ground = rng.choice(SHAPES), rng.choice(tuple(COLOURS)), rng.choice(tuple(COLOURS))
        if colour != ground and not held_out(shape, colour, ground):
            return shape, colour, ground


def sample(rng: random.Random) -> Scene:
    """A scene drawn from the training distribution."""
    roll = rng.random()
    if roll < 0.84:
        return single(rng, *_free(rng), position=rng.random() < 0.15)
    if roll < 0.88:
        return patterned(rng, *_free(rng))
    if roll < 0.96:
        while True:
            one, two = _free(rng), _free(rng)
            if one[2] not in (two[1], one[1]) and one[1] != two[1] and not held_out(two[0], two[1], one[2]):
                return pair(rng, (one[0], two[0]), (one[1], two[1]), one[2])
    return landscape(rng)


def render(scene: Scene, width: int, height: int) -> Image.Image:
    """The scene as RGB, drawn at twice the size and averaged, so that edges are smooth."""
    big = Image.new("RGB", (width * 2, height * 2))
    scene.paint(ImageDraw.Draw(big), width * 2, height * 2)
    return big.reduce(2)
