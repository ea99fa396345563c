"""A scripted ComfyUI for tests: a real aiohttp server that runs prompts, replays recordings, and misbehaves on demand.

In a test that awaits:

    async with FakeComfy() as server:                      # ephemeral port; server.url
        server.hold("3", 2)                                # the run stops before step 2 of node 3 …
        …submit, look at the half-done state…
        server.release()                                   # … and goes on

In a test that does not await (a command, a pty), `with FakeComfy.in_thread() as server:`; call what changes it through
`server.call("drop_sockets")`, `server.call("release")`, … (runs in the server's loop). As a process of its own:

    python -m tests.support.replay [--port N] [--scene NAME] [--recording FILE] [--step-delay S]    # prints its URL first

What it does by itself: validates that classes exist (`object_info`), queues by (number, id), runs one prompt at a time
with events in the order of a real server, previews for nodes that have `steps`, images for SaveImage and PreviewImage,
history, interrupt, delete, front, reorder by number, uploads, views. `dialect` is "new" (progress_state and progress,
as 0.8.0), "old" (executing and progress only, no /api/jobs).

How to make it misbehave:

    server.answer("GET", "/queue", html())                 # or text(…), status(401), a callable(request) → Response
    server.answer("GET", "/queue", None)                   # well-behaved again
    server.script(graph_events…)                           # the next prompt plays these steps instead of the default
    await server.drop_sockets()                            # abrupt end of every socket
    await server.send({"type": …}) / "text" / b"bytes"     # any frame to every socket
    await server.restart()                                 # sockets dropped, queue and history forgotten
    server.fail_node("3", "RuntimeError", "out of luck")   # the next prompt fails at that node

Steps of a script: a dict (a text frame; "$id" stands for the prompt's id), str or bytes (a frame as it is), `Drop()`,
`Hold()` (until `release`), `Finish(outcome, outputs)` (writes the history, removes the job, sends what follows).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.support.routes import Answer, Request, Routes
from tests.support.samples import (
    HOSTILE,
    OBJECT_INFO,
    SHARED,
    Drop,
    Finish,
    Graph,
    Hold,
    Queued,
    Recording,
    Step,
    frame,
    html,
    now,
    picture,
    plain_preview_frame,
    preview_frame,
    status,
    text,
    txt2img,
    with_id,
)
from tests.support.scenes import SCENES, breaking, hostile, web_page
from tests.support.script import Script

__all__ = [
    "HOSTILE",
    "OBJECT_INFO",
    "SHARED",
    "Drop",
    "FakeComfy",
    "Finish",
    "Graph",
    "Hold",
    "Queued",
    "Recording",
    "Request",
    "Step",
    "breaking",
    "frame",
    "hostile",
    "html",
    "picture",
    "plain_preview_frame",
    "preview_frame",
    "status",
    "text",
    "txt2img",
    "web_page",
    "with_id",
]


class FakeComfy(Routes):
    """The server. All state is public, for tests to read and to set before or while it runs."""

    def __init__(
        self, *, prefix: str = "", dialect: str = "new", object_info: dict[str, Any] | None = None,
        step_delay: float = 0.0, token: str | None = None, port: int = 0, tls: ssl.SSLContext | None = None,
        admits: Callable[[web.Request], bool] | None = None,
    ) -> None:  # fmt: skip
        """`admits` looks at every request, the socket's too, and who is not let in gets a 401."""
        self.tls, self.admits = tls, admits
        self.prefix, self.dialect, self.step_delay, self.token, self.port = prefix, dialect, step_delay, token, port
        self.object_info = OBJECT_INFO if object_info is None else object_info
        self.url = ""
        self.requests: list[Request] = []
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.flags: dict[str, dict[str, Any]] = {}
        self.files: dict[tuple[str, str, str], bytes] = {}  # (type, subfolder, filename)
        self.settings: dict[str, Any] = {}
        self.log_readers: set[str] = set()
        self.log: list[str] = ["Starting server", "To see the GUI go to: http://127.0.0.1:8188"]
        self.scripts: list[Sequence[Step]] = []
        self._answers: dict[tuple[str, str], Answer] = {}
        self._forget()
        self._runner: web.AppRunner | None = None
        self._worker: asyncio.Task[None] | None = None

    def _forget(self) -> None:
        self.pending: list[Queued] = []
        self.running: Queued | None = None
        self.history: dict[str, Any] = {}
        self._counter = itertools.count()
        self._pictures = itertools.count(1)
        self._interrupt = False
        self._held: tuple[str, int] | None = None
        self._failing: tuple[str, str, str] | None = None
        self._go, self._news = asyncio.Event(), asyncio.Event()
        self.holding = asyncio.Event()  # set while a run is held: await it to know that the half-done state was sent

    # Life ------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> FakeComfy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        application = web.Application(client_max_size=64 << 20, middlewares=[self._gate])
        for start in (self.prefix, self.prefix + "/api"):
            for method, path, handler in self._routes():
                application.router.add_route(method, start + path, handler)
                if method == "GET" and path != "/ws":
                    application.router.add_route("HEAD", start + path, handler)  # as ComfyUI: aiohttp's default
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{self.prefix}"
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self.drop_sockets()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = self._worker = None

    async def restart(self) -> None:
        """As a crash and a new start on the same port: nothing is remembered but files on disk."""
        await self.stop()
        self._forget()
        self.files = {key: data for key, data in self.files.items() if key[0] != "temp"}
        await self.start()

    @classmethod
    @contextmanager
    def in_thread(cls, **options: Any) -> Iterator[FakeComfy]:
        """For tests that do not await: the server in a thread with its own loop; reach into it with `call`."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def make() -> FakeComfy:
            server = cls(**options)
            await server.start()
            return server

        server = asyncio.run_coroutine_threadsafe(make(), loop).result(10)
        server._loop = loop
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    _loop: asyncio.AbstractEventLoop | None = None

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of a server in a thread, from outside; waits for its result."""
        assert self._loop is not None, "only for FakeComfy.in_thread()"

        async def run() -> Any:
            result = getattr(self, name)(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    # What tests set --------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, response: Answer | None) -> None:
        """Answer `method path` (without the prefix) with this from now on; None: as usual again."""
        if response is None:
            self._answers.pop((method, path), None)
        else:
            self._answers[method, path] = response

    def script(self, *steps: Step) -> None:
        """The next prompt plays these steps. Without a Finish, one is added: success."""
        self.scripts.append(steps if any(isinstance(step, Finish) for step in steps) else (*steps, Finish()))

    def hold(self, node_id: str, step: int = 0) -> None:
        """The default run stops before step `step` (1 is the first) of this node, until `release`; 0: before the node."""
        self._held = (node_id, step)

    def release(self) -> None:
        self._held = None
        self._go.set()

    async def held(self) -> None:
        """Return once a run is being held."""
        await self.holding.wait()

    def fail_node(self, node_id: str, exception_type: str = "RuntimeError", message: str = "out of luck") -> None:
        """The next default run fails at this node."""
        self._failing = (node_id, exception_type, message)

    async def send(self, item: Mapping[str, Any] | str | bytes, client_id: str | None = None) -> None:
        """A frame to every socket, or to one client's."""
        for sid, socket in list(self.sockets.items()):
            if client_id in (None, sid) and not socket.closed:
                try:
                    await (socket.send_bytes(item) if isinstance(item, bytes) else socket.send_str(
                        item if isinstance(item, str) else json.dumps(item)))  # fmt: skip
                except ConnectionError:
                    self.sockets.pop(sid, None)

    async def prints(self, *lines: str) -> None:
        """Print lines, each an event of its own for those who subscribed."""
        for line in lines:
            self.log.append(line)
            event = frame("logs", entries=[self._log_entry(len(self.log) - 1, line)], size={"cols": 80, "rows": 24})
            for client in tuple(self.log_readers):
                await self.send(event, client)

    async def drop_sockets(self) -> None:
        """Cut every socket's connection: no close frame, as when a tunnel dies."""
        for socket in self.sockets.values():
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
        self.sockets.clear()

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests to this route so far."""
        return [item for item in self.requests if (item.method, item.path) == (method, path)]

    # Running ---------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            while not self.pending:
                self._news.clear()
                await self._news.wait()
            self.pending.sort(key=lambda item: (item.number, item.prompt_id))
            self.running = job = self.pending.pop(0)
            self._interrupt = False
            await self._status()
            steps = self.scripts.pop(0) if self.scripts else self._default_run(job)
            await self._play(job, steps)

    async def _play(self, job: Queued, steps: Sequence[Step]) -> None:
        client = job.extra_data.get("client_id")
        outputs: dict[str, Any] = {}
        messages: list[Any] = [["execution_start", {"prompt_id": job.prompt_id, "timestamp": now()}]]
        for step in steps:
            if self._interrupt:
                where = {
                    "prompt_id": job.prompt_id,
                    "node_id": "3",
                    "node_type": "KSampler",
                    "executed": [],
                    "timestamp": now(),
                }
                await self.send(frame("execution_interrupted", **where), client)
                await self._finish(job, Finish("interrupted", None, where), outputs, messages, client)
                return
            if isinstance(step, Drop):
                await self.drop_sockets()
            elif isinstance(step, Hold):
                self._go.clear()
                self.holding.set()
                await self._go.wait()
                self.holding.clear()
            elif isinstance(step, Finish):
                await self._finish(job, step, outputs, messages, client)
                return
            else:
                item = with_id(step, job.prompt_id)
                if isinstance(item, dict):
                    if item["type"] == "executed" and item["data"].get("output"):
                        outputs[item["data"]["node"]] = item["data"]["output"]
                        self._store(item["data"]["output"])
                    if item["type"] == "execution_cached":
                        messages.append(["execution_cached", item["data"]])
                await self.send(item, client)
                if self.step_delay and isinstance(item, dict) and item["type"] == "progress":
                    await asyncio.sleep(self.step_delay)

    def _store(self, output: Mapping[str, Any]) -> None:
        for items in output.values():
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and "filename" in item:
                    key = (item.get("type", "output"), item.get("subfolder", ""), item["filename"])
                    self.files.setdefault(key, picture())

    async def _finish(
        self, job: Queued, end: Finish, outputs: dict[str, Any], messages: list[Any], client: str | None
    ) -> None:  # fmt: skip
        last = {"success": "execution_success", "error": "execution_error"}.get(end.outcome, "execution_interrupted")
        data = {"prompt_id": job.prompt_id, "timestamp": now()} | dict(end.error or {}) | {"prompt_id": job.prompt_id}
        self.history[job.prompt_id] = {
            "prompt": job.item(),
            "outputs": dict(outputs if end.outputs is None else end.outputs),
            "status": {
                "status_str": "success" if end.outcome == "success" else "error",
                "completed": end.outcome == "success",
                "messages": [*messages, [last, data]],
            },
            "meta": {},
        }
        if self.running is job:
            self.running = None
        await self._status()
        await self.send(frame("executing", node=None, prompt_id=job.prompt_id), client)

    def _default_run(self, job: Queued) -> Sequence[Step]:
        flags = self.flags.get(job.extra_data.get("client_id", ""), {})
        known = bool(flags.get("supports_preview_metadata"))
        failing, self._failing = self._failing, None
        return Script(self._pictures, self.dialect, known, self._held, failing).steps(job)

    async def _status(self) -> None:
        await self.send(frame("status", status={"exec_info": {"queue_remaining": self._remaining()}}))


async def _serve(options: argparse.Namespace) -> None:
    server = FakeComfy(port=options.port, step_delay=options.step_delay, dialect=options.dialect)
    if options.scene:
        SCENES[options.scene](server)
    for name in options.recording:
        server.scripts.append(Recording.load(name).steps())
    async with server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted ComfyUI for tests; prints its URL, runs until killed.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scene", choices=sorted(SCENES))
    parser.add_argument("--recording", action="append", default=[], help="a name such as txt2img-previews; repeatable")
    parser.add_argument("--step-delay", type=float, default=0.05, help="seconds between sampling steps")
    parser.add_argument("--dialect", choices=("new", "old"), default="new")
    asyncio.run(_serve(parser.parse_args()))
