"""The examples that a reader would copy work: settings files, and each step of docs/developing.md."""

from __future__ import annotations

import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from comfytui.settings.schema import Settings, SettingsError, validate
from comfytui.tui import actions
from comfytui.tui.actions.user_keys import checked
from tests.docs.pages import DOCS, PAGES, Block, blocks, prose
from tests.tui import sample
from tests.tui.support import running, settle, text

DEVELOPING = DOCS / "developing.md"
THEME_KEYS = {"base", "dark", "roles"}


def example(name: str) -> str:
    return next(block.text for block in blocks(DEVELOPING) if block.name == name)


def tomls() -> list[Block]:
    return [block for page in PAGES for block in blocks(page, "toml")]


@pytest.mark.parametrize("block", tomls(), ids=lambda block: f"{block.page}: {block.text[:20]!r}")
def test_settings_can_be_copied(block: Block, tmp_path: Path) -> None:
    raw = tomllib.loads(block.text)
    if set(raw) <= THEME_KEYS:
        from comfytui.tui import theme

        path = tmp_path / "mine.toml"
        path.write_text(block.text, encoding="utf-8")
        assert theme.read(path).roles.accent == raw["roles"]["accent"]
        return
    settings = validate(raw)
    assert not checked(settings.keys, actions.ACTIONS).problems


def test_the_file_with_everything_is_the_defaults() -> None:
    whole = max((block for block in tomls() if block.page == "settings.md"), key=lambda block: len(block.text))
    assert validate(tomllib.loads(whole.text)) == Settings()
    wrong = whole.text.replace("previews = true", 'previews = "perhaps"')
    with pytest.raises(SettingsError, match="previews"):
        validate(tomllib.loads(wrong))


def test_named_files_exist() -> None:
    """A page for those who change the code is worth nothing if it points to files that have moved."""
    named = set(re.findall(r"`((?:comfytui|engine|tests|tools|themes|docs|benchmarks)/[\w./-]*)`", prose(DEVELOPING)))
    invented = {"comfytui/tui/screens/uptime.py"}  # its example says to write it
    assert len(named) > 20
    missing = {name for name in named - invented if not (DOCS.parent / name).exists()}
    assert not missing


def test_a_key_can_be_added() -> None:
    from comfytui.tui.actions.action import Action
    from comfytui.tui.actions.situation import on_selection

    action = eval(example("key"), {"Action": Action, "on_selection": on_selection})
    assert action.id not in {each.id for each in actions.ACTIONS}
    taken = {key for each in actions.of(action.where) for key in each.keys.split(",")}
    assert action.keys not in taken


async def test_a_screen_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("uptime_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(example("screen"), "uptime.py", "exec"), module.__dict__)
    added = actions.ScreenSpec("uptime", "0", "Uptime", "uptime_example:UptimeView")
    monkeypatch.setattr("comfytui.tui.stage.SCREENS", (*actions.SCREENS, added))
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        await app.action_show("uptime")
        await settle(pilot)
        assert "live since 10 min ago" in text(app)


def test_a_setting_can_be_added() -> None:
    line = example("setting").strip()
    body = {"Annotated": Annotated, "Meta": msgspec.Meta, "msgspec": msgspec}
    exec(f"class More(msgspec.Struct):\n    {line}", body)
    more: Any = body["More"]
    assert more().beep_on_error is False


def test_a_node_can_be_added(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from engine.nodes import image
    from tests.engine.nodes.support import folders

    scope = dict(vars(image))
    exec(example("node"), scope)
    node = scope["image_gain"]
    assert node.info(folders(tmp_path))["input"]["required"]["gain"][1]["max"] == 10.0
    (light,) = node.function(torch.full((1, 2, 2, 3), 0.4), 2.0)
    assert float(light.max()) == pytest.approx(0.8)


async def test_a_route_can_be_added() -> None:
    from aiohttp import web
    from aiohttp.test_utils import TestClient, TestServer

    from engine.server.routes import prompt

    scope = dict(vars(prompt))
    exec(example("route"), scope)
    scope["services"] = lambda _: types.SimpleNamespace(dispatcher=types.SimpleNamespace(remaining=3))
    application = web.Application()
    application.router.add_get("/queue/waiting", scope["waiting"])
    async with TestClient(TestServer(application)) as client:
        assert await (await client.get("/queue/waiting")).json() == {"waiting": 3}
