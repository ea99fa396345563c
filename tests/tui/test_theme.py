"""The themes that come along are readable, and theme files of any kind are read or named."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import msgspec
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from comfytui.tui import theme
from comfytui.tui.theme import Roles, ThemeFile

Light = tuple[float, float, float]
STATES = ("running", "done", "failed", "warning", "lost")
# How eyes without one kind of cones see linear light: G. M. Machado et al., "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009, severity 1.0.
EYES: dict[str, tuple[Light, Light, Light]] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no long": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no middle": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no short": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def light(colour: str) -> Light:
    """Linear light of #rrggbb."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    red, green, blue = light(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def apart(one: str, other: str, eyes: str = "all cones") -> float:
    """The distance of two colours in CIELAB, as those eyes see them; below some 10 two words look alike."""

    def lab(colour: str) -> Light:
        seen = [min(1.0, max(0.0, sum(map(float.__mul__, map(float, row), light(colour))))) for row in EYES[eyes]]
        rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
        xyz = [sum(map(float.__mul__, row, seen)) for row in rows]
        x, y, z = (
            t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
            for t in (v / w for v, w in zip(xyz, (0.95047, 1.0, 1.08883), strict=True))
        )
        return 116 * y - 16, 500 * (x - y), 200 * (y - z)

    return float(sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5)


SHIPPED = sorted(theme.available())
COLOURED = [name for name in SHIPPED if not theme.load(name).ansi]


