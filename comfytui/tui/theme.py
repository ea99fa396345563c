"""Themes: TOML files of named roles, read into a Textual theme and a palette of styles for drawn lines."""

from __future__ import annotations

import tomllib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.style import Style

from comfytui.settings.files import data_dir

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT = "dark"


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each colour is for; a theme file gives all of them."""

    background: str
    panel: str
    text: str
    dim: str
    accent: str
    running: str
    waiting: str
    done: str
    cached: str
    failed: str
    warning: str
    lost: str
    border: str
    focus: str
    selection: str
    selection_text: str
    graph: str


class ThemeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A theme as it stands in its file."""

    name: str
    roles: Roles
    dark: bool = True

    @property
    def ansi(self) -> bool:
        """Whether it uses the terminal's own sixteen colours; Textual then sends them unchanged."""
        return any(value.startswith("ansi_") for value in msgspec.structs.asdict(self.roles).values())


class ThemeError(ValueError):
    """A theme file is missing or wrong; the message names the file and the key."""


class Palette:
    """The roles of a theme as Rich styles, for widgets that draw their own lines."""

    def __init__(self, theme: ThemeFile) -> None:
        self.theme = theme

    @lru_cache(maxsize=64)  # noqa: B019 - a palette lives as long as the program
    def style(self, role: str, bold: bool = False) -> Style:
        """The style of a role's colour, as foreground."""
        return Style(color=_rich(getattr(self.theme.roles, role)), bold=bold or None)

    def __getattr__(self, role: str) -> Style:
        if role in Roles.__struct_fields__:
            return self.style(role)
        raise AttributeError(role)

    @cached_property
    def selected(self) -> Style:
        """The selected line, in a pane that has the keys."""
        roles = self.theme.roles
        return Style(color=_rich(roles.selection_text), bgcolor=_rich(roles.selection))

    @cached_property
    def selected_elsewhere(self) -> Style:
        """The selected line, in a pane without the keys."""
        return Style(bgcolor=_rich(self.theme.roles.border))

    @cached_property
    def key(self) -> Style:
        return self.style("accent", bold=True)


def _rich(colour: str) -> str:
    """A role's colour as Rich names it."""
    return colour.removeprefix("ansi_")


def available(user: Path | None = None) -> dict[str, Path]:
    """Every theme by name; a user's file replaces a shipped one of the same name."""
    places = [data_dir("themes"), *([user] if user is not None and user.is_dir() else [])]
    return {path.stem: path for place in places for path in sorted(place.glob("*.toml"))}


def read(path: Path) -> ThemeFile:
    """Read a theme file.

    Raises ThemeError, naming the file and what is wrong in it.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), ThemeFile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ThemeError(f"theme {path}: {error}") from error


def load(name: str, user: Path | None = None) -> ThemeFile:
    """Read a theme by its name, or by the path of its file.

    Raises ThemeError, naming the themes that exist, or what is wrong in the file.
    """
    if name.endswith(".toml") or "/" in name:
        return read(Path(name).expanduser())
    known = available(user)
    if name not in known:
        raise ThemeError(f"no theme {name!r}: there are {', '.join(known)}")
    return read(known[name])


def textual_theme(theme: ThemeFile) -> Theme:
    """The same colours for Textual's style sheets: each role is a variable, `$role-accent` and so on.

    Raises ThemeError for a colour that Textual does not know.
    """
    from textual.color import Color, ColorParseError
    from textual.theme import Theme

    r = theme.roles
    for role, value in msgspec.structs.asdict(r).items():
        try:
            Color.parse(value)
        except ColorParseError as error:
            raise ThemeError(f"theme {theme.name}: {role} = {value!r} is no colour") from error
    variables = {f"role-{role.replace('_', '-')}": value for role, value in msgspec.structs.asdict(r).items()}
    variables |= {
        "ansi-background": r.background,
        "ansi-foreground": r.text,
        "block-cursor-background": r.selection,
        "block-cursor-foreground": r.selection_text,
        "block-cursor-text-style": "none",
        "footer-key-foreground": r.accent,
        "input-cursor-background": r.accent,
        "scrollbar": r.border,
        "scrollbar-hover": r.focus,
        "scrollbar-active": r.accent,
        "scrollbar-background": r.background,
        "scrollbar-background-hover": r.background,
        "scrollbar-background-active": r.background,
        "scrollbar-corner-color": r.background,
        "border": r.focus,
        "border-blurred": r.border,
    }
    return Theme(
        name=theme.name,
        primary=r.accent,
        secondary=r.graph,
        accent=r.accent,
        warning=r.warning,
        error=r.failed,
        success=r.done,
        foreground=r.text,
        background=r.background,
        surface=r.background,
        panel=r.panel,
        dark=theme.dark,
        variables=variables,
        ansi=theme.ansi,
    )
