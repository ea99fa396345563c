"""What all tests share: one real engine a run."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest

from tests.support.engine import RunningEngine, start_engine


def pytest_configure() -> None:
    """A shell's background job starts with ctrl-C ignored, and so would every program that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes by its nature gets hours before it counts as stuck."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.timeout(3 * 3600))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One engine for all tests of a run; its worker is ready."""
    running = start_engine(tmp_path_factory.mktemp("engine"))
    try:
        status, body = running.get("/object_info/KSampler")
        assert status == 200, body.decode()
        yield running
    finally:
        running.stop()
