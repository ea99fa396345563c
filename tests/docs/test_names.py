"""What the pages call by name exists: keys, flags, settings, variables, ids of actions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from comfytui.cli.main import cli
from comfytui.settings.schema import Profile, Settings, Ssh, options
from comfytui.tui import actions
from engine import options as engine_options
from tests.docs.pages import DOCS, PAGES, ROOT, prose

KEYS = {"*": "asterisk", "/": "slash", "?": "question_mark", ":": "colon", ">": "greater_than_sign", "esc": "escape"}
# Flags of other programs, or of our scripts, which their own tests run.
OTHERS = {"--check", "--out", "--strict", "--png", "--user", "--resume", "--device"}


CONTEXT = click.Context(cli)


def named(page: Path) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", prose(page))


def ours(command: click.Command) -> set[str]:
    """The flags of a command, and of those below it."""
    found = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for name in command.list_commands(CONTEXT) if isinstance(command, click.Group) else ():
        below = command.get_command(CONTEXT, name)
        assert below is not None
        found |= ours(below)
    return found


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_keys_are_bound(page: Path) -> None:
    bound = {key for action in actions.ACTIONS for key in action.keys.split(",")}
    for name in named(page):
        key = KEYS.get(name, name.lower() if re.fullmatch(r"F\d+", name) else name)
        if re.fullmatch(r"[a-zA-Z]|ctrl\+[a-z]|f\d+|[*/?:>]", name) or name in KEYS:
            assert key in bound or page.name in ("demo-model.md", "developing.md", "settings.md"), name


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_flags_exist(page: Path) -> None:
    known = ours(cli) | OTHERS | {"--help", "--"}
    known |= set(re.findall(r"--[\w-]+", engine_options.parser().format_help()))
    for name in named(page):
        if name.startswith("python tools/"):  # theirs to know
            continue
        for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", name):
            assert flag in known, f"{flag} in `{name}`"


def test_variables_are_read_somewhere() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for folder in ("comfytui", "engine") for path in (ROOT / folder).rglob("*.py")
    )
    for page in PAGES:
        for name in named(page):
            for variable in re.findall(r"\bCOMFYTUI_[A-Z_]+[A-Z]\b", name):
                assert variable in code or (variable.startswith("COMFYTUI_JOB_") and "COMFYTUI_JOB_" in code), variable


def test_settings_that_pages_set_exist() -> None:
    """`name = value` in prose is a setting, or a key of a profile."""
    known = {each.key for model in (Settings, Profile, Ssh) for each in options(model)}
    known |= {each.key.partition(".")[2] for each in options()}
    for page in ("remote-box.md", "notifications.md", "troubleshooting.md", "settings.md", "servers.md", "index.md"):
        for name in named(DOCS / page):
            if (found := re.match(r"([a-z_]+) = ", name)) is not None and page != "settings.md":
                assert found[1] in known, f"{page}: {name}"


def test_actions_that_pages_name_exist() -> None:
    ids = {action.id for action in actions.ACTIONS}
    for page in PAGES:
        for name in named(page):
            if re.fullmatch(r"(app|list|live|queue|history|nodes|workflows|servers|logs|models)\.[a-z_]+", name):
                assert name in ids or page.name == "settings.md", f"{page.name}: {name}"
