"""No test of the dashboard sees the developer's own settings, or writes to them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("COMFYTUI_SERVER", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "memory.json").write_text("{}")  # it was used before: the first run greets
