"""What one connection remembers on disk beside its jobs: learned times, stars and notes, the node catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from comfytui.client.errors import ClientError, NotKept
from comfytui.client.http import Http
from comfytui.client.messages import NOTHING
from comfytui.state import changes as c
from comfytui.state.catalogues import Catalogues
from comfytui.state.disk import Disk
from comfytui.state.learned import Learned
from comfytui.state.marks import Marks
from comfytui.state.model import Mark, ServerState, Timing

SLOW = 0.15  # seconds an exchange takes from which a catalogue that is kept is not asked for anew at each start


class Memory:
    """Reads once, and writes behind. A disk that fails costs the memory, and is said."""

    def __init__(
        self,
        http: Http,
        disk: Disk,
        state: Callable[[], ServerState],
        dispatch: Callable[[c.Happening], None],
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._state = state
        self._dispatch = dispatch
        self._clock = clock
        server = http.target.place
        self._learned = Learned(disk, server)
        self._marks = Marks(disk, server, clock)
        self._catalogues = Catalogues(disk, server)
        self._catalogue = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._recalled = False

    async def recall(self) -> None:
        """Read learned times and marks, once."""
        if self._recalled:
            return
        try:
            timings = await asyncio.to_thread(self._learned.load)
            marks = await asyncio.to_thread(self._marks.all)
        except NotKept as error:
            self._dispatch(c.ActionFailed(str(error)))
            return
        self._recalled = True
        if timings:
            self._dispatch(c.Learned(timings))
        if marks:
            self._dispatch(c.Marked(marks))

    def note_times(self, before: Mapping[str, Timing]) -> None:
        """Write down what was learned since `before`."""
        timings = self._state().timings
        changed = {shape: timing for shape, timing in timings.items() if before.get(shape) is not timing}
        if changed:
            self._start(asyncio.to_thread(self._learned.save, changed))

    async def star(self, prompt_id: str, star: bool) -> None:
        """Raises NotKept."""
        self._marked(prompt_id, await asyncio.to_thread(self._marks.star, prompt_id, star))

    async def note(self, prompt_id: str, note: str) -> None:
        """Raises NotKept."""
        self._marked(prompt_id, await asyncio.to_thread(self._marks.note, prompt_id, note))

    def _marked(self, prompt_id: str, mark: Mark) -> None:
        marks = {key: value for key, value in self._state().marks.items() if key != prompt_id}
        self._dispatch(c.Marked(marks if mark == Mark() else {**marks, prompt_id: mark}))

    async def catalogue(self, *, force: bool) -> Mapping[str, Any]:
        """The node catalogue: from the state, from disk if it is of this version of the server, else asked for.

        What came from disk is asked for again behind, unless the link is slow. Raises ClientError.
        """
        async with self._catalogue:  # two screens may want it at once; it is megabytes
            state = self._state()
            if state.object_info is None and not force and (kept := await self._kept()) is not None:
                self._dispatch(c.CatalogueSeen(kept))
                if state.link.latency is None or state.link.latency < SLOW:
                    self._start(self._ask())
            elif state.object_info is None or force:
                await self._ask()
            return self._state().object_info or NOTHING

    async def refresh_node(self, class_type: str) -> None:
        """Ask for one class again, and put it into the catalogue. Nothing happens while there is none."""
        found = (await self._http.node_info(class_type)).get(class_type)
        async with self._catalogue:
            if (known := self._state().object_info) is not None and isinstance(found, dict):
                self._dispatch(c.CatalogueSeen({**known, class_type: found}))

    async def _kept(self) -> Mapping[str, Any] | None:
        stats = self._state().stats
        if stats is None or not stats.version:
            return None
        try:
            return await asyncio.to_thread(self._catalogues.load, stats.version, self._clock())
        except NotKept:
            return None

    async def _ask(self) -> None:
        found = await self._http.object_info()
        self._dispatch(c.CatalogueSeen(found))
        stats = self._state().stats
        if stats is not None:
            self._start(asyncio.to_thread(self._catalogues.save, stats.version, found, self._clock()))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            try:
                await work
            except ClientError as error:
                self._dispatch(c.ActionFailed(str(error)))

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait until all is written that was to be."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
