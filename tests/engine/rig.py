"""All nodes of the engine in this process, validated and executed as the worker does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from engine.files.folders import Folders
from engine.graph.cache import ResultCache
from engine.graph.execute import Executor
from engine.graph.validate import Validator
from engine.models.memory import Memory
from engine.nodes.registry import builtin
from engine.options import Options
from tests.engine.graph.graphs import Events


class Rig:
    """Validation and execution as the worker has them, in this process."""

    def __init__(self, base: Path) -> None:
        self.folders = Folders.from_options(Options(base_directory=str(base)))
        self.folders.create()
        self.checkpoints = base / "models" / "checkpoints"
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        registry = builtin()
        memory = Memory(torch.device("cpu"))
        self.validator = Validator(registry, self.folders)
        self.executor = Executor(registry, self.folders, ResultCache("none"), services={"memory": memory})

    def run(self, prompt: dict[str, Any], **more: Any) -> tuple[str, str, dict[str, Any]]:
        """The status, the text of the error, and the outputs."""
        verdict = self.validator.validate(prompt, None)
        assert verdict.error is None, (verdict.error, verdict.node_errors)
        events = Events()
        status, history = self.executor.run("p", prompt, verdict.outputs, events, **more)
        errors = events.of("execution_error")
        return status, errors[0]["exception_message"] if errors else "", history.outputs
