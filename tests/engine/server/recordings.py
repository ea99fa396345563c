"""Sends everything that was once sent to a real ComfyUI 0.8.0 to this engine, in the same order and the same state."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from yarl import URL

from tests.support.engine import REPOSITORY, RunningEngine

FOLDER = REPOSITORY.parent / "shared/recordings"
PICTURE = REPOSITORY.parent / "shared/parity/parity_in.png"
DEMO = REPOSITORY / "engine/data/models/checkpoints/comfytui-demo.safetensors"
THERE = "/srv/comfyui"  # where the recorded server had its files
_PATIENCE = 120.0  # seconds for a prompt to end

Frame = dict[str, Any] | bytes


@dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Replay:
    """What this engine did: an answer for each exchange, the frames of each transcript, and how names of there are here."""

    answers: dict[int, Answer] = field(default_factory=dict)
    frames: dict[str, list[Frame]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # prompt ids, paths: theirs → ours
    object_info: dict[str, Any] = field(default_factory=dict)

    def translate(self, value: Any) -> Any:
        """Something recorded, with this engine's names in it."""
        text = json.dumps(value)
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        return json.loads(text)

    def translate_frames(self, frames: list[Frame]) -> list[Frame]:
        """As `translate`; the names in binary frames are as long as ours, so their lengths stay true."""
        changed: list[Frame] = []
        for frame in frames:
            if isinstance(frame, bytes):
                replaced = frame
                for theirs, ours in self.names.items():
                    replaced = replaced.replace(theirs.encode(), ours.encode())
                changed.append(replaced)
            else:
                changed.append(self.translate(frame))
        return changed


@cache
def exchanges() -> list[dict[str, Any]]:
    """Everything that was asked, and what was answered; empty without the recordings."""
    path = FOLDER / "http.json"
    return json.loads(path.read_text()) if path.exists() else []


@cache
def transcripts() -> dict[str, list[Frame]]:
    """The frames of each recorded socket."""
    found = {}
    for path in sorted(FOLDER.glob("ws-*.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        found[path.stem.removeprefix("ws-")] = [
            line["text"] if "text" in line else base64.b64decode(line["binary_base64"]) for line in lines
        ]
    return found


def name_of(exchange: dict[str, Any]) -> str:
    request = exchange["request"]
    return f"{request['method']} {request['path']} {exchange.get('note') or ''}".strip()


def prepare(base: Path) -> None:
    """The files that the recorded server had. Its checkpoints are stood in for by a small model of the same family."""
    checkpoints = base / "models/checkpoints"
    checkpoints.mkdir(parents=True)
    plain = _without_metadata(DEMO.read_bytes())
    for name in ("parity-mini.safetensors", "parity-sd15.safetensors"):
        (checkpoints / name).write_bytes(plain)
    for kind, name in (("loras", "parity-lora.safetensors"), ("controlnet", "parity-controlnet.safetensors")):
        (base / "models" / kind).mkdir()
        (base / "models" / kind / name).write_bytes(b"")
    for folder, name in (("output", "_output_images_will_be_put_here"), ("input", "example.png")):
        (base / folder).mkdir()
        (base / folder / name).write_bytes(b"")
    shutil.copy(PICTURE, base / "input/example.png")
    shutil.copy(PICTURE, base / "input/parity_in.png")
    (base / "user/default").mkdir(parents=True)


def _without_metadata(safetensors: bytes) -> bytes:
    """The recorded checkpoints had none."""
    (size,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + size])
    del header["__metadata__"]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + safetensors[8 + size :]


async def replay(engine: RunningEngine) -> Replay:
    """Send all exchanges. Raises `AssertionError` if a prompt does not end."""
    made = Replay(names={THERE: str(engine.base)})
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session:
        actor = _Actor(engine, session, made)
        async with session.get(f"{engine.url}/object_info") as response:
            made.object_info = await response.json()
        try:
            await actor.relive()
            await actor.run()
        finally:
            actor.release()
        async with session.get(f"{engine.url}/object_info") as response:  # again: files have come
            made.object_info = await response.json()
    return made


