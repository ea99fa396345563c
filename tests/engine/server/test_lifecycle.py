"""The real engine as a process: how it starts, what it says, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.support.engine import RunningEngine, free_port, start_engine

_TRIVIAL = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 255}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
}


def finished(engine: RunningEngine, prompt_id: str) -> dict[str, object]:
    """Wait for the history entry."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        entry = json.loads(engine.get(f"/history/{prompt_id}")[1])
        if entry:
            return entry[prompt_id]
        time.sleep(0.02)
    raise AssertionError(engine.log.read_text()[-2000:])


def test_a_prompt_runs_and_its_picture_can_be_fetched(engine: RunningEngine) -> None:
    status, body = engine.call("POST", "/prompt", {"prompt": _TRIVIAL})
    assert status == 200, body
    entry = finished(engine, json.loads(body)["prompt_id"])
    assert entry["status"]["status_str"] == "success", entry
    (image,) = entry["outputs"]["3"]["images"]
    status, data = engine.get(f"/view?filename={image['filename']}&type={image['type']}")
    assert (status, data[:4]) == (200, b"\x89PNG")


def test_validation_errors_have_their_shape(engine: RunningEngine) -> None:
    wrong = {**_TRIVIAL, "1": {"class_type": "EmptyImage", "inputs": {"width": 0, "height": 16, "batch_size": 1}}}
    status, body = engine.call("POST", "/prompt", {"prompt": wrong})
    answer = json.loads(body)
    assert status == 400
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    kinds = {error["type"] for error in answer["node_errors"]["1"]["errors"]}
    assert "value_smaller_than_min" in kinds


def test_a_cycle_is_refused(engine: RunningEngine) -> None:
    cycle = {
        "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }
    status, body = engine.call("POST", "/prompt", {"prompt": cycle})
    assert status == 400, body


def test_the_port_answers_while_the_worker_starts_and_nothing_outlives_the_front(tmp_path: Path) -> None:
    engine = start_engine(tmp_path)
    try:
        assert engine.get("/queue")[0] == 200
        log = engine.log.read_text()
        assert log.index("Starting server") < log.index(f"To see the GUI go to: {engine.url}")
        workers = psutil.Process(engine.process.pid).children()
        assert len(workers) == 1
        taken = start_refused(tmp_path / "other", "--port", engine.url.rpartition(":")[2])
        assert "is taken by another program" in taken
        held = start_refused(tmp_path)
        assert f"another engine (process {engine.process.pid})" in held
    finally:
        assert engine.stop() == 0
    assert not workers[0].is_running()


def test_a_killed_front_takes_its_worker_with_it_and_loses_no_prompt(tmp_path: Path) -> None:
    engine = start_engine(tmp_path)
    status, body = engine.call("POST", "/prompt", {"prompt": _TRIVIAL})
    assert status == 200, body
    done = json.loads(body)["prompt_id"]
    finished(engine, done)
    (worker,) = psutil.Process(engine.process.pid).children()
    engine.stop(signal.SIGKILL)
    worker.wait(20)
    again = start_engine(tmp_path)
    try:
        assert list(json.loads(again.get("/history")[1])) == [done]
        (worker,) = psutil.Process(again.process.pid).children()
        assert again.get("/object_info/EmptyImage")[0] == 200
        worker.kill()
        # The next prompt waits for the next worker.
        status, body = again.call("POST", "/prompt", {"prompt": _TRIVIAL})
        if status == 503:  # it was sent in the moment of the death
            status, body = again.call("POST", "/prompt", {"prompt": _TRIVIAL})
        assert status == 200, body
        assert finished(again, json.loads(body)["prompt_id"])["status"]["completed"] is True
    finally:
        assert again.stop(signal.SIGINT) == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = start_refused(tmp_path / "base", "--output-directory", str(tmp_path / "file/output"))
    assert "cannot make the folder" in told
    assert "file/output" in told


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_several_addresses_share_a_port(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    engine = start_engine(tmp_path, "--listen", "127.0.0.1,::1", port=free_port())
    try:
        with socket.create_connection(("::1", int(engine.url.rpartition(":")[2])), 10) as connection:
            connection.sendall(b"GET /queue HTTP/1.0\r\n\r\n")
            assert b"200 OK" in connection.recv(100)
    finally:
        engine.stop()


def start_refused(base: Path, *flags: str) -> str:
    """Start an engine that cannot start; what it said. Its exit code is 1."""
    with pytest.raises(RuntimeError, match="ended with 1") as refused:
        start_engine(base, *flags).stop()
    return str(refused.value)
