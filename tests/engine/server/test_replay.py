"""Requests that a real ComfyUI 0.8.0 answered, sent to this engine: the same status and the same shape.

The recordings lie beside the repository and are not part of it; without them this is skipped.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.engine import REPOSITORY, RunningEngine, start_engine

RECORDINGS = REPOSITORY.parent / "shared/recordings/http.json"
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside the repository")

# What differs on purpose: the number of the exchange → (our status, why).
DIFFERENT = {
    41: (400, "a body that is not JSON is the sender's fault, and the answer says where"),
    81: (400, "the same"),
    95: (200, "the output that depends on a cycle is named in node_errors, not dropped in silence"),
    135: (404, "DELETE /history/{id} exists; the entry is already gone"),
    136: (404, "DELETE /queue/{id} exists; nothing waits by this id"),
}
# Answers whose content belongs to that server: its history, its queue at that moment, its files.
ELSEWHERE = {
    10: "scripts of the web front end, which is not here",
    **dict.fromkeys(
        (2, 26, 30, 101, 111, 112, 113, 121, 123, 127, 128, 129), "the state of that server at that moment"
    ),
    **dict.fromkeys((105, 107, 109, 115, 117, 124, 126, 131, 132), "names a prompt of that run"),
    **dict.fromkeys(
        (96, 97, 98, 99, 104, 106, 108, 110, 116, 118, 119, 120, 130), "runs a model for seconds; the parity tests do"
    ),
}
# Keys that this engine adds.

_ADDED = frozenset({"engine", "worker"})


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    base = tmp_path_factory.mktemp("replay")
    for name in ("parity-mini.safetensors", "parity-sd15.safetensors"):  # only their names matter here
        path = base / "models/checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    engine = start_engine(base)
    yield engine
    engine.stop()


def send(engine: RunningEngine, request: dict[str, Any]) -> tuple[int, str, bytes]:
    data = base64.b64decode(request["raw_base64"]) if request.get("raw_base64") else None
    if "json" in request and request["json"] is not None:
        data = json.dumps(request["json"]).encode()
    made = urllib.request.Request(engine.url + request["path"].replace(" ", "%20"), data=data, method=request["method"])
    for name, value in (request.get("headers") or {}).items():
        made.add_header(name, value)
    try:
        with urllib.request.urlopen(made, timeout=120) as response:
            return response.status, response.headers.get("Content-Type", ""), response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type", ""), error.read()


def compare(theirs: Any, ours: Any, where: str) -> list[str]:
    """How the shape of our answer differs: keys and types, the first element of lists."""
    if isinstance(theirs, bool) or theirs is None or isinstance(theirs, str):
        return [] if type(theirs) is type(ours) else [f"{where}: {type(ours).__name__}, not {type(theirs).__name__}"]
    if isinstance(theirs, int | float):
        return [] if isinstance(ours, int | float) else [f"{where}: {type(ours).__name__}, not a number"]
    if type(theirs) is not type(ours):
        return [f"{where}: {type(ours).__name__}, not {type(theirs).__name__}"]
    if isinstance(theirs, list):
        return compare(theirs[0], ours[0], f"{where}[0]") if theirs and ours else []
    found = [f"{where}.{key}: missing" for key in theirs.keys() - ours.keys()]
    found += [f"{where}.{key}: not theirs" for key in ours.keys() - theirs.keys() - _ADDED]
    for key in theirs.keys() & ours.keys():
        found += compare(theirs[key], ours[key], f"{where}.{key}")
    return found


def test_the_recorded_exchanges(replayed: RunningEngine) -> None:
    wrong: list[str] = []
    for number, exchange in enumerate(json.loads(RECORDINGS.read_text())):
        if number in ELSEWHERE:
            continue
        request, theirs = exchange["request"], exchange["response"]
        name = f"{number} {request['method']} {request['path']} {exchange.get('note') or ''}"
        status, kind, body = send(replayed, request)
        expected = DIFFERENT.get(number, (theirs["status"], ""))[0]
        if status != expected:
            wrong.append(f"{name}: {status}, not {expected}: {body[:200]!r}")
            continue
        if number in DIFFERENT:
            continue
        if "json" in theirs and theirs["json"] is not None:
            wrong += [f"{name}: {problem}" for problem in compare(theirs["json"], json.loads(body), "$")]
        elif "text" in theirs and theirs["text"] is not None and body.decode() != theirs["text"]:
            wrong.append(f"{name}: {body[:80]!r}, not {theirs['text'][:80]!r}")
        their_kind = (theirs.get("headers") or {}).get("content-type")
        if their_kind and kind and kind != their_kind:
            wrong.append(f"{name}: content type {kind}, not {their_kind}")
    assert not wrong, "\n".join(wrong)
