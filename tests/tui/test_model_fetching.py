"""A missing model is fetched from the list of what is missing, once the user has said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfytui.settings.schema import Settings
from comfytui.state.model import Phase
from comfytui.tui.app import Dashboard
from comfytui.tui.widgets.line_list import LineList
from tests.fetching.box import NAME, answers, page, trusted
from tests.fetching.mirror import mirror
from tests.support.replay import FakeComfy
from tests.tui.support import settle, text, until

BODY = os.urandom(300_000)


async def test_it_is_asked_for_fetched_and_no_longer_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    flows = tmp_path / "flows"
    flows.mkdir()
    with mirror(BODY, trusted(tmp_path, monkeypatch)) as served:
        (flows / "flux.json").write_text(page(f"{served.url}/{NAME}"))
        async with FakeComfy() as server:
            for path, answer in answers(tmp_path / "models").items():
                server.answer("GET", path, answer)
            app = Dashboard(Settings(images="truecolor", server=server.url, workflow_folders=(str(flows),)))
            async with app.run_test(size=(100, 30)) as pilot:
                await until(pilot, lambda: app.session.state is not None and app.session.state.link.phase is Phase.LIVE)
                await pilot.press("5")
                await until(pilot, lambda: "flux" in text(app), "the list")
                await until(
                    pilot, lambda: "Loader" in (((s := app.session.state) and s.object_info) or {}), "the nodes"
                )
                await settle(pilot)
                await pilot.press("M")
                await until(pilot, lambda: "enter fetches it" in text(app), "the list of what is missing")
                lines = app.screen.query_one(LineList)
                while "enter fetches it" not in str(lines.drawn(lines.key or "", 90)):
                    assert lines.cursor < len(lines.keys) - 1
                    await pilot.press("down")
                await pilot.press("enter")
                await until(pilot, lambda: f"Fetch {NAME} (300 kB) from 127.0.0.1?" in text(app), "the question")
                assert "tells no hash" in text(app)
                await pilot.press("y")
                target = tmp_path / "models" / "flux" / NAME
                await until(pilot, target.exists, "the file")
                assert target.read_bytes() == BODY
                await until(pilot, lambda: "was fetched into" in app.messages.told[-1].text, "the message")
                await until(
                    pilot,
                    lambda: f"flux/{NAME}" in str(app.session.state.object_info if app.session.state else ""),
                    "the new choice",
                )
