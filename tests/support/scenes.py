"""Scenes of the scripted ComfyUI: hostile text, a web page instead of a server, a run that loses its socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.samples import HOSTILE, Drop, Hold, frame, html, node_info, now, txt2img

if TYPE_CHECKING:
    from tests.support.replay import FakeComfy


def hostile(server: FakeComfy) -> None:
    """Scene: node titles, file names and an error message with everything in them that a terminal must not see."""
    server.object_info = {
        **server.object_info,
        HOSTILE: {**node_info(HOSTILE, {}, ["IMAGE"], HOSTILE), "description": HOSTILE},
    }
    server.log.append(HOSTILE)
    graph = txt2img(text=HOSTILE, prefix=HOSTILE)
    graph["3"]["_meta"] = {"title": HOSTILE}
    output = {"images": [{"filename": HOSTILE + ".png", "subfolder": "", "type": "output"}]}
    for outcome, name in (("success", "d"), ("error", "f")):
        prompt_id = f"{name * 8}-0000-4000-8000-000000000000"
        last = {"prompt_id": prompt_id, "timestamp": now(), "node_id": "3", "node_type": HOSTILE, "executed": [],
                "exception_message": HOSTILE, "exception_type": HOSTILE, "traceback": [HOSTILE], "current_inputs": {HOSTILE: HOSTILE}}  # fmt: skip
        server.history[prompt_id] = {
            "prompt": [0, prompt_id, graph, {"client_id": HOSTILE}, ["9"]],
            "outputs": {"9": output},
            "status": {"status_str": outcome, "completed": outcome == "success",
                       "messages": [["execution_start", {"timestamp": now()}], [f"execution_{outcome}", last]]},
        }  # fmt: skip
    server._store(output)


def web_page(server: FakeComfy) -> None:
    """Scene: something else listens there."""
    for path in ("/prompt", "/queue", "/history", "/system_stats", "/object_info", "/ws"):
        server.answer("GET", path, html())
    server.answer("POST", "/prompt", html())


def breaking(server: FakeComfy) -> None:
    """Scene: each run loses its socket in the middle, once."""
    server.script(frame("execution_start", prompt_id="$id", timestamp=now()),
                  frame("executing", node="3", display_node="3", prompt_id="$id"), Drop(), Hold())  # fmt: skip


SCENES: dict[str, Callable[[FakeComfy], None]] = {"hostile": hostile, "html": web_page, "drop": breaking}
