"""`--record`, `--replay` and `--read-only`: how all connections of this run of the program are opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from comfytui.cli import session
from comfytui.client import playback, recording
from comfytui.settings import memory
from comfytui.state.opening import WAY, Way


@contextmanager
def taped(record: Path | None, replay: Path | None, speed: float, read_only: bool) -> Iterator[str | None]:
    """What a server sends is recorded, or a recording answers instead of one: then this is its address.

    Raises click's errors for a file that cannot be written or read.
    """
    with ExitStack() as stack:
        recorder = None
        url: str | None = None
        try:
            if replay is not None:
                url = stack.enter_context(playback.Playback(recording.load(replay), speed).in_thread())
            if record is not None:
                recorder = recording.Recorder(record)
                stack.callback(recorder.close)
        except recording.BadRecording as error:
            raise click.UsageError(str(error)) from error
        except OSError as error:
            raise click.UsageError(f"{error.filename or record or replay}: {error.strerror or error}") from error
        way = WAY.set(Way(recorder, replay is not None, read_only))
        stack.callback(WAY.reset, way)
        stack.callback(session.REPLAYED.reset, session.REPLAYED.set(url or ""))
        stack.callback(memory.RESTING.reset, memory.RESTING.set(replay is not None))
        yield url
