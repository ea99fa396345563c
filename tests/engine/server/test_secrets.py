"""Keys and tokens on the real engine: after a job, they are in no file, no answer, no log and no process list."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect

from tests.support.engine import RunningEngine, start_engine

TOKEN = "the-token-of-this-engine-0123456789"
KEYS = {"auth_token_comfy_org": "auth-secret-84fb1", "api_key_comfy_org": "key-secret-19ac7"}
SECRETS = (TOKEN, *KEYS.values())


def call(engine: RunningEngine, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(engine.url + path, data, {"Authorization": f"Bearer {TOKEN}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def prompt(fails: bool) -> dict[str, Any]:
    sizes = {"width": 16, "height": 16, "batch_size": 1, "color": 0}
    image = {"class_type": "EmptyImage", "inputs": sizes}
    # A prefix that leaves its folder passes validation and fails when it runs.
    save = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../x" if fails else "x"}}
    return {"1": image, "2": save}


@pytest.mark.parametrize("way", ["variable", "flag"])
def test_no_secret_is_kept_or_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "variable":
        monkeypatch.setenv("COMFYTUI_ENGINE_TOKEN", TOKEN)
    flags = ["--token", TOKEN] if way == "flag" else []
    engine = start_engine(tmp_path / "base", "--verbose", "DEBUG", *flags)
    seen: list[bytes] = []
    try:
        ids = []
        with connect(engine.url.replace("http", "ws") + f"/ws?clientId=c&token={TOKEN}") as socket:
            for fails in (False, True):
                extra = {**KEYS, "extra_pnginfo": {"workflow": {"id": "w"}}}
                body = {"prompt": prompt(fails), "client_id": "c", "extra_data": extra}
                status, answer = call(engine, "POST", "/prompt", body)
                assert status == 200, answer
                seen.append(answer)
                ids.append(json.loads(answer)["prompt_id"])
                seen.append(call(engine, "GET", "/queue")[1])
            ended = 0
            while ended < 2:
                message = socket.recv(timeout=120)
                seen.append(message if isinstance(message, bytes) else message.encode())
                ended += b'"node":null' in seen[-1].replace(b" ", b"") and b'"executing"' in seen[-1]
        # What is wrong is said without what was sent.
        seen.append(call(engine, "POST", "/prompt", {"prompt": 3, "extra_data": KEYS})[1])
        seen.append(call(engine, "GET", f"/ws?token={TOKEN}")[1])
        seen.append(call(engine, "GET", f"/nosuch?token={TOKEN}")[1])
        paths = [
            "/history",
            "/queue",
            "/system_stats",
            "/api/jobs",
            "/internal/logs",
            "/internal/logs/raw",
            "/settings",
        ]
        for path in (*paths, *(f"/api/jobs/{one}" for one in ids), *(f"/history/{one}" for one in ids)):
            status, answer = call(engine, "GET", path)
            assert status == 200, (path, answer)
            seen.append(answer)
        worker = psutil.Process(engine.process.pid).children()[0]
        seen.append(str((worker.cmdline(), worker.environ())).encode())
        if way == "variable":
            seen.append(str(psutil.Process(engine.process.pid).cmdline()).encode())
    finally:
        engine.stop()
    assert not [text[:300] for text in seen for secret in SECRETS if secret.encode() in text]
    kept = {path: path.read_bytes() for path in (tmp_path / "base").rglob("*") if path.is_file()}
    assert [path for path in kept if path.suffix == ".png"]
    assert [path for path in kept if path.suffix == ".sqlite"]
    assert engine.log in kept
    assert not [(path, secret) for path, data in kept.items() for secret in SECRETS if secret.encode() in data]
