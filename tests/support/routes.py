"""The routes of the scripted ComfyUI: what it answers to whom; its state and its runs are in `replay`."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from PIL import Image

from tests.support.samples import Queued, frame, now

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]] | web.Response


@dataclass
class Request:
    """What a client asked; `body` is decoded JSON, or None."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Routes:
    """The answering half of `FakeComfy`, which sets all of these."""

    prefix: str
    dialect: str
    token: str | None
    admits: Callable[[web.Request], bool] | None
    object_info: dict[str, Any]
    requests: list[Request]
    sockets: dict[str, web.WebSocketResponse]
    flags: dict[str, dict[str, Any]]
    files: dict[tuple[str, str, str], bytes]
    settings: dict[str, Any]
    log: list[str]
    log_readers: set[str]
    pending: list[Queued]
    running: Queued | None
    history: dict[str, Any]
    _answers: dict[tuple[str, str], Answer]
    _counter: Iterator[int]
    _interrupt: bool
    _go: asyncio.Event
    _news: asyncio.Event

    async def _status(self) -> None:
        raise NotImplementedError  # FakeComfy tells its sockets

    def _remaining(self) -> int:
        return len(self.pending) + (self.running is not None)

    def _routes(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/ws", self._ws), ("GET", "/prompt", self._get_prompt), ("POST", "/prompt", self._post_prompt),
            ("GET", "/queue", self._get_queue), ("POST", "/queue", self._post_queue),
            ("POST", "/interrupt", self._post_interrupt), ("POST", "/free", self._ok),
            ("GET", "/history", self._get_history), ("POST", "/history", self._post_history),
            ("GET", "/history/{id}", self._get_entry), ("GET", "/jobs", self._get_jobs),
            ("GET", "/system_stats", self._get_stats), ("GET", "/features", self._get_features),
            ("GET", "/object_info", self._get_object_info), ("GET", "/object_info/{name}", self._get_class),
            ("GET", "/models", self._get_models), ("GET", "/models/{folder}", self._get_folder),
            ("GET", "/embeddings", self._get_embeddings),
            ("GET", "/view", self._get_view), ("POST", "/upload/image", self._post_upload),
            ("GET", "/settings", self._get_settings), ("POST", "/settings/{key}", self._post_setting),
            ("GET", "/internal/logs/raw", self._get_logs),
            ("PATCH", "/internal/logs/subscribe", self._subscribe_logs),
        ]  # fmt: skip

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Notes the request, checks the token, and gives the scripted answer if there is one."""
        path = request.path.removeprefix(self.prefix)
        path = path.removeprefix("/api") if not path.startswith("/api/jobs") else path
        body = None
        if request.method in ("POST", "PATCH") and not request.content_type.startswith("multipart/"):
            try:
                body = json.loads(await request.read())
            except ValueError:
                body = None
        self.requests.append(Request(request.method, path, dict(request.query), body, dict(request.headers)))
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        if self.admits is not None and not self.admits(request):
            said = f"no entry for {request.path_qs} with {dict(request.headers)}"  # some proxies are that talkative
            return web.json_response({"error": {"message": said}}, status=401)
        scripted = self._answers.get((request.method, path))
        if isinstance(scripted, web.Response):
            return web.Response(status=scripted.status, body=scripted.body, headers=scripted.headers)
        return await (scripted(request) if scripted is not None else handler(request))

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        sid = request.query.get("clientId") or uuid.uuid4().hex
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self.sockets[sid] = socket
        await socket.send_json(frame("status", status={"exec_info": {"queue_remaining": self._remaining()}}, sid=sid))
        first = True
        async for message in socket:
            if first and message.type == WSMsgType.TEXT and self.dialect == "new":
                said = json.loads(message.data)
                if said.get("type") == "feature_flags":
                    self.flags[sid] = said["data"]
                    await socket.send_json(frame("feature_flags", **self._features()))
            first = False
        self.log_readers.discard(sid)
        if self.sockets.get(sid) is socket:
            del self.sockets[sid]
        return socket

    def _features(self) -> dict[str, Any]:
        return {"supports_preview_metadata": True, "max_upload_size": 104857600}

    async def _ok(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _get_prompt(self, _: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": self._remaining()}})

    async def _post_prompt(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        graph = body.get("prompt")
        number = float(body["number"]) if "number" in body else next(self._counter) * (-1 if body.get("front") else 1)
        if graph is None:
            return _refuse("no_prompt", "No prompt provided", "No prompt provided")
        for node, content in graph.items():
            if content.get("class_type") not in self.object_info:
                message = f"Cannot execute because node {content.get('class_type')} does not exist."
                return _refuse("invalid_prompt", message, f"Node ID '#{node}'")
        outputs = [node for node, content in graph.items() if self.object_info[content["class_type"]]["output_node"]]
        if not outputs:
            return _refuse("prompt_no_outputs", "Prompt has no outputs", "")
        errors = {
            node: {
                "errors": [{
                    "type": "value_smaller_than_min", "message": "Value 0 smaller than min of 1", "details": "steps",
                    "extra_info": {"input_name": "steps"},
                }],
                "dependent_outputs": outputs,
                "class_type": content["class_type"],
            }
            for node, content in graph.items()
            if content["inputs"].get("steps", 1) == 0
        }  # fmt: skip
        if errors:
            return _refuse("prompt_outputs_failed_validation", "Prompt outputs failed validation", "", errors)
        prompt_id = str(body.get("prompt_id") or uuid.uuid4()) if self.dialect == "new" else str(uuid.uuid4())
        extra = dict(body.get("extra_data") or {})
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        extra["create_time"] = now()
        self.pending.append(Queued(number, prompt_id, graph, extra, outputs))
        self._news.set()
        await self._status()
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": {}})

    async def _get_queue(self, _: web.Request) -> web.Response:
        running = [] if self.running is None else [self.running.item()]
        waiting = sorted(self.pending, key=lambda item: (item.number, item.prompt_id))
        shuffled = [*waiting[:1], *reversed(waiting[1:])]  # a heap: only the first place is certain
        return web.json_response({"queue_running": running, "queue_pending": [item.item() for item in shuffled]})

    async def _post_queue(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        gone = set(body.get("delete", ()))
        self.pending = [] if body.get("clear") else [item for item in self.pending if item.prompt_id not in gone]
        await self._status()
        return web.Response()

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        wanted = (json.loads(await request.read() or b"{}") or {}).get("prompt_id")
        if not wanted or (self.running is not None and self.running.prompt_id == wanted):
            self._interrupt = True
            self._go.set()
        return web.Response()

    async def _get_history(self, request: web.Request) -> web.Response:
        entries = list(self.history.items())
        count, offset = int(request.query.get("max_items", 10_000)), int(request.query.get("offset", -1))
        chosen = entries[offset : offset + count] if offset >= 0 else entries[len(entries) - min(count, len(entries)) :]
        return web.json_response(dict(chosen))

    async def _post_history(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        for prompt_id in list(self.history) if body.get("clear") else body.get("delete", ()):
            self.history.pop(prompt_id, None)
        return web.Response()

    async def _get_entry(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["id"]
        return web.json_response({prompt_id: self.history[prompt_id]} if prompt_id in self.history else {})

    async def _get_jobs(self, request: web.Request) -> web.Response:
        if self.dialect == "old" or request.path.removeprefix(self.prefix) == "/jobs":
            return web.Response(status=404)
        queued, status = self._remaining(), request.query.get("status", "")
        if "cancelled" in status:
            return web.json_response({"error": "Invalid status value(s): cancelled."}, status=400)
        total = queued if status == "pending,in_progress" else len(self.history) + (0 if status else queued)
        offset, limit = int(request.query.get("offset", 0)), int(request.query["limit"])
        names = [*reversed(self.history)][offset : offset + limit] if status == "completed,failed" else []
        jobs = [
            {"id": name, "status": "completed", "priority": self.history[name]["prompt"][0], "create_time": now(),
             "execution_start_time": now() - 1000, "execution_end_time": now(), "outputs_count": 1,
             "preview_output": {"filename": f"{name}.png", "subfolder": "", "type": "output", "nodeId": "9", "mediaType": "images"}}
            for name in names
        ]  # fmt: skip
        more = offset + len(jobs) < total
        return web.json_response(
            {"jobs": jobs, "pagination": {"offset": offset, "limit": limit, "total": total, "has_more": more}}
        )

    async def _get_stats(self, _: web.Request) -> web.Response:
        gib = 1 << 30
        device = {
            "name": "cuda:0 NVIDIA Test : cudaMallocAsync", "type": "cuda", "index": 0, "vram_total": 24 * gib,
            "vram_free": 10 * gib, "torch_vram_total": 8 * gib, "torch_vram_free": gib,
        }  # fmt: skip
        system = {
            "os": "linux", "ram_total": 64 * gib, "ram_free": 33 * gib, "comfyui_version": "0.8.0",
            "python_version": "3.11.7 (main)", "pytorch_version": "2.13.0", "embedded_python": False, "argv": ["main.py"],
        }  # fmt: skip
        return web.json_response({"system": system, "devices": [device]})

    async def _get_features(self, _: web.Request) -> web.Response:
        return web.json_response(self._features())

    async def _get_object_info(self, _: web.Request) -> web.Response:
        return web.json_response(self.object_info)

    async def _get_class(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response({name: self.object_info[name]} if name in self.object_info else {})

    async def _get_models(self, _: web.Request) -> web.Response:
        return web.json_response(["checkpoints", "loras", "vae"])

    async def _get_folder(self, request: web.Request) -> web.Response:
        known = {"checkpoints": ["demo.safetensors"], "loras": [], "vae": []}
        folder = request.match_info["folder"]
        return web.json_response(known[folder]) if folder in known else web.Response(status=404)

    async def _get_embeddings(self, _: web.Request) -> web.Response:
        return web.json_response([])

    async def _get_view(self, request: web.Request) -> web.Response:
        query = request.query
        data = self.files.get((query.get("type", "output"), query.get("subfolder", ""), query.get("filename", "")))
        if data is None:
            return web.Response(status=404)
        if "preview" in query:
            small = io.BytesIO()
            Image.open(io.BytesIO(data)).convert("RGB").save(small, "WEBP")
            return web.Response(body=small.getvalue(), content_type="image/webp")
        return web.Response(body=data, content_type="image/png")

    async def _post_upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField):
            return web.Response(status=400)
        name, data = image.filename, image.file.read()
        if ("input", "", name) in self.files and form.get("overwrite") != "true":
            stem, dot, ending = name.rpartition(".")
            name = f"{stem} (1){dot}{ending}"
        self.files["input", "", name] = data
        return web.json_response({"name": name, "subfolder": "", "type": "input"})

    async def _get_settings(self, _: web.Request) -> web.Response:
        return web.json_response(self.settings)

    async def _post_setting(self, request: web.Request) -> web.Response:
        self.settings[request.match_info["key"]] = json.loads(await request.read())
        return web.Response()

    async def _get_logs(self, _: web.Request) -> web.Response:
        entries = [self._log_entry(number, line) for number, line in enumerate(self.log)][-300:]
        return web.json_response({"entries": entries, "size": {"cols": 80, "rows": 24}})

    def _log_entry(self, number: int, line: str) -> dict[str, str]:
        return {"t": f"2026-11-23T19:05:53.{number:06}", "m": line + "\n"}

    async def _subscribe_logs(self, request: web.Request) -> web.Response:
        body = await request.json()
        (self.log_readers.add if body["enabled"] else self.log_readers.discard)(body["clientId"])
        return web.Response()


def _refuse(kind: str, message: str, details: str, node_errors: Any = None) -> web.Response:
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": node_errors or {}}, status=400)
