"""The worker as a process of its own, spoken to over its socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from engine.files.folders import Folders
from engine.options import Options, to_json
from engine.worker import messages as m
from engine.worker.channel import FrameReader, frame

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE = 60.0  # seconds; importing torch on a busy machine takes long

Kind = TypeVar("Kind", bound=msgspec.Struct)


class Worker:
    """A started worker and the front's end of its line."""

    def __init__(self, base: Path, **options: Any) -> None:
        ours, theirs = socket.socketpair()
        chosen = Options(base_directory=str(base), memory_mode="cpu", **options)
        Folders.from_options(chosen).create()
        command = [sys.executable, "-m", "engine.worker.main", to_json(chosen), "--fd", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=REPOSITORY)
        theirs.close()
        ours.settimeout(PATIENCE)
        self.line = ours
        self._reader = FrameReader()
        self._frames: deque[bytes] = deque()
        self.heard: list[m.FromWorker] = []

    def send(self, message: m.ToWorker) -> None:
        self.line.sendall(frame(m.encode(message)))

    def receive(self) -> m.FromWorker:
        while not self._frames:
            data = self.line.recv(1 << 16)
            assert data, "the worker has gone"
            self._frames.extend(self._reader.feed(data))
        message: m.FromWorker = m.decode_from_worker(self._frames.popleft())
        self.heard.append(message)
        return message

    def wait_for(self, kind: type[Kind]) -> Kind:
        while not isinstance(message := self.receive(), kind):
            pass
        return message

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [message.data for message in self.heard if isinstance(message, m.Event) and message.type == kind]

    def validate(self, prompt: dict[str, Any]) -> m.Validated:
        self.send(m.Validate(1, "p", prompt))
        return self.wait_for(m.Validated)

    def run(self, prompt: dict[str, Any], prompt_id: str = "p") -> m.Finished:
        self.heard.clear()
        answer = self.validate(prompt)
        assert answer.error is None, answer
        self.send(m.Execute(prompt_id, answer.prompt, answer.outputs))
        return self.wait_for(m.Finished)

    def end(self) -> None:
        self.line.close()
        self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    started = Worker(tmp_path_factory.mktemp("worker"))
    started.wait_for(m.Ready)
    yield started
    started.end()


def picture(color: int = 0, size: int = 16) -> dict[str, Any]:
    inputs = {"width": size, "height": size, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }


def big_resize(times: int) -> dict[str, Any]:
    """Many heavy nodes in a row: it takes minutes, and may be interrupted between any two."""
    graph = picture(size=4096)
    last = "1"
    for number in range(times):
        name = f"x{number}"
        graph[name] = {
            "class_type": "ImageScale",
            "inputs": {
                "image": [last, 0],
                "upscale_method": "bicubic",
                "width": 4096 - number,
                "height": 4096,
                "crop": "disabled",
            },
        }
        last = name
    graph["2"]["inputs"]["image"] = [last, 0]
    return graph


def test_prompt_runs_and_tells(worker: Worker) -> None:
    finished = worker.run(picture(0x112233))
    assert finished.status == "success"
    (image,) = finished.outputs["3"]["images"]
    assert image["type"] == "temp"
    assert finished.meta["3"]["real_node_id"] == "3"
    assert [kind for kind, _ in finished.messages] == ["execution_start", "execution_cached", "execution_success"]
    assert [data["node"] for data in worker.events("executing")] == ["1", "2", "3"]
    assert worker.events("executed") == [
        {"node": "3", "display_node": "3", "output": finished.outputs["3"], "prompt_id": "p"}
    ]
    repeated = worker.run(picture(0x112233), "again")
    assert repeated.outputs == finished.outputs
    assert worker.events("execution_cached")[0]["nodes"] == ["1", "2", "3"]


def test_free_memory_forgets_results(worker: Worker) -> None:
    worker.run(picture(5))
    worker.send(m.Free(free_memory=True))
    worker.run(picture(5))
    assert worker.events("execution_cached")[0]["nodes"] == []


def test_refusals_have_clients_form(worker: Worker) -> None:
    prompt = picture()
    prompt["1"]["inputs"]["width"] = 0
    answer = worker.validate(prompt)
    assert answer.outputs == []
    assert answer.error is not None
    assert answer.error["type"] == "prompt_outputs_failed_validation"
    assert answer.node_errors["1"]["dependent_outputs"] == ["3"]


