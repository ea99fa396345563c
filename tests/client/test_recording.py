"""Recordings: what is in the file and what never is, its bound, and that a damaged one is refused with a reason."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.client.recording import BLOT, BadRecording, Recorder, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    times = iter(range(100))
    recorder = Recorder(path, clock=lambda: float(next(times)))
    recorder.opened("me")
    recorder.frame('{"type": "status"}')
    recorder.frame(b"\0\0\0\1\xff")
    recorder.answer(1.5, "GET", "/view", {"filename": "ä.png"}, 200, "image/png", b"\x89PNG\xff")
    recorder.answer(2.0, "GET", "/queue", None, 500, "text/plain", "böse".encode())
    recorder.closed()
    recorder.close()
    recorder.frame("late")
    found = load(path)
    assert found.client_id == "me"
    assert [row.kind for row in found.rows] == ["open", "text", "binary", "http", "http", "closed"]
    assert found.rows[2].data == b"\0\0\0\1\xff"
    assert (found.rows[3].query, found.rows[3].data) == ({"filename": "ä.png"}, b"\x89PNG\xff")
    assert (found.rows[4].status, found.rows[4].data.decode()) == (500, "böse")
    assert [row.t for row in found.rows] == sorted(row.t for row in found.rows)
    assert path.stat().st_mode & 0o077 == 0


def test_secrets_are_never_in_it(path: Path) -> None:
    recorder = Recorder(path)
    recorder.hide(["hunter2-token", 'quo"ted'])
    said = {
        "argv": ["main.py", "--token", "s3cret-a", "--api-key=s3cret-b"],
        "settings": {"Some.api_key": "s3cret-c", "auth_token_comfy_org": "s3cret-d", "password": 's3cret-e\\" s3cret-f'},
        "echo": "Bearer hunter2-token", "quoted": 'quo"ted',
        "nested": json.dumps({"client_secret": "s3cret-g"}),
    }  # fmt: skip
    recorder.answer(0, "GET", "/system_stats", None, 200, "application/json", json.dumps(said).encode())
    recorder.frame(json.dumps({"type": "x", "data": said}))
    recorder.close()
    text = path.read_text()
    for secret in ("s3cret", "hunter2", 'quo\\\\\\"ted'):
        assert secret not in text
    assert json.loads(load(path).rows[0].data)["settings"]["Some.api_key"] == BLOT


def test_what_only_sounds_secret_stays(path: Path) -> None:
    recorder = Recorder(path)
    graph = {"inputs": {"max_tokens": 12, "text": "the secret garden", "token_normalization": "none"}}
    recorder.frame(json.dumps(graph))
    recorder.close()
    assert json.loads(load(path).rows[0].data) == graph


def test_a_full_file_ends_and_says_so_once(path: Path) -> None:
    said: list[str] = []
    recorder = Recorder(path, limit=1000)
    recorder.on_problem = said.append
    for _ in range(100):
        recorder.frame("x" * 100)
    assert path.stat().st_size <= 1000
    assert len(said) == 1
    assert str(path) in said[0]
    assert load(path).rows


def test_a_long_answer_is_noted_without_its_bytes(path: Path) -> None:
    recorder = Recorder(path)
    recorder.answer(0, "GET", "/view", None, 200, "video/mp4", bytes(9 << 20))
    recorder.close()
    assert path.stat().st_size < 1000
    assert load(path).rows[0].status == 404


def test_a_cut_last_line_is_left_out(path: Path) -> None:
    recorder = Recorder(path)
    recorder.frame("one")
    recorder.frame("two")
    recorder.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert [row.data for row in load(path).rows] == [b"one"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds nothing"),
        ("hello\n", "line 1: not JSON"),
        ('{"a": 1}\n', "no recording"),
        ('{"comfytui_recording": 1}\n', "holds nothing"),
        ('{"comfytui_recording": 1}\n[]\n', "line 2: not an object"),
        ('{"comfytui_recording": 1}\n{"t": 1}\n', "line 2"),
        ('{"comfytui_recording": 1}\n{"t": 1, "binary": "!"}\n', "line 2"),
        ('{"comfytui_recording": 1}\n{"t": "x", "text": ""}\n', "line 2"),
    ],
)
def test_what_is_no_recording_is_refused(path: Path, content: str, says: str) -> None:
    path.write_text(content)
    with pytest.raises(BadRecording, match=says):
        load(path)


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["t", "http", "text", "binary", "open", "asked", "method", "path", "status", "base64", "query"]), x,
), max_leaves=8)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=4))
def test_no_file_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.mktemp("tape") / "x"
    path.write_text('{"comfytui_recording": 1}\n' + "".join(json.dumps(row) + "\n" for row in rows))
    with contextlib.suppress(BadRecording):
        load(path)
