"""The worker's end of the line, and its log records on it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from engine.worker import messages as m
from engine.worker.channel import FrameReader, frame
from engine.worker.line import Line
from engine.worker.logs import FrontHandler


@pytest.fixture
def ends() -> Iterator[tuple[Line, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        yield Line(ours), theirs


def hear(front: socket.socket, count: int) -> list[m.FromWorker]:
    reader = FrameReader()
    heard: list[m.FromWorker] = []
    while len(heard) < count:
        heard += [m.decode_from_worker(data) for data in reader.feed(front.recv(1 << 16))]
    return heard


def test_messages_arrive_in_whatever_pieces(ends: tuple[Line, socket.socket]) -> None:
    line, front = ends
    data = b"".join(frame(m.encode(m.Interrupt(name))) for name in ("a", "b", "c"))
    front.sendall(data[:7])
    sender = threading.Thread(target=front.sendall, args=(data[7:],))
    sender.start()
    assert [line.receive() for _ in range(3)] == [m.Interrupt("a"), m.Interrupt("b"), m.Interrupt("c")]
    sender.join()


def test_end_of_the_line_is_none(ends: tuple[Line, socket.socket]) -> None:
    line, front = ends
    front.close()
    assert line.receive() is None


def test_a_bad_message_does_not_lose_the_next(ends: tuple[Line, socket.socket]) -> None:
    line, front = ends
    front.sendall(frame(b"\xc1nonsense") + frame(m.encode(m.Shutdown())))
    with pytest.raises(msgspec.DecodeError):
        line.receive()
    assert line.receive() == m.Shutdown()


def test_messages_of_many_threads_stay_whole(ends: tuple[Line, socket.socket]) -> None:
    line, front = ends
    texts = [letter * 20_000 for letter in "abcd"]
    threads = [
        threading.Thread(target=lambda t=text: [line.send(m.Text("p", "1", t)) for _ in range(20)]) for text in texts
    ]
    for thread in threads:
        thread.start()
    heard = hear(front, 80)
    for thread in threads:
        thread.join()
    assert sorted(message.text for message in heard if isinstance(message, m.Text)) == sorted(texts * 20)


def test_log_records_go_to_the_front(ends: tuple[Line, socket.socket]) -> None:
    line, front = ends
    log = logging.Logger("engine.test")
    log.addHandler(FrontHandler(line))
    log.info("all %s", "well")
    log.warning("odd name: \udcff")
    first, second = hear(front, 2)
    assert isinstance(first, m.Log)
    assert first.text == "all well\n"
    assert isinstance(second, m.Log)
    assert second.text == "WARNING engine.test: odd name: ?\n"
    assert len(second.time) >= len("2026-01-01T00:00:00")
