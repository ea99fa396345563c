"""The frames of one well-behaved run, in a real server's order: what a scripted server plays unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.samples import (
    Finish,
    Hold,
    Queued,
    Step,
    frame,
    now,
    picture,
    plain_preview_frame,
    preview_frame,
)


@dataclass
class Script:
    """How a run goes. `numbers` gives the numbers of the pictures it saves."""

    numbers: Iterator[int]
    dialect: str = "new"  # new: progress_state and progress; old: executing and progress only
    metadata: bool = False  # the client understands previews with metadata
    hold: tuple[str, int] | None = None  # (node, step) before which it stops; step 0: before the node
    failing: tuple[str, str, str] | None = None  # (node, exception type, message)

    def steps(self, job: Queued) -> list[Step]:
        """All of them; "$id" stands for the prompt's id."""
        self._done: dict[str, Any] = {}
        steps: list[Step] = [frame("execution_start", prompt_id="$id", timestamp=now())]
        steps.append(frame("execution_cached", nodes=[], prompt_id="$id", timestamp=now()))
        for node, content in job.graph.items():
            if self.hold == (node, 0):
                steps.append(Hold())
            steps += self._state(node, 0, 1, "running")
            steps.append(frame("executing", node=node, display_node=node, prompt_id="$id"))
            if self.failing is not None and self.failing[0] == node:
                error = self._error(job, node)
                return [*steps, frame("execution_error", **error), Finish("error", None, error)]
            steps += self._sampling(job, node, content["inputs"].get("steps", 0))
            if content["class_type"] in ("SaveImage", "PreviewImage"):
                kind = "output" if content["class_type"] == "SaveImage" else "temp"
                name = f"{content['inputs'].get('filename_prefix', 'temp')}_{next(self.numbers):05}_.png"
                output = {"images": [{"filename": name, "subfolder": "", "type": kind}]}
                steps.append(frame("executed", node=node, display_node=node, output=output, prompt_id="$id"))
            steps += self._state(node, 1, 1, "finished")
        if self.dialect == "new":
            steps.append(frame("execution_success", prompt_id="$id", timestamp=now()))
        return [*steps, Finish()]

    def _state(self, node: str, value: float, maximum: float, name: str) -> list[Step]:
        """`progress_state` lists all nodes that have begun."""
        self._done[node] = {
            "value": value, "max": maximum, "state": name, "node_id": node, "prompt_id": "$id",
            "display_node_id": node, "parent_node_id": None, "real_node_id": node,
        }  # fmt: skip
        return [frame("progress_state", prompt_id="$id", nodes=dict(self._done))] if self.dialect == "new" else []

    def _sampling(self, job: Queued, node: str, count: Any) -> list[Step]:
        steps: list[Step] = []
        for step in range(1, count + 1 if isinstance(count, int) else 1):
            if self.hold == (node, step):
                steps.append(Hold())
            steps += self._state(node, step, count, "running")
            if job.extra_data.get("preview_method", "none") != "none":
                image = picture(32, 32, kind="JPEG", colour=f"#{min(255, 40 * step):02x}4030")
                steps.append(preview_frame("$id", node, image) if self.metadata else plain_preview_frame(image))
            steps.append(frame("progress", value=step, max=count, prompt_id="$id", node=node))
        return steps

    def _error(self, job: Queued, node: str) -> dict[str, Any]:
        _, kind, message = self.failing or ("", "", "")
        return {
            "prompt_id": job.prompt_id, "node_id": node, "node_type": job.graph[node]["class_type"], "executed": [],
            "exception_message": message + "\n", "exception_type": kind,
            "traceback": ['  File "/srv/nodes.py", line 1, in run\n    raise\n'], "current_inputs": {"steps": [4]},
            "current_outputs": [], "timestamp": now(),
        }  # fmt: skip
