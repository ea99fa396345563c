"""Themes: TOML files of named roles, read into a Textual theme and a palette of styles for drawn lines."""

from __future__ import annotations

import difflib
import re
import stat
import tomllib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.style import Style

from comfytui.settings.files import data_dir

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT = "dark"
SIXTEEN = "terminal"  # the theme whose colours are shown where the terminal has only sixteen
MAX_BYTES = 64 * 1024  # of a theme file; a hundred times what one needs
MAX_FILES = 200  # that are listed
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
Signature = tuple[str, int, int, int]  # path, inode, time, size: another one after each save
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
ANSI = ("ansi_default", *(f"ansi_{bright}{name}" for bright in ("", "bright_") for name in _NAMES))


class Roles(msgspec.Struct, frozen=True):
    """What each colour is for. docs/themes.md explains them; a file gives those that differ from its base."""

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
    resting: str
    resting_text: str
    graph: str


class ThemeFile(msgspec.Struct, frozen=True):
    """A theme. `name` is that of its file; `ansi`: it uses some of the terminal's own sixteen colours."""

    name: str
    roles: Roles
    dark: bool = True

    @property
    def ansi(self) -> bool:
        return any(value.startswith("ansi_") for value in msgspec.structs.asdict(self.roles).values())


class ThemeError(ValueError):
    """A theme file is missing or wrong; the message names the file, the key and what to do."""


class Palette:
    """The roles of a theme as Rich styles, for widgets that draw their own lines."""

    def __init__(self, theme: ThemeFile) -> None:
        self.theme = theme

    @lru_cache(maxsize=64)  # noqa: B019 - of the palettes of a session, those in use stay
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
        roles = self.theme.roles
        return Style(color=_rich(roles.resting_text), bgcolor=_rich(roles.resting))

    @cached_property
    def key(self) -> Style:
        return self.style("accent", bold=True)


def _rich(colour: str) -> str:
    """A role's colour as Rich names it."""
    return colour.removeprefix("ansi_")


def available(user: Path | None = None) -> dict[str, Path]:
    """Every theme by name; a user's file replaces a shipped one of the same name. Nothing is read."""
    found = {path.stem: path for path in _listed(data_dir("themes"))}
    return found | {path.stem: path for path in (_listed(user) if user is not None else ())}


def _listed(folder: Path) -> list[Path]:
    """A folder's theme files; editors' hidden copies and names that cannot be shown are none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name.isprintable())
    except OSError:  # no such folder is the usual case, and one that is closed to us has no themes for us
        return []
    return [path for path in found if not path.name.startswith(".")][:MAX_FILES]


def find(name: str, user: Path | None = None) -> Path:
    """The file of a theme by name, or by its path; a bare `mine.toml` may be here or among the user's.

    Raises ThemeError, naming the themes that exist.
    """
    if name.endswith(".toml") or "/" in name:
        path = Path(name).expanduser()
        if user is not None and path.name == name and not path.exists():
            return user / name
        return path.absolute()
    known = available(user)
    if name not in known:
        raise ThemeError(f"no theme {name!r}: there are {', '.join(known)}; or give the path of a .toml file")
    return known[name]


def load(name: str, user: Path | None = None) -> ThemeFile:
    """Read a theme by its name, or by the path of its file. Raises ThemeError."""
    return read(find(name, user))


def read(path: Path) -> ThemeFile:
    """Read a theme file.

    Raises ThemeError, naming the file, the key and what is wrong.
    """
    return _themed(path, data_dir("themes"))


@lru_cache(maxsize=8)
def _shipped(name: str) -> ThemeFile:
    """One of ours, as what another is made from."""
    folder = data_dir("themes")
    return _themed(folder / f"{name}.toml", folder)


def _themed(path: Path, shipped: Path) -> ThemeFile:
    raw = _parsed(path)
    for key in raw:
        if key not in ("name", "base", "dark", "roles"):
            raise _wrong(path, key, "there is no such key", _near(key, ("base", "dark", "roles")))
    dark, roles = raw.get("dark"), raw.get("roles", {})
    if dark is not None and not isinstance(dark, bool):
        raise _wrong(path, "dark", f"{dark!r} is not true or false")
    if not isinstance(roles, dict):
        raise _wrong(path, "roles", "is not a table: write [roles], and below it a line for each colour")
    given = {role: _colour(path, role, value) for role, value in roles.items()}
    base = _base(path, raw.get("base"), dark, shipped) if len(given) < len(Roles.__struct_fields__) else None
    whole = given if base is None else msgspec.structs.asdict(base.roles) | given
    is_dark = dark if dark is not None else base is None or base.dark
    return ThemeFile(path.stem, Roles(**whole), is_dark)


def _base(path: Path, name: object, dark: bool | None, shipped: Path) -> ThemeFile:
    """The theme that gives the colours which a file leaves out: as it says, or the dark or the light one."""
    if name is None:
        name = DEFAULT if dark is None or dark else "light"
    ours = available()
    if not isinstance(name, str) or name not in ours:
        raise _wrong(path, "base", f"{name!r} is no theme of ours", _near(str(name), tuple(ours)))
    if path.parent == shipped:  # ours are whole, so that none can be made from itself
        raise _wrong(path, "roles", "a role is missing")
    return _shipped(name)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
            raise ThemeError(f"theme {_shown(path)}: it is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ThemeError(f"theme {_shown(path)}: it cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ThemeError(f"theme {_shown(path)}: it is larger than {MAX_BYTES // 1024} KiB; is it the right file?")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ThemeError(f"theme {_shown(path)}: it is no text: byte {error.start} is not UTF-8") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what huge numbers raise
        raise ThemeError(f"theme {_shown(path)}: it is not TOML: {_line(str(error))}") from error


def _colour(path: Path, role: str, value: object) -> str:
    """A role's colour in the form that Rich and Textual both know."""
    if role not in Roles.__struct_fields__:
        raise _wrong(path, f"roles.{role}", "there is no such role", _near(role, Roles.__struct_fields__))
    if isinstance(value, str) and value in ANSI:
        return value
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        ways = 'write "#rrggbb", or "ansi_…" for one of the terminal\'s sixteen'
        close = _near(value, ANSI) if isinstance(value, str) and value.startswith("ansi") else ""
        raise _wrong(path, f"roles.{role}", f"{value!r} is no colour", close or ways)
    return value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])


def _wrong(path: Path, key: str, problem: str, fix: str = "") -> ThemeError:
    return ThemeError(f"theme {_shown(path)}: {_line(key)}: {_line(problem)}" + (f"; {fix}" if fix else ""))


def _near(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"


def _shown(path: Path) -> str:
    return _line(str(path))


def _line(text: str) -> str:
    """Somebody else's words on one line, without anything that a terminal would obey."""
    from comfytui.client import sanitize

    return sanitize.line(text)


def textual_theme(theme: ThemeFile, name: str = "") -> Theme:
    """The same colours for Textual's style sheets: each role is a variable, `$role-accent` and so on."""
    from textual.theme import Theme

    r = theme.roles
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
        name=name or theme.name,
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


def in_sixteen(theme: ThemeFile) -> ThemeFile:
    """What a theme looks like where there are sixteen colours: the nearest ones would hide the selected line."""
    return theme if theme.ansi else msgspec.structs.replace(theme, roles=_shipped(SIXTEEN).roles)


def signature(name: str, user: Path | None = None) -> Signature | None:
    """What tells whether a theme's file was saved anew; None if there is none."""
    try:
        path = find(name, user)
        found = path.stat()
    except (OSError, ThemeError):
        return None
    return str(path), found.st_ino, found.st_mtime_ns, found.st_size
