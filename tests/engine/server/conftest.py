"""The application in this process, with a worker whose answers the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.files.folders import Folders
from engine.jobs.dispatch import Dispatcher
from engine.jobs.store import JobStore
from engine.options import parse
from engine.server import app
from engine.server.hub import Hub
from engine.server.journal import Entry, Journal
from engine.server.services import Services
from engine.worker import messages
from engine.worker.supervisor import WorkerUnavailableError


@dataclass
class FakeWorker:
    """Accepts every prompt; runs nothing until the test says `finish`."""

    ready: messages.Ready | None = field(default_factory=lambda: messages.Ready(1, "2.0", 1))
    sent: list[messages.ToWorker] = field(default_factory=list)
    error: dict[str, Any] | None = None
    node_errors: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    executed: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, message: messages.ToWorker) -> bool:
        self.sent.append(message)
        if isinstance(message, messages.Execute):
            self.executed.set()
        return self.ready is not None

    async def validate(self, prompt_id, prompt, targets, *, patience):
        if self.failure is not None:
            raise WorkerUnavailableError(self.failure)
        await asyncio.sleep(0)
        return messages.Validated(0, prompt, sorted(prompt), self.node_errors, self.error)

    async def describe_nodes(self, node, *, patience):
        if self.failure is not None:
            raise WorkerUnavailableError(self.failure)
        return b'{"KSampler":{"name":"KSampler"}}' if node in (None, "KSampler") else b"{}"

    async def describe_devices(self, *, patience):
        return messages.DevicesDescribed(0, [{"name": "cpu", "type": "cpu", "index": None}], "2.0")


@dataclass
class Rig:
    client: TestClient
    shared: Services
    worker: FakeWorker
    base: Path

    async def submit(self, **more: Any) -> dict[str, Any]:
        body = {"prompt": {"1": {"class_type": "A", "inputs": {}}}, **more}
        async with self.client.post("/prompt", json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def get(self, path: str) -> Any:
        async with self.client.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    def tell(self, message: messages.FromWorker) -> None:
        self.shared.dispatcher.on_message(message)

    def finish(self, status: str = "success", outputs: dict[str, Any] | None = None) -> str:
        running = self.shared.dispatcher.running
        assert running is not None
        name = f"execution_{'interrupted' if status == 'interrupted' else status}"
        stamp = {"prompt_id": running.prompt_id, "timestamp": 1000}
        events = [("execution_start", stamp), (name, {**stamp, "timestamp": 1500})]
        self.tell(messages.Finished(running.prompt_id, status, outputs or {}, {}, events))
        return running.prompt_id


async def make_rig(base: Path, *flags: str) -> Rig:
    options = parse(["--base-directory", str(base), *flags])
    folders = Folders.from_options(options)
    folders.create()
    hub, journal, worker = Hub(), Journal(), FakeWorker()

    def publish(clients: set[str], entries: list[Entry]) -> None:
        for one in clients:
            hub.tell(one, "logs", {"entries": entries})

    journal.publish = publish
    store = JobStore(base / "jobs.sqlite")
    store.start()
    dispatcher = Dispatcher(store, worker, hub)
    await dispatcher.restore()
    shared = Services(options, folders, hub, journal, store, worker, dispatcher, ("engine",))
    client = TestClient(TestServer(app.make(shared)))
    await client.start_server()
    return Rig(client, shared, worker, base)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await make_rig(tmp_path)
    yield made
    await made.client.close()
    await made.shared.store.close()
