"""`comfytui doctor`: each fact, each line that fixes something, and what it never does."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from comfytui.cli.doctor import findings, terminal, tmux
from comfytui.cli.doctor.findings import Finding, State
from tests.support.replay import FakeComfy
from tests.support.terminal import KITTY, SIXEL, Terminal

from .conftest import Call

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8"}
COMMAND = [sys.executable, "-m", "comfytui", "doctor"]
ROOT = str(Path(__file__).parents[2])


def of(name: str, environment: dict[str, str], size: tuple[int, int] | None = (120, 40)) -> Finding:
    return next(each for each in terminal.facts(environment, size) if each.name == name)


@pytest.mark.parametrize(
    ("name", "environment", "state", "fix"),
    [
        ("TERM", {"TERM": ""}, State.WRONG, "export TERM=xterm-256color"),
        ("TERM", {"TERM": "dumb"}, State.WRONG, "export TERM=xterm-256color"),
        ("TERM", {}, State.OK, ""),
        ("text", {"LANG": "C"}, State.WRONG, "export LANG=C.UTF-8"),
        ("text", {"LC_ALL": "de_DE.ISO-8859-1"}, State.WRONG, "export LC_ALL=C.UTF-8"),
        ("text", {"LC_CTYPE": "C.utf8", "LANG": "C"}, State.OK, ""),
        ("colours", {}, State.OK, ""),
        ("colours", {"COLORTERM": ""}, State.NOTE, "export COLORTERM=truecolor"),
        ("colours", {"COLORTERM": "", "SSH_CONNECTION": "10.0.0.2 1 10.0.0.1 22"}, State.NOTE, "SendEnv COLORTERM"),
        ("colours", {"NO_COLOR": "1"}, State.NOTE, ""),
    ],
)
def test_the_terminal(name: str, environment: dict[str, str], state: State, fix: str) -> None:
    found = of(name, {**GOOD, **environment})
    assert found.state is state, found
    assert (fix in found.fix) if fix else not found.fix


def test_a_terminal_that_this_machine_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".terminfo").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    found = of("TERM", {**GOOD, "TERM": "xterm-of-tomorrow"})
    assert found.state is State.NOTE and "infocmp -x xterm-of-tomorrow" in found.fix[0]


DEFAULTS = {
    ("show-options", "-s"): "escape-time 500\nset-clipboard external\nfocus-events off\n"
    "default-terminal screen-256color\nterminal-features[0] xterm*:clipboard:ccolour\nterminal-overrides[0] linux*:AX@\n",
    ("show-options", "-g"): "mouse off\n",
    ("show-options", "-gw"): "allow-passthrough off\n",
    ("-V",): "tmux 3.3a\n",
    ("display-message", "-p", "#{client_termname}\t#{client_termfeatures}"): "alacritty\tclipboard,title\n",
}


def in_tmux(**options: str) -> dict[str, Finding]:
    """The findings in a tmux with those options."""

    def ask(*arguments: str) -> str:
        text = DEFAULTS[arguments]
        for name, value in options.items():
            text = "".join(
                f"{line.split(' ')[0]} {value}\n"
                if line.split("[")[0].split(" ")[0] == name.replace("_", "-")
                else f"{line}\n"
                for line in text.splitlines()
            )
        return text

    return {each.name: each for each in tmux.facts({"TMUX": "/tmp/x,1,0", "TERM": "tmux-256color"}, ask)}


def test_each_option_of_tmux_that_is_wrong_has_the_line_that_fixes_it() -> None:
    found = in_tmux()
    fixes = {name: each.fix for name, each in found.items() if each.fix}
    assert fixes == {
        "colours": ('set -as terminal-features ",alacritty:RGB"',),
        "allow-passthrough": ("set -g allow-passthrough on",),
        "focus-events": ("set -g focus-events on",),
        "escape-time": ("set -sg escape-time 10",),
    }
    assert found["allow-passthrough"].state is found["escape-time"].state is State.WRONG
    better = in_tmux(allow_passthrough="on", focus_events="on", escape_time="10", terminal_features='"alacritty:RGB"')
    assert not [each for each in better.values() if each.fix]
    assert in_tmux(set_clipboard="off")["set-clipboard"].fix == ("set -s set-clipboard external",)
    assert in_tmux(default_terminal="xterm")["default-terminal"].fix == ('set -g default-terminal "tmux-256color"',)


def test_outside_of_tmux_nothing_is_said_of_it() -> None:
    assert not list(tmux.facts(GOOD, lambda *_: pytest.fail("asked")))


def test_a_tmux_that_does_not_answer_is_no_error() -> None:
    (found,) = tmux.facts({"TMUX": "/gone,1,0"}, lambda *_: "")
    assert found.state is State.NOTE


def test_servers_are_asked_at_once_and_each_is_told(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "settings.toml").write_text(
        f'server = "box"\n[servers.box]\nurl = "{server.url}"\n[servers.gone]\nurl = "http://127.0.0.1:9"\n'
        '[servers.locked]\nurl = "http://127.0.0.1:9"\ntoken = "$NO_SUCH_TOKEN"\n',
        "utf-8",
    )
    done = call("doctor", "--json")
    assert done.code == 1
    found = {each["name"]: each for each in done.json["findings"] if each["section"] == "servers"}
    assert found["box"]["state"] == "ok" and " ms" in found["box"]["value"]
    assert found["gone"]["state"] == "wrong" and "refuses" in found["gone"]["value"]
    assert found["locked"]["state"] == "wrong" and "NO_SUCH_TOKEN" in found["locked"]["value"]


def test_a_server_that_nobody_named_is_no_fault(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    for name in ("TMUX", "STY", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    done = call("doctor", "--offline")
    assert done.code == 0, done.out
    assert "Nothing is wrong." in done.out


def test_a_wrong_settings_file_is_a_finding_and_not_the_end(call: Call, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "settings.toml").write_text('thema = "dark"\n', "utf-8")
    done = call("doctor", "--offline")
    assert done.code == 1
    assert "Did you mean theme?" in done.out


def doctor(tmp_path: Path, *options: str, settings: str = "", **terminal_options: object) -> tuple[str, int]:
    """The real program in a terminal: all it wrote, and its exit code."""
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "settings.toml").write_text(settings, "utf-8")
    with Terminal([*COMMAND, "--offline", *options], 120, 50, cwd=ROOT, **terminal_options) as t:  # type: ignore[arg-type]
        code = t.wait_exit()
        return bytes(t.raw).decode(), code


def test_keys_and_themes_that_are_wrong_are_named(tmp_path: Path) -> None:
    themes = tmp_path / "config" / "themes"
    themes.mkdir(parents=True)
    (themes / "mine.toml").write_text('[roles]\ntext = "no colour"\n', "utf-8")
    keys = '[keys]\n"queue.cancle" = "z"\n"queue.hold" = "x"\n'
    shown, code = doctor(tmp_path, settings=keys)
    assert code == 1
    assert "Did you mean queue.cancel" in shown
    assert "queue.cancel" in shown and "no key now" in shown
    assert "mine.toml" in shown


@pytest.mark.parametrize(("says", "said"), [(KITTY, "kitty's graphics"), (SIXEL, "sixel"), ({}, "half blocks")])
def test_the_terminal_is_asked_for_pictures(tmp_path: Path, says: dict[bytes, bytes], said: str) -> None:
    shown, _ = doctor(tmp_path, says=says)
    line = next(line for line in shown.splitlines() if " pictures " in line)
    assert said in line


def test_a_silent_terminal_is_not_waited_for(tmp_path: Path) -> None:
    start = time.monotonic()
    shown, _ = doctor(tmp_path, answers=False)
    assert "answers no question" in shown
    assert time.monotonic() - start < 15  # the program's start on a busy machine; a hang would be for ever


def test_what_the_environment_says_does_not_steer_the_terminal(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM_PROGRAM", "evil\x1b]0;x\x07")
    done = call("doctor", "--offline")
    assert "\x1b" not in done.out and "evil" in done.out


def test_text_and_json_tell_the_same() -> None:
    found = [Finding("tmux", "mouse", "off", State.WRONG, "in a file", ("set -g mouse on",)), Finding("a", "b", "c")]
    text = "\n".join(findings.lines(found))
    assert "!!  mouse" in text and "in a file:" in text and "set -g mouse on" in text and "1 wrong" in text
    assert not findings.ok(found)


def test_neither_torch_nor_the_screens_are_loaded_for_it(tmp_path: Path) -> None:
    import subprocess

    code = "import sys; import comfytui.cli.doctor.command as c; c.collect(None, True); print([m for m in sys.modules if m.split('.')[0] in ('torch','textual','aiohttp')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=dict(os.environ)
    )
    assert json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')) == []
