"""Which model files are listed, and in what order; how much a folder holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from comfytui.client.model_files import ModelFile
from comfytui.state.model import Job, ServerState
from comfytui.workflow.graph import inputs


class Order(StrEnum):
    """How the files are sorted."""

    NAME = "by name"
    SIZE = "largest first"
    DATE = "newest first"

    @property
    def next(self) -> Order:
        every = list(Order)
        return every[(every.index(self) + 1) % len(every)]


def listed(files: Iterable[ModelFile], query: str, order: Order) -> list[ModelFile]:
    """Those whose names have all words of `query`, sorted."""
    words = query.lower().split()
    found = [file for file in files if all(word in file.name.lower() for word in words)]
    if order is Order.SIZE:
        return sorted(found, key=lambda file: (-(file.size or 0), file.name.lower()))
    if order is Order.DATE:
        return sorted(found, key=lambda file: (-(file.modified or 0.0), file.name.lower()))
    return sorted(found, key=lambda file: (file.folder, file.name.lower()))


def total(files: Sequence[ModelFile]) -> int | None:
    """Bytes of all of them; None if the server does not tell sizes."""
    known = [file.size for file in files if file.size is not None]
    return sum(known) if known or not files else None


def same(name: str, model: ModelFile) -> bool:
    """Whether a node's input means this file; Windows servers write backslashes."""
    return name.replace("\\", "/") == model.name.replace("\\", "/")


def jobs_with(state: ServerState, model: ModelFile) -> list[Job]:
    """The jobs that used a file: by their graphs where they are known, else by what is kept of them."""
    return [job for job in state.jobs.values() if _uses(job, model)]


def _uses(job: Job, model: ModelFile) -> bool:
    if same(job.facts.model, model) or any(same(lora, model) for lora in job.facts.loras):
        return True
    graph = job.graph or {}
    return any(
        isinstance(value, str) and same(value, model) for node in graph for value in inputs(graph, node).values()
    )