class _Socket:
    """One client's socket; what it receives is kept."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.frames: list[Frame] = []
        self._line = line
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._line:
            frame = message.data if message.type is aiohttp.WSMsgType.BINARY else json.loads(message.data)
            async with self._changed:
                self.frames.append(frame)
                self._changed.notify_all()

    async def wait(self, enough: Callable[[list[Frame]], bool]) -> None:
        async with self._changed, asyncio.timeout(_PATIENCE):
            await self._changed.wait_for(lambda: enough(self.frames))

    async def close(self) -> None:
        await self._line.close()
        await self._task


class _Actor:
    def __init__(self, engine: RunningEngine, session: aiohttp.ClientSession, made: Replay) -> None:
        self._engine = engine
        self._session = session
        self._made = made
        self._sockets: dict[str, tuple[_Socket, list[str]]] = {}  # transcript → its socket, its prompts
        self._output = engine.base / "output/parity"
        self._held: psutil.Process | None = None

    async def relive(self) -> None:
        """As many prompts as the recorded server had run before, so that numbers and file names go on as there.

        All of them are the first one, which comes out of the cache from the second time on: what they drew is in no
        answer, only that they ran.
        """
        past = next(entry["response"]["json"] for entry in exchanges() if entry["request"]["path"] == "/history")
        *_, last = past.values()
        self._output.mkdir()
        for media in last["outputs"].values():
            (file,) = next(iter(media.values()))
            stem, number, _ = file["filename"].split("_")
            (self._output / f"{stem}_{int(number) - 1:05}_{Path(file['filename']).suffix}").touch()
        first = next(iter(past.values()))["prompt"][2]
        for theirs, entry in past.items():
            body = _in_their_order({"prompt": first, "client_id": entry["prompt"][3]["client_id"]})
            async with self._session.post(f"{self._engine.url}/prompt", json=body) as response:
                assert response.status == 200, await response.text()
                self._made.names[theirs] = (await response.json())["prompt_id"]
            await self._idle()

    async def run(self) -> None:
        async with AsyncExitStack() as stack:  # what was recorded of a socket ends with its last prompt
            last = {e["note"][3:]: n for n, e in enumerate(exchanges()) if (e.get("note") or "").startswith("ws:")}
            for number, exchange in enumerate(exchanges()):
                note = exchange.get("note") or ""
                name = note.removeprefix("ws:")
                if note.startswith("ws:") and exchange["request"]["path"] == "/prompt":
                    await self._connect(name, exchange, stack)
                if note.startswith("ws:") and exchange["request"]["path"].startswith("/history/"):
                    await self._ended(name)
                if before := _BEFORE.get(note):
                    await before(self)
                if exchange["request"]["path"] == "/interrupt":
                    self.release()
                self._made.answers[number] = await self._send(exchange)
                if last.get(name) == number:
                    await self._sockets[name][0].close()
        self._made.frames = {name: socket.frames for name, (socket, _) in self._sockets.items()}

    async def _send(self, exchange: dict[str, Any]) -> Answer:
        request = self._made.translate(exchange["request"])
        data = base64.b64decode(request["raw_base64"]) if request.get("raw_base64") else None
        if request.get("json") is not None:
            data = json.dumps(_in_their_order(request["json"])).encode()
        # A note of the form's fields follows the path of an upload.
        url = URL(self._engine.url + request["path"].partition(" ")[0], encoded=True)
        headers = request.get("headers") or {}
        async with self._session.request(request["method"], url, data=data, headers=headers) as response:
            body = await response.read()
            answer = Answer(response.status, {key.lower(): value for key, value in response.headers.items()}, body)
        theirs = exchange["response"].get("json")
        if request["path"] == "/prompt" and answer.status == 200 and isinstance(theirs, dict) and "prompt_id" in theirs:
            ours = json.loads(body)["prompt_id"]
            self._made.names[theirs["prompt_id"]] = ours
            if (note := exchange.get("note") or "").startswith("ws:"):
                self._sockets[note[3:]][1].append(ours)
        return answer

    async def _connect(self, name: str, exchange: dict[str, Any], stack: AsyncExitStack) -> None:
        if name in self._sockets:
            return
        url = f"{self._engine.url}/ws?clientId={exchange['request']['json']['client_id']}"
        line = await self._session.ws_connect(url, max_msg_size=0)
        socket = _Socket(line)
        stack.push_async_callback(socket.close)
        self._sockets[name] = (socket, [])
        greeting = [frame["type"] for frame in transcripts()[name][:2] if isinstance(frame, dict)]
        if "feature_flags" in greeting:
            await line.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        await socket.wait(lambda frames: len(frames) >= 1 + ("feature_flags" in greeting))

    async def _ended(self, name: str) -> None:
        self.release()
        socket, prompts = self._sockets[name]
        deleted = len(prompts) > 1  # the second of three is deleted while it waits
        wanted = [one for index, one in enumerate(prompts) if not (deleted and index == 1)]

        def over(frames: list[Frame]) -> bool:
            ends = [frame["data"]["prompt_id"] for frame in frames if isinstance(frame, dict) and _is_end(frame)]
            return all(one in ends for one in wanted)

        await socket.wait(over)

    async def _idle(self) -> None:
        async with asyncio.timeout(_PATIENCE):
            while True:
                async with self._session.get(f"{self._engine.url}/prompt") as response:
                    if (await response.json())["exec_info"]["queue_remaining"] == 0:
                        return

    async def _sampling(self) -> None:
        socket, _ = self._sockets["interrupted"]
        await socket.wait(lambda frames: any(isinstance(one, dict) and one["type"] == "progress" for one in frames))
        await self._hold()

    async def _hold(self) -> None:
        """Stop the worker where it is, so that what is asked while a prompt runs does find it running."""
        for process in psutil.Process(self._engine.process.pid).children():
            if any("engine.worker" in word for word in process.cmdline()):
                process.suspend()
                self._held = process

    def release(self) -> None:
        if self._held is not None:
            self._held.resume()
            self._held = None


def _in_their_order(body: Any) -> Any:
    """The prompt with its outputs named in the order in which that server took them: there it is the order of a set,
    here that of the prompt, and what runs first depends on it."""
    if isinstance(body, dict) and {"9", "10"} <= (body.get("prompt") or {}).keys():
        body["prompt"]["9"] = body["prompt"].pop("9")
    return body


def _is_end(frame: dict[str, Any]) -> bool:
    return frame["type"] == "executing" and frame["data"]["node"] is None and "prompt_id" in frame["data"]


# What was waited for before the exchange of this note was sent.
_BEFORE: dict[str, Callable[[_Actor], Awaitable[None]]] = {
    "after the valid ones above": _Actor._idle,
    "while running": _Actor._sampling,
    "3 queued": _Actor._hold,
}
