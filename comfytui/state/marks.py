"""Stars and notes of jobs: they live on this side, by server and job, and outlive the server's history."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from comfytui.state.disk import Disk
from comfytui.state.model import Mark

MAX_NOTE = 10_000  # characters


class Marks:
    """The marks of one server's jobs. Its methods block and raise NotKept; each change is whole on the disk."""

    def __init__(self, disk: Disk, server: str, clock: Callable[[], float] = time.time) -> None:
        self._disk = disk
        self._server = server
        self._clock = clock

    def all(self) -> dict[str, Mark]:
        """By job id; jobs without a star and a note are not in it."""
        rows = self._disk.read(
            lambda db: db.execute("SELECT id, star, note FROM marks WHERE server = ?", (self._server,)).fetchall()
        )
        return {prompt_id: Mark(bool(star), note) for prompt_id, star, note in rows}

    def star(self, prompt_id: str, star: bool = True) -> Mark:
        """Set or take away the star; the note stays."""
        return self._change(prompt_id, lambda mark: Mark(star, mark.note))

    def note(self, prompt_id: str, note: str) -> Mark:
        """Write a note (at most `MAX_NOTE` characters); an empty one takes it away. The star stays."""
        text = note.strip()[:MAX_NOTE].encode("utf-8", "replace").decode()
        return self._change(prompt_id, lambda mark: Mark(mark.star, text))

    def _change(self, prompt_id: str, change: Callable[[Mark], Mark]) -> Mark:
        key = (self._server, prompt_id)

        def work(db: sqlite3.Connection) -> Mark:
            row = db.execute("SELECT star, note FROM marks WHERE server = ? AND id = ?", key).fetchone()
            mark = change(Mark() if row is None else Mark(bool(row[0]), row[1]))
            if mark == Mark():
                db.execute("DELETE FROM marks WHERE server = ? AND id = ?", key)
            else:
                db.execute(
                    "INSERT OR REPLACE INTO marks (server, id, star, note, at) VALUES (?, ?, ?, ?, ?)",
                    (*key, mark.star, mark.note, self._clock()),
                )
            return mark

        return self._disk.write(work)
