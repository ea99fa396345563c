"""What a real ComfyUI 0.8.0 answered and told, against what this engine answers and tells to the same.

The recordings lie beside the repository and are not part of it; without them this is skipped.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import struct
from typing import Any

import pytest
from PIL import Image

from tests.engine.server import recordings
from tests.engine.server.differences import DIFFERENCES, FREE, OPEN, UNORDERED
from tests.engine.server.recordings import DEMO, Answer, Frame, Replay
from tests.support.engine import start_engine

EXCHANGES = recordings.exchanges()
pytestmark = pytest.mark.skipif(not EXCHANGES, reason="no recordings beside the repository")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    base = tmp_path_factory.mktemp("replay")
    recordings.prepare(base)
    engine = start_engine(base)
    try:
        return asyncio.run(recordings.replay(engine))
    finally:
        engine.stop()


def compare(theirs: Any, ours: Any, where: str) -> list[str]:
    """Every place where ours is another value or another type."""
    if any(pattern.match(where) for pattern in FREE):
        return [] if _kind(theirs) == _kind(ours) else [f"{where}: {_kind(ours)}, not {_kind(theirs)}"]
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{where}.{key}: missing" for key in theirs if key not in ours]
        found += [f"{where}.{key}: not theirs" for key in ours if key not in theirs]
        for key in theirs.keys() & ours.keys():
            found += compare(theirs[key], ours[key], f"{where}.{key}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        if any(pattern.match(where) for pattern in UNORDERED):
            theirs, ours = sorted(theirs), sorted(ours)
        if any(pattern.match(where) for pattern in OPEN):
            theirs, ours = theirs[:1], ours[:1]
        if len(theirs) != len(ours):
            return [f"{where}: {len(ours)} elements, not {len(theirs)}: {ours!r:.300}, not {theirs!r:.300}"]
        return [one for i in range(len(ours)) for one in compare(theirs[i], ours[i], f"{where}[{i}]")]
    if isinstance(theirs, str) and isinstance(ours, str):  # the letters of a run's temporary files are random
        theirs, ours = (re.sub("(?<=^ComfyUI_temp_)[a-z]{5}(?=_)", "letters", one) for one in (theirs, ours))
    same = theirs == ours and _kind(theirs) == _kind(ours)
    return [] if same else [f"{where}: {ours!r:.200}, not {theirs!r:.200}"]


def _kind(value: Any) -> str:
    # 1 and 1.0 are one number to JSON.
    return "number" if type(value) in (int, float) else type(value).__name__


def without_demo(value: Any) -> Any:
    """Without the model that comes with the engine, which is listed always."""
    if isinstance(value, dict):
        return {key: without_demo(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_demo(one) for one in value if not _is_demo(one)]
    return value.replace(f"'{DEMO.name}', ", "") if isinstance(value, str) else value


def _is_demo(value: Any) -> bool:
    name = value.get("name") if isinstance(value, dict) else value
    return name in (DEMO.name, str(DEMO.parent))


def judge(number: int, ours: Answer, made: Replay) -> list[str]:
    theirs = made.translate(EXCHANGES[number]["response"])
    found = [] if ours.status == theirs["status"] else [f"{number} status: {ours.status}, not {theirs['status']}"]
    for name, value in theirs["headers"].items():
        if name != "content-length" and ours.headers.get(name) != value:
            found.append(f"{number} headers.{name}: {ours.headers.get(name)!r}, not {value!r}")
    if "json" in theirs:
        try:
            said = json.loads(ours.body)
        except ValueError:
            return [*found, f"{number} body: {ours.body[:100]!r} is not JSON"]
        found += compare(theirs["json"], without_demo(said), f"{number} $")
    elif "text" in theirs and ours.body.decode() != theirs["text"]:
        found.append(f"{number} body: {ours.body[:200]!r}, not {theirs['text'][:200]!r}")
    elif "binary_bytes" in theirs and len(ours.body) != theirs["binary_bytes"]:
        found.append(f"{number} body: {len(ours.body)} bytes, not {theirs['binary_bytes']}")
    return found


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=lambda n: f"{n} {recordings.name_of(EXCHANGES[n])}")
def test_exchange(replayed: Replay, number: int) -> None:
    problems = judge(number, replayed.answers[number], replayed)
    left = [one for one in problems if not any(difference.excuses(one) for difference in DIFFERENCES)]
    assert not left, "\n".join(left)


# ── sockets ─────────────────────────────────────────────────────────────────────────────────────


def story(frames: list[Frame], name: str) -> list[Any]:
    """What is told in order: without `status`, which comes when clients act and not when the prompt does."""
    told = [_shown(frame) for frame in frames]
    told = [one for one in told if one["type"] != "status"]
    if name == "interrupted":  # how many steps were done by then is a matter of speed
        told = [one for one in told if not _between(one)]
    # The first picture is compared, and its place among the others' words. The rest is limited in pictures a second.
    pictures = [one for one in told if "picture" in one]
    return [one for one in told if "picture" not in one or one is pictures[0]]


def queue_lengths(frames: list[Frame]) -> list[Any]:
    return [frame["data"] for frame in frames if isinstance(frame, dict) and frame["type"] == "status"]


def _shown(frame: Frame) -> dict[str, Any]:
    if isinstance(frame, dict):
        return frame
    kind, second = struct.unpack(">II", frame[:8])
    about = {"format": second} if kind == 1 else json.loads(frame[8 : 8 + second])
    with Image.open(io.BytesIO(frame[8:] if kind == 1 else frame[8 + second :])) as picture:
        return {"type": f"binary {kind}", "data": about, "picture": [picture.format, *picture.size, picture.mode]}


def _between(told: dict[str, Any]) -> bool:
    data = told["data"]
    if told["type"] == "progress":
        return bool(data["value"] > 1)
    return told["type"] == "progress_state" and any(1 < node["value"] < node["max"] for node in data["nodes"].values())


@pytest.mark.parametrize("name", recordings.transcripts())
def test_transcript(replayed: Replay, name: str) -> None:
    theirs, ours = replayed.translate_frames(recordings.transcripts()[name]), replayed.frames[name]
    assert queue_lengths(ours) == queue_lengths(theirs)
    expected, told = story(theirs, name), story(ours, name)
    assert [one["type"] for one in told] == [one["type"] for one in expected]
    problems = compare(expected, told, name)
    left = [one for one in problems if not any(difference.excuses(one) for difference in DIFFERENCES)]
    assert not left, "\n".join(left)


# ── nodes ───────────────────────────────────────────────────────────────────────────────────────


def test_nodes_are_described_as_there(replayed: Replay) -> None:
    """Keys, their order, types, options and choices of every node that both have."""
    theirs = json.loads((recordings.FOLDER / "object_info.json").read_text())
    ours = without_demo(replayed.object_info)
    assert not ours.keys() - theirs.keys(), "a node that ComfyUI does not have"
    wrong: list[str] = []
    for name, info in ours.items():
        wrong += compare(_without_words(theirs[name]), _without_words(info), name)
        wrong += [f"{name}: keys in another order" for _ in [0] if _order(info) != _order(theirs[name])]
    assert not wrong, "\n".join(wrong)


def _without_words(info: dict[str, Any]) -> dict[str, Any]:
    """Descriptions are our own sentences; that there are some is compared, and not what they say."""
    text = json.loads(json.dumps(info))
    del text["description"]
    if "output_tooltips" in text:
        text["output_tooltips"] = [one is None for one in text["output_tooltips"]]
    for section in ("required", "optional"):
        for spec in text["input"].get(section, {}).values():
            if len(spec) > 1 and "tooltip" in spec[1]:
                spec[1]["tooltip"] = ""
            if spec[1:] == [{}]:
                del spec[1]  # options that say nothing
    return text


def _order(info: dict[str, Any]) -> list[Any]:
    inputs = info["input"]
    return [list(info), list(inputs), [list(names) for names in inputs.values()], info["input_order"]]


# ── the excuses ────────────────────────────────────────────────────────────────────────────


def test_no_excuse_is_left_over(replayed: Replay) -> None:
    """An excuse that nothing needs any more hides the next mistake."""
    problems = [one for n, answer in replayed.answers.items() for one in judge(n, answer, replayed)]
    for name, frames in replayed.frames.items():
        theirs = replayed.translate_frames(recordings.transcripts()[name])
        problems += compare(story(theirs, name), story(frames, name), name)
    unused = [d.pattern for d in DIFFERENCES if not any(d.excuses(one) for one in problems)]
    assert not unused
