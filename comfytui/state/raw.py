"""What the server said verbatim, kept apart from what is shown, to be sent back to it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from comfytui.client.messages import Prompt, RawPrompt
from comfytui.state.model import Job

KEPT = 500  # prompts whose raw form differs from the shown one; such prompts are rare


def sendable(graph: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an API graph fit to be submitted.

    Older servers leave `is_changed` in the graphs of their queue; sent back it would be believed, and a node that must
    run anew would be served from the cache.
    """
    result: dict[str, Any] = copy.deepcopy(dict(graph))
    for node in result.values():
        if isinstance(node, dict):
            node.pop("is_changed", None)
    return result


class RawPrompts:
    """The prompts that cleaning changed. For all others the shown form is the raw one."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._prompts: OrderedDict[str, RawPrompt] = OrderedDict()
        self._forgotten: set[str] = set()  # had a raw form that is no longer kept: must be asked for again

    def remember(self, prompts: Iterable[Prompt]) -> None:
        """Note the raw forms that came with these; prompts without a graph tell nothing."""
        for prompt in prompts:
            if prompt.graph is None:
                continue
            self._forgotten.discard(prompt.prompt_id)
            if prompt.raw is None:
                self._prompts.pop(prompt.prompt_id, None)
            else:
                self.put(prompt.prompt_id, prompt.raw)

    def put(self, prompt_id: str, raw: RawPrompt) -> None:
        """Keep the raw form of one prompt, and forget the oldest if there are too many."""
        self._prompts[prompt_id] = raw
        self._prompts.move_to_end(prompt_id)
        while len(self._prompts) > self._kept:
            self._forgotten.add(self._prompts.popitem(last=False)[0])

    def drop(self, ids: Iterable[str]) -> None:
        """These jobs are gone."""
        for prompt_id in ids:
            self._prompts.pop(prompt_id, None)
            self._forgotten.discard(prompt_id)

    def id(self, prompt_id: str) -> str:
        """The id as the server knows it."""
        raw = self._prompts.get(prompt_id)
        return prompt_id if raw is None else raw.prompt_id

    def graph(self, prompt_id: str, job: Job | None) -> dict[str, Any] | None:
        """The graph as the server has it, as a copy; None if it is not known."""
        raw = self._prompts.get(prompt_id)
        if raw is not None:
            return sendable(raw.graph)
        if job is None or not job.graph or prompt_id in self._forgotten:
            return None
        return sendable(job.graph)

    def prompt(self, listed: Prompt, job: Job | None) -> RawPrompt:
        """A prompt that the queue lists, as the server has it, wherever its graph was read."""
        raw = self._prompts.get(listed.prompt_id)
        if raw is not None:
            return RawPrompt(raw.prompt_id, raw.graph, raw.extra_data, raw.outputs or listed.outputs)
        if listed.graph is not None or job is None:
            return RawPrompt(listed.prompt_id, listed.graph or {}, listed.extra_data, listed.outputs)
        return RawPrompt(job.id, job.graph, job.extra_data, listed.outputs)

    def known(self, jobs: Mapping[str, Job]) -> Known:
        """The ids whose graphs need not be read again."""
        return Known(jobs, self._forgotten)


class Known:
    """A test for ids, without building a set of ten thousand on each poll."""

    def __init__(self, jobs: Mapping[str, Job], forgotten: set[str]) -> None:
        self._jobs = jobs
        self._forgotten = forgotten

    def __contains__(self, prompt_id: object) -> bool:
        if not isinstance(prompt_id, str) or prompt_id in self._forgotten:
            return False
        job = self._jobs.get(prompt_id)
        return job is not None and bool(job.graph)
