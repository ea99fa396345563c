"""One server: connects, stays connected, keeps its state true, and carries out what is asked of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from comfytui.client.messages import Submitted
from comfytui.client.target import Target
from comfytui.state.model import Link, Output, ServerState


class Connection:
    """A server and what we know of it. All methods run in the event loop that runs `run`.

    Every method that talks to the server raises `ClientError`; none of them changes `state` before the server agreed.
    """

    def __init__(self, target: Target, *, client_id: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self.target = target
        self.client_id = client_id or str(uuid.uuid4())
        self._clock = clock
        self._state = ServerState(link=Link(url=target.url, since=clock()))

    @property
    def state(self) -> ServerState:
        """The newest state."""
        return self._state

    def subscribe(self, callback: Callable[[ServerState], None]) -> Callable[[], None]:
        """Call `callback` with the new state on each change, in the loop; returns what ends it."""
        raise NotImplementedError

    async def run(self) -> None:
        """Connect, and stay connected until `close`. Run it as a task."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave: ends `run`, closes the socket and the HTTP connections."""
        raise NotImplementedError

    def retry_now(self) -> None:
        """Do not wait any longer: try to connect at once (also after a refusal)."""
        raise NotImplementedError

    async def wait_live(self, timeout: float) -> None:  # noqa: ASYNC109 -- the caller knows how long it may wait
        """Return when the connection is live. Raises ClientError with the reason when it was refused or time is up."""
        raise NotImplementedError

    async def submit(
        self,
        graph: Mapping[str, Any],
        *,
        name: str = "",
        workflow: Mapping[str, Any] | None = None,
        front: bool = False,
        number: float | None = None,
        previews: bool = True,
    ) -> Submitted:
        """Queue an API-format graph. `workflow` is its UI form, stored in the pictures. Raises Refused."""
        raise NotImplementedError

    async def cancel(self, ids: Iterable[str]) -> None:
        """Take waiting jobs out of the queue."""
        raise NotImplementedError

    async def clear_queue(self) -> None:
        """Take every waiting job out of the queue, other people's too."""
        raise NotImplementedError

    async def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop what runs; with an id only if that is what runs."""
        raise NotImplementedError

    async def move(self, prompt_id: str, to: int) -> None:
        """Put a waiting job at index `to` of `state.waiting`."""
        raise NotImplementedError

    async def load_history(self, count: int = 50) -> None:
        """Load the next older page of the history (the newest at first)."""
        raise NotImplementedError

    async def load_job(self, prompt_id: str) -> None:
        """Load one job from the history: its graph, outputs and failure. Raises Missing."""
        raise NotImplementedError

    async def load_object_info(self, force: bool = False) -> Mapping[str, Any]:
        """The node catalogue, cleaned; asked once unless forced. Also in `state.object_info`."""
        raise NotImplementedError

    async def delete_history(self, ids: Iterable[str]) -> None:
        """Delete finished jobs from the server's history (their files stay)."""
        raise NotImplementedError

    async def fetch(self, output: Output, *, preview: str | None = None) -> bytes:
        """The bytes of a file; `preview` ("webp;80", "jpeg;90") asks for a smaller encoding at full pixel size."""
        raise NotImplementedError

    async def upload(self, data: bytes, name: str, *, overwrite: bool = False) -> str:
        """Put a picture into the server's input folder; returns the value for LoadImage."""
        raise NotImplementedError

    async def models(self, folder: str | None = None) -> tuple[str, ...]:
        """The names in a model folder, or of the folders."""
        raise NotImplementedError

    async def free(self, *, unload_models: bool = True, free_memory: bool = False) -> None:
        """Unload models; with `free_memory` also forget cached results."""
        raise NotImplementedError

    async def refresh_stats(self) -> None:
        """Ask for memory and versions now."""
        raise NotImplementedError

    async def server_settings(self) -> Mapping[str, Any]:
        """The settings that the server keeps for its web interface."""
        raise NotImplementedError

    async def set_server_setting(self, key: str, value: Any) -> None:
        """Change one of them."""
        raise NotImplementedError

    async def logs(self) -> tuple[str, ...]:
        """The last lines of the server's log."""
        raise NotImplementedError

    def raw_graph(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The graph of a job exactly as the server has it, for running again; None if it is not known (load the job)."""
        raise NotImplementedError
