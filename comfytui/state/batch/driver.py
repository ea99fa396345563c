"""Spreads the jobs of a batch over its servers, so many at a time on each, and tells how each ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from comfytui.client.errors import ClientError
from comfytui.state.batch.lane import Gone, Lane, Work
from comfytui.state.batch.ledger import End, Ledger, Sent


async def opened(lanes: Sequence[Lane], said: Callable[[str], None]) -> list[Lane]:
    """The lanes whose server is there; of the others it is said why. Raises ClientError if none is."""
    outcomes = await asyncio.gather(*(lane.open() for lane in lanes), return_exceptions=True)
    found: list[Lane] = []
    problems: list[ClientError] = []
    for lane, outcome in zip(lanes, outcomes, strict=True):
        if isinstance(outcome, ClientError):
            problems.append(outcome)
            if len(lanes) > 1:
                said(f"{lane.server.name} is left out: {outcome}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            found.append(lane)
    if not found:
        raise problems[0]
    return found


async def drive(
    lanes: Sequence[Lane],
    ledger: Ledger,
    work: Iterable[Work],
    in_flight: int,
    ended: Callable[[Work, End], None],
    said: Callable[[str], None],
) -> list[Work]:
    """Do all of it; `ended` is told of each job. Returns what is left: sent to a server that has gone, or not sent at all.

    What an earlier run sent is seen through on the server that has it. Raises what ends a batch as a whole: ReadOnly,
    NotKept, and whatever the saving of results raises.
    """
    shared: deque[Work] = deque()
    own: dict[str, deque[tuple[Work, Sent]]] = {lane.place: deque() for lane in lanes}
    left: list[Work] = []
    for each in work:
        sent = ledger.sent.get(each.key)
        if sent is None or each.key in ledger.ended:
            shared.append(each)
        elif sent.server in own:
            own[sent.server].append((each, sent))
        else:  # it may be done there, or still run
            left.append(each)

    async def carry(lane: Lane) -> None:
        mine = own[lane.place]
        while mine or shared:
            each, sent = mine.popleft() if mine else (shared.popleft(), None)
            try:
                end = await lane.run(each, sent)
            except Gone as gone:
                left.append(each)
                left.extend(one for one, _ in mine)
                mine.clear()
                said(f"{lane.server.name}: given up: {gone}")
                return
            ledger.end(end)
            ended(each, end)

    tasks = [asyncio.create_task(carry(lane)) for lane in lanes for _ in range(in_flight)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await ledger.flush()
    return [*left, *shared]