def test_they_are_there() -> None:
    assert {"dark", "light", "contrast", "muted", "terminal", "colourblind", "night"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_theme_is_whole(name: str) -> None:
    found = theme.load(name)
    assert found.name == name
    assert theme.textual_theme(found).dark is found.dark


@pytest.mark.parametrize("name", COLOURED)
def test_a_shipped_theme_is_readable(name: str) -> None:
    """WCAG 2: 7:1 for text in the theme that promises it, 4.5:1 elsewhere, 3:1 for what is read second."""
    roles = theme.load(name).roles
    least = 7.0 if name == "contrast" else 4.5
    for behind in (roles.background, roles.panel):
        for role in ("text", "accent", "graph", *STATES):
            assert contrast(getattr(roles, role), behind) >= least, role
        for role in ("dim", "waiting", "cached"):
            assert contrast(getattr(roles, role), behind) >= 3, role
        assert contrast(roles.focus, behind) >= 3
    assert contrast(roles.selection_text, roles.selection) >= 7
    assert contrast(roles.resting_text, roles.resting) >= least


@pytest.mark.parametrize("name", COLOURED)
def test_what_differs_looks_different(name: str) -> None:
    roles = theme.load(name).roles
    for one, other in itertools.combinations((*STATES, "dim"), 2):
        assert apart(getattr(roles, one), getattr(roles, other)) >= 20, (one, other)
    assert apart(roles.done, roles.cached) >= 10
    for behind in (roles.background, roles.panel):
        assert contrast(roles.selection, behind) >= 1.3
        assert apart(roles.selection, behind) >= 15
        assert apart(roles.resting, behind) >= 6
    assert apart(roles.selection, roles.resting) >= 10
    assert contrast(roles.focus, roles.border) >= 1.5
    assert apart(roles.focus, roles.border) >= 20


@pytest.mark.parametrize("eyes", EYES)
def test_one_theme_is_for_every_kind_of_eyes(eyes: str) -> None:
    roles = theme.load("colourblind").roles
    for one, other in itertools.combinations(STATES, 2):
        assert apart(getattr(roles, one), getattr(roles, other), eyes) >= 20, (one, other)


def test_one_theme_is_for_the_night() -> None:
    roles = msgspec.structs.asdict(theme.load("night").roles)
    for role, colour in roles.items():
        red, green, blue = light(colour)
        assert blue <= max(0.01, 0.4 * max(red, green)), role


def write(folder: Path, text: str | bytes, name: str = "mine.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_users_file_wins_and_need_give_only_what_differs(tmp_path: Path) -> None:
    write(tmp_path, '[roles]\naccent = "#0ff"\n', "dark.toml")
    write(tmp_path, 'base = "night"\n[roles]\naccent = "#00ffff"\n')
    write(tmp_path, "dark = false\n", "pale.toml")
    dark, mine, pale = (theme.load(name, tmp_path) for name in ("dark", "mine", "pale"))
    assert (dark.roles.accent, dark.roles.text) == ("#00ffff", theme.load("dark").roles.text)
    assert (mine.roles.accent, mine.roles.text, mine.name) == ("#00ffff", theme.load("night").roles.text, "mine")
    assert (pale.roles, pale.dark) == (theme.load("light").roles, False)


def test_a_bare_name_of_a_file_is_here_or_among_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "themes", '[roles]\naccent = "#000001"\n')
    monkeypatch.chdir(tmp_path)
    assert theme.load("mine.toml", tmp_path / "themes").roles.accent == "#000001"
    write(tmp_path, '[roles]\naccent = "#000002"\n')
    assert theme.load("mine.toml", tmp_path / "themes").roles.accent == "#000002"


def test_editors_copies_are_no_themes(tmp_path: Path) -> None:
    for name in (".#mine.toml", "mine.toml~", "mine.toml.swp", "odd\x1b[2J.toml", "good.toml"):
        write(tmp_path, "", name)
    assert set(theme.available(tmp_path)) - set(SHIPPED) == {"good"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[roles]\nacent = '#ffffff'", r"roles\.acent: there is no such role; did you mean accent\?"),
        ("[roles]\naccent = 'orangey'", r"roles\.accent: 'orangey' is no colour; write \"#rrggbb\""),
        ("[roles]\naccent = 'ansi_yelow'", r"did you mean ansi_yellow\?"),
        ("[roles]\naccent = 7", r"roles\.accent: 7 is no colour"),
        ("[roles]\ntext = '#1234'", r"roles\.text"),
        ("roles = 3", r"roles: is not a table"),
        ("dark = 'yes'", r"dark: 'yes' is not true or false"),
        ("base = 'nope'", r"base: 'nope' is no theme of ours"),
        ("colours = {}", r"colours: there is no such key"),
        ("[roles", r"it is not TOML"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", r"it is no text"),
        (b"#" * (theme.MAX_BYTES + 1), r"larger than 64 KiB"),
        ("a = " + "[" * 5000, r"it is not TOML"),
        ("[roles]\naccent = '''\x1b]0;x'''", r"it is not TOML"),
        ('[roles]\naccent = "\\u001b]0;x\\u0007"', r"is no colour"),
    ],
)
def test_a_broken_file_is_named_with_its_key(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(theme.ThemeError, match=told) as caught:
        theme.load("mine", tmp_path)
    assert str(caught.value).startswith(f"theme {path}: ")
    assert "\x1b" not in str(caught.value)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(theme.ThemeError, match="it is not a file"):
            theme.load(name, tmp_path)
    with pytest.raises(theme.ThemeError, match=r"gone\.toml: it cannot be read: No such file"):
        theme.load(str(tmp_path / "gone.toml"))


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(theme.ThemeError, match=r"no theme 'nope': there are .*dark"):
        theme.load("nope")


@given(st.dictionaries(st.sampled_from([*Roles.__struct_fields__, "glow"]), st.text() | st.integers() | st.sampled_from(
    ["#fff", "#a0B0c0", "ansi_red", "ansi_default", "red", "rgb(1,2,3)", "auto"])))  # fmt: skip
def test_every_colour_that_is_taken_can_be_drawn(
    tmp_path_factory: pytest.TempPathFactory, roles: dict[str, object]
) -> None:
    """Rich and Textual read colours differently: what one of them refuses must not get as far as the screen."""
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_text(tomli_w.dumps({"roles": roles}), "utf-8", errors="surrogatepass")
    try:
        found = theme.read(path)
    except theme.ThemeError:
        return
    palette = theme.Palette(found)
    for role in Roles.__struct_fields__:
        assert palette.style(role).color is not None
    assert palette.selected.bgcolor is not None
    theme.textual_theme(found)


def test_sixteen_colours_are_the_terminals_own() -> None:
    """The nearest of sixteen to a dark selection is its background."""
    terminal, mine = theme.load("terminal"), ThemeFile("mine", theme.load("dark").roles)
    assert theme.in_sixteen(mine).roles == terminal.roles
    assert theme.in_sixteen(mine).name == "mine"
    assert theme.in_sixteen(terminal) is terminal
