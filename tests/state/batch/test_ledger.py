"""What a batch has done is in its file, however the program ends."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from comfytui.state.batch.ledger import End, Ledger, Sent


async def test_what_ended_while_the_disk_was_busy_is_written_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml.state"
    loop, busy = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    ledger = Ledger(path)
    await ledger.send(Sent("a", "1", "http://one"))
    blocking = loop.run_in_executor(None, busy.wait)  # the only thread: what is written next has to wait for it
    ledger.end(End("a", "1", "returned", "http://one"))
    for _ in range(3):
        await asyncio.sleep(0)  # the writer has begun
    ledger.close()
    busy.set()
    await blocking
    again = Ledger(path)
    assert again.ended["a"].state == "returned"
    again.close()


async def test_lines_from_many_jobs_all_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml.state"
    ledger = Ledger(path)

    async def one(number: int) -> None:
        await ledger.send(Sent(str(number), f"id{number}", "http://one"))
        ledger.end(End(str(number), f"id{number}", "done"))

    await asyncio.gather(*(one(number) for number in range(200)))
    ledger.close()
    again = Ledger(path)
    assert {key: end.id for key, end in again.ended.items()} == {str(n): f"id{n}" for n in range(200)}
    again.close()