def test_prompt_that_no_message_can_carry_is_answered(worker: Worker) -> None:
    prompt = picture()
    prompt["1"]["inputs"]["width"] = "9" * 40  # becomes an integer of more than 64 bits
    answer = worker.validate(prompt)
    assert answer.outputs == []
    assert answer.error is not None


def test_questions_are_answered_while_a_prompt_runs_and_it_can_be_stopped(worker: Worker) -> None:
    answer = worker.validate(big_resize(500))
    worker.heard.clear()
    worker.send(m.Execute("long", answer.prompt, answer.outputs))
    while not worker.events("executing"):
        worker.receive()
    worker.send(m.DescribeDevices(7))
    worker.send(m.DescribeNodes(8, "EmptyImage"))
    devices = worker.wait_for(m.DevicesDescribed)
    assert devices.request == 7
    assert devices.devices[0]["type"] == "cpu"
    assert devices.devices[0]["vram_total"] >= devices.devices[0]["vram_free"] > 0
    nodes = worker.wait_for(m.NodesDescribed)
    assert list(msgspec.json.decode(nodes.body)) == ["EmptyImage"]
    worker.send(m.Interrupt("another"))
    assert worker.validate(picture()).error is None
    assert not any(isinstance(message, m.Finished) for message in worker.heard)
    worker.send(m.Interrupt("long"))
    finished = worker.wait_for(m.Finished)
    assert finished.status == "interrupted"
    assert worker.events("execution_interrupted")[0]["node_type"] == "ImageScale"
    assert worker.run(picture(77)).status == "success"


def test_interrupt_that_overtakes_the_start_counts(worker: Worker) -> None:
    quick, long = worker.validate(picture(99)), worker.validate(big_resize(500))
    worker.send(m.Execute("early", quick.prompt, quick.outputs))
    worker.send(m.Execute("late", long.prompt, long.outputs))
    worker.send(m.Interrupt("late"))
    ends = [worker.wait_for(m.Finished) for _ in range(2)]
    assert [(end.prompt_id, end.status) for end in ends] == [("early", "success"), ("late", "interrupted")]


def test_failures_are_logged_to_the_front(worker: Worker) -> None:
    prompt = picture()
    prompt["2"] = {
        "class_type": "ImageScaleBy",
        "inputs": {"image": ["1", 0], "upscale_method": "area", "scale_by": 0.01},
    }
    assert worker.run(prompt).status == "error"
    (error,) = worker.events("execution_error")
    assert error["exception_message"].endswith("\n")
    assert any(isinstance(message, m.Log) and "ImageScaleBy" in message.text for message in worker.heard)


def test_prompt_that_was_never_validated_is_an_error_and_no_crash(worker: Worker) -> None:
    prompt = picture()
    prompt["1"]["class_type"] = "Gone"
    worker.send(m.Execute("gone", prompt, ["3"]))
    finished = worker.wait_for(m.Finished)
    assert finished.status == "error"
    assert "Gone" in finished.messages[-1][1]["exception_message"]
    assert worker.run(picture(78)).status == "success"


def test_all_nodes_are_described(worker: Worker) -> None:
    worker.send(m.DescribeNodes(3))
    described = msgspec.json.decode(worker.wait_for(m.NodesDescribed).body)
    assert {"KSampler", "CheckpointLoaderSimple", "SaveImage", "SaveLatent", "CLIPTextEncode"} <= set(described)
    worker.send(m.DescribeNodes(4, "NoSuchNode"))
    assert worker.wait_for(m.NodesDescribed).body == b"{}"


@pytest.mark.parametrize("polite", [True, False])
def test_worker_leaves_with_its_front(tmp_path: Path, polite: bool) -> None:
    """Also in the middle of a node: nobody would hear the result, and the device would stay occupied."""
    worker = Worker(tmp_path)
    worker.wait_for(m.Ready)
    answer = worker.validate(big_resize(500))
    worker.send(m.Execute("p", answer.prompt, answer.outputs))
    while not worker.events("executing"):
        worker.receive()
    if polite:
        worker.send(m.Shutdown())
    else:
        worker.line.close()
    assert worker.process.wait(PATIENCE) == 0  # the prompt alone would take several times as long
