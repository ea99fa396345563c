"""Which server is meant, and which token goes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.settings.schema import SettingsError, validate
from comfytui.settings.servers import chosen, split_token


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMFYTUI_SERVER", "COMFYTUI_TOKEN", "COMFYTUI_ENGINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_the_token_of_a_named_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    settings = validate(
        {
            "servers": {
                "plain": {"url": "box", "token": "given"},
                "variable": {"url": "box", "token": "$MINE"},
                "file": {"url": "box", "token_file": str(file)},
                "none": {"url": "box"},
                "gone": {"url": "box", "token_file": str(tmp_path / "gone")},
            }
        }
    )
    monkeypatch.setenv("MINE", "from-variable")
    assert chosen(settings, "plain").token == "given"
    assert chosen(settings, "variable").token == "from-variable"
    assert chosen(settings, "file").token == "from-file"
    assert chosen(settings, "none").token == ""
    with pytest.raises(SettingsError, match=r"servers\.gone\.token_file: .* cannot be read"):
        chosen(settings, "gone")
    monkeypatch.setenv("COMFYTUI_TOKEN", "from-environment")
    assert chosen(settings, "none").token == "from-environment"
    assert chosen(settings, "http://other:1").token == "from-environment"
    assert chosen(settings, "plain").token == "given"


def test_the_engine_that_we_start_is_known_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    for arguments, token in (
        (["--token", "mine"], "mine"),
        (["--cpu", "--token=mine"], "mine"),
        (["--token-file", str(file)], "from-file"),
        ([f"--token-file={file}", "--cpu"], "from-file"),
        (["--cpu"], ""),
        (["--token-file"], ""),
    ):
        settings = validate({"engine": {"port": 8199, "arguments": arguments}})
        assert chosen(settings, "http://127.0.0.1:8199").token == token
        assert chosen(settings, "localhost:8199").token == token
        for other in ("http://127.0.0.1:8188", "http://box:8199", "http://[", "http://127.0.0.1"):
            assert chosen(settings, other).token == ""
    monkeypatch.setenv("COMFYTUI_ENGINE_TOKEN", "inherited")
    assert chosen(validate({"engine": {"port": 8199}}), "127.0.0.1:8199").token == "inherited"


def test_a_token_does_not_stay_among_the_arguments() -> None:
    assert split_token(["--cpu", "--token", "a", "--port", "1"]) == (("--cpu", "--port", "1"), "a")
    assert split_token(["--token=b", "--token-file", "f"]) == (("--token-file", "f"), "b")
    assert split_token(["--token"]) == ((), "")
