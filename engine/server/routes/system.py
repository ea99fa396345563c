"""`/system_stats` and `/features`: what this server is."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from typing import Any

from aiohttp import web

from engine.server.bodies import answer
from engine.server.services import services
from engine.worker.supervisor import WorkerUnavailableError

COMFYUI_VERSION = "0.8.0"  # whose API this is: clients compare it before they use a route
FRONTEND_VERSION = "1.35.9"
TEMPLATES_VERSION = "0.7.67"
_PATIENCE = 3.0  # seconds for the worker to look at its devices


async def stats(request: web.Request) -> web.Response:
    """`GET /system_stats`. While the worker starts, the processor stands in for its devices."""
    shared = services(request)
    total, free = _memory()
    pytorch, devices = _installed("torch") or "unknown", _processor(total, free)
    if shared.worker.ready is not None:
        try:
            told = await shared.worker.describe_devices(patience=_PATIENCE)
            pytorch, devices = told.pytorch_version, told.devices
        except WorkerUnavailableError:
            pass  # it has just ended, or is busy in a long native call: memory alone is still an answer
    system = {
        "os": sys.platform,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": COMFYUI_VERSION,
        "required_frontend_version": FRONTEND_VERSION,
        "installed_templates_version": TEMPLATES_VERSION,
        "required_templates_version": TEMPLATES_VERSION,
        "python_version": sys.version,
        "pytorch_version": pytorch,
        "embedded_python": False,
        "argv": list(shared.argv),
        "engine": f"comfytui {version()}",
        "worker": "ready" if shared.worker.ready is not None else "starting",
    }
    ready = shared.worker.ready
    if ready is not None and ready.import_failures:
        system["custom_nodes_failed"] = ready.import_failures
    return answer({"system": system, "devices": devices})


async def features(request: web.Request) -> web.Response:
    """`GET /features`."""
    return answer(services(request).features())


@cache
def version() -> str:
    """Of this package."""
    return _installed("comfytui") or "(not installed)"


@cache
def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> tuple[int, int]:
    """Bytes of memory: all, and available."""
    import psutil  # here: the start of the server does not need it

    memory = psutil.virtual_memory()
    return memory.total, memory.available


def _processor(total: int, free: int) -> list[dict[str, Any]]:
    amounts = {"vram_total": total, "vram_free": free, "torch_vram_total": total, "torch_vram_free": free}
    return [{"name": "cpu", "type": "cpu", "index": None, **amounts}]
