"""`kill -9` at random points, again and again: what was accepted is done once, and nothing is half written."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
import urllib.error
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from tests.support.engine import RunningEngine, start_engine

_GONE = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException)


@dataclass
class Ledger:
    """What a client knows: only answers count."""

    accepted: dict[str, int] = field(default_factory=dict)  # prompt id → colour, in the order of the answers
    asked: dict[str, int] = field(default_factory=dict)  # also those without an answer
    pictures: dict[int, int] = field(default_factory=dict)  # colour → pictures of the job
    numbers: list[float] = field(default_factory=list)  # of the accepted ones
    seen: set[str] = field(default_factory=set)  # that a client saw in the history
    settled: dict[str, int] = field(default_factory=dict)  # how many pictures these had at the next kill
    setting: set[int] = field(default_factory=lambda: {0})  # what may be stored: the last answered, and what came after
    file: set[int] = field(default_factory=lambda: {0})


def _graph(colour: int, batch: int) -> dict[str, Any]:
    side = 32 if batch == 1 else 192
    inputs = {"width": side, "height": side, "batch_size": batch, "color": colour}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "k"}},
    }


class Client(threading.Thread):
    """Submits and writes until the engine is gone."""

    def __init__(self, engine: RunningEngine, ledger: Ledger, seed: int) -> None:
        super().__init__(daemon=True)
        self.engine, self.ledger, self.random = engine, ledger, random.Random(seed)
        self.answered = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while True:
                self._settle()
                self._submit()
                self.answered.set()
                if self.random.random() < 0.3:
                    status, body = self.engine.get("/history?max_items=1000000")
                    assert status == 200, body
                    self.ledger.seen |= set(json.loads(body))
                time.sleep(self.random.random() * 0.03)  # so that the queue is short at some times, and empty at others
        except _GONE:
            self.answered.set()
        except BaseException as error:
            self.failure = error
            self.answered.set()

    def _submit(self) -> None:
        ledger = self.ledger
        colour = len(ledger.asked) + 1
        prompt_id = f"00000000-0000-4000-8000-{colour:012}"
        batch = self.random.choice((1, 1, 1, 6))
        ledger.asked[prompt_id], ledger.pictures[colour] = colour, batch
        status, body = self.engine.call("POST", "/prompt", {"prompt": _graph(colour, batch), "prompt_id": prompt_id})
        assert status in (200, 503), body
        if status == 200:
            ledger.accepted[prompt_id] = colour
            ledger.numbers.append(json.loads(body)["number"])

    def _settle(self) -> None:
        for place, stored in (
            ("/settings/Keep.count", self.ledger.setting),
            ("/userdata/count.json", self.ledger.file),
        ):
            value = max(stored) + 1
            stored.add(value)
            status, body = self.engine.call("POST", place, value)
            assert status == 200, body
            stored.intersection_update({value})


def _kill(engine: RunningEngine, whole: bool) -> None:
    """End the front, or everything, as the kernel does when memory runs out."""
    children = psutil.Process(engine.process.pid).children(recursive=True)
    os.kill(engine.process.pid, signal.SIGKILL)
    for child in children if whole else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    engine.process.wait(20)
    _, alive = psutil.wait_procs(children, 20)
    assert not alive, "a worker outlived its front"


def _check_kept(engine: RunningEngine, ledger: Ledger) -> None:
    """Settings and user data are one of the versions that they may be, and whole."""
    for place, stored in (("/settings/Keep.count", ledger.setting), ("/userdata/count.json", ledger.file)):
        status, body = engine.get(place)
        if status == 404 or body == b"null":
            assert 0 in stored
            continue
        assert int(body) in stored
        stored.intersection_update({int(body)})


def _check_all(engine: RunningEngine, ledger: Ledger, kills: int) -> Counter[str]:
    history = json.loads(engine.get("/history")[1])
    assert set(ledger.accepted) <= set(history), "an accepted job is lost"
    assert set(history) <= set(ledger.asked)
    assert all(entry["status"]["status_str"] == "success" for entry in history.values()), history
    numbers = [entry["prompt"][0] for entry in history.values()]
    assert numbers == sorted(numbers), "the order was not kept"
    assert len(set(numbers)) == len(numbers)
    assert ledger.numbers == sorted(set(ledger.numbers)), "a number was given twice"

    folder = engine.base / "output"
    by_colour = _pictures(folder)
    named: Counter[str] = Counter()
    for prompt_id, entry in history.items():
        colour = ledger.asked[prompt_id]
        images = entry["outputs"]["2"]["images"]
        assert len(images) == ledger.pictures[colour]
        for image in images:
            named[image["filename"]] += 1
            assert _colour(folder / image["filename"]) == colour, "a name was used for another picture"
    assert not named or max(named.values()) == 1, "an output name was used twice"
    _check_once(by_colour, ledger)
    again = [name for name in history if by_colour[ledger.asked[name]] > ledger.pictures[ledger.asked[name]]]
    assert len(again) <= kills
    return Counter(
        jobs=len(history),
        accepted=len(ledger.accepted),
        seen=len(ledger.seen),
        again=len(again),
        files=sum(by_colour.values()),
    )


def _pictures(folder: Path) -> Counter[int]:
    """How many whole pictures there are of each colour; anything else in the folder is an error."""
    found: Counter[int] = Counter()
    for path in folder.iterdir():
        assert not path.name.startswith("."), path
        found[_colour(path)] += 1
    return found


def _colour(path: Path) -> int:
    with Image.open(path) as picture:
        picture.load()  # raises for a file that is cut short
        red, green, blue = picture.convert("RGB").getpixel((0, 0))
    return red << 16 | green << 8 | blue


def _check_once(found: Counter[int], ledger: Ledger) -> None:
    """Jobs that a client saw done have made no picture since."""
    for prompt_id in ledger.seen:
        colour = ledger.asked[prompt_id]
        assert ledger.settled.setdefault(prompt_id, found[colour]) == found[colour], f"{prompt_id} ran again"


def _ordeal(base: Path, kills: int, seed: int) -> Counter[str]:
    chance, ledger = random.Random(seed), Ledger()
    for number in range(kills):
        engine = start_engine(base)
        _check_kept(engine, ledger)
        client = Client(engine, ledger, seed + number)
        client.start()
        if chance.random() < 0.8:
            assert client.answered.wait(120)  # the worker is there
            time.sleep(chance.random() * 0.5)  # a random point is what is tested
        else:
            time.sleep(chance.random() * 2)
        _kill(engine, whole=chance.random() < 0.5)
        client.join(120)
        assert client.failure is None, client.failure
        _check_once(_pictures(base / "output"), ledger)
    engine = start_engine(base)
    try:
        _check_kept(engine, ledger)
        end = time.monotonic() + 300
        while json.loads(engine.get("/prompt")[1])["exec_info"]["queue_remaining"]:
            assert time.monotonic() < end, "the queue does not end"
            time.sleep(0.05)
        return _check_all(engine, ledger, kills)
    finally:
        engine.stop()


def test_kill_9_at_random_points_loses_nothing(tmp_path: Path) -> None:
    counted = _ordeal(tmp_path, kills=5, seed=1)
    assert counted["accepted"] > 5


@pytest.mark.slow
def test_fifty_kills(tmp_path: Path) -> None:
    counted = _ordeal(tmp_path, kills=50, seed=int(os.environ.get("KILLS_SEED", "2")))
    print(dict(counted))
    assert counted["accepted"] > 50
