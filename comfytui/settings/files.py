"""Where our files are, and the settings file: read, checked, and changed key by key."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import tomllib
from pathlib import Path
from typing import Any

from comfytui.settings.schema import Settings, SettingsError, validate

MAX_BYTES = 1024 * 1024  # of the settings file
NAME = "settings.toml"
_CHANGING = threading.Lock()


def config_dir() -> Path:
    """Where the settings file is (not created). `COMFYTUI_CONFIG_DIR` overrides the system's place."""
    return _folder("COMFYTUI_CONFIG_DIR", "user_config_dir")


def state_dir() -> Path:
    """Where what is remembered between runs is (not created). `COMFYTUI_STATE_DIR` overrides the system's place."""
    return _folder("COMFYTUI_STATE_DIR", "user_state_dir")


def data_dir(kind: str) -> Path:
    """The folder `examples` or `themes`: inside the installed package, else at the root of the checkout.

    Raises SettingsError if neither has it, which means a broken installation.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise SettingsError(f"{kind}/ is missing from the installation", file=str(package), fix="Install comfytui again")


def settings_path() -> Path:
    """The settings file, whether it exists or not."""
    return config_dir() / NAME


def load(path: Path | None = None) -> Settings:
    """The settings in the file; the defaults if there is none. Raises SettingsError naming the file and the key."""
    path = path or settings_path()
    return validate(_parsed(path, _text(path)), file=str(path))


def change(key: str, value: Any, path: Path | None = None) -> Settings:
    """Set one dotted key (None: back to its default) in the file, and return the new settings.

    The whole is checked before anything is written, and written whole or not at all. Comments and the order of keys
    stay, unless the file spreads the value over several lines (then it is written anew). It reads and writes: call it
    in a thread; of several at once each sees what the one before has written. Raises SettingsError.
    """
    path = path or settings_path()
    with _CHANGING:
        return _changed(key, value, path)


def _changed(key: str, value: Any, path: Path) -> Settings:
    text = _text(path)
    raw = _parsed(path, text)
    *tables, last = key.split(".")
    at = raw
    for name in tables:
        at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise SettingsError("is not a table", file=str(path), key=key)
    if value is None:
        at.pop(last, None)
    else:
        at[last] = list(value) if isinstance(value, tuple) else value
    settings = validate(raw, file=str(path))
    from comfytui.settings import toml_edit  # only who changes a setting pays for the writer

    _write(path, toml_edit.changed(text, raw, tables, last))
    return settings


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file with these bytes, or leave it as it was. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _folder(variable: str, kind: str) -> Path:
    if given := os.environ.get(variable):
        return Path(given).expanduser()
    import platformdirs

    return Path(getattr(platformdirs, kind)("comfytui", appauthor=False))


def _text(path: Path) -> str:
    """The file's text; empty if there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror or error}", file=str(path)) from error
    if len(data) > MAX_BYTES:
        raise SettingsError("is too large for a settings file", file=str(path), fix="Is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"not TOML: byte {error.start} is not UTF-8", file=str(path), fix="Save it as UTF-8"
        ) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        fix = "Correct the line, or move the file away"
        raise SettingsError(f"not TOML: {error}", file=str(path), fix=fix) from error


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise SettingsError(f"cannot be written: {error.strerror or error}", file=str(path)) from error
