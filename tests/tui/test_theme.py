from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.tui import theme


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SHIPPED = sorted(theme.available())


def test_the_five_are_there() -> None:
    assert {"dark", "light", "contrast", "muted", "terminal"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_theme_is_whole_and_readable(name: str) -> None:
    found = theme.load(name)
    assert found.name == name
    assert theme.textual_theme(found).dark is found.dark
    if found.ansi:
        return
    roles = found.roles
    assert contrast(roles.text, roles.background) >= 7
    assert contrast(roles.selection_text, roles.selection) >= 4.5
    for role in ("accent", "running", "done", "failed", "warning", "lost"):
        assert contrast(getattr(roles, role), roles.background) >= 3, role
    assert contrast(roles.dim, roles.background) >= 3


def test_a_users_file_wins(tmp_path: Path) -> None:
    text = Path(theme.available()["dark"]).read_text().replace('"#e8a04c"', '"#00ffff"')
    (tmp_path / "dark.toml").write_text(text)
    assert theme.load("dark", tmp_path).roles.accent == "#00ffff"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[roles]", "[roles]\nglow = '#fff'"), "glow"),
        (('text = "#d9d6cf"', ""), "text"),
        (("[roles]", "[roles"), "mine.toml"),
    ],
)
def test_a_broken_file_is_named_with_its_key(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    (tmp_path / "mine.toml").write_text(Path(theme.available()["dark"]).read_text().replace(*change))
    with pytest.raises(theme.ThemeError, match=told) as caught:
        theme.load("mine", tmp_path)
    assert "mine.toml" in str(caught.value)


def test_a_colour_that_is_none_is_named(tmp_path: Path) -> None:
    text = Path(theme.available()["dark"]).read_text().replace('"#e8a04c"', '"orangey"')
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(theme.ThemeError, match="orangey"):
        theme.textual_theme(theme.load("mine", tmp_path))


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(theme.ThemeError, match="dark"):
        theme.load("nope")
