"""Shows on stderr how jobs get on: a bar that redraws its line on a terminal, else a line for each thing that happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from comfytui.cli import diagnostics
from comfytui.state.model import JobState, NodeState, Phase, ServerState

WIDTH = 24
INTERVAL = 0.1  # seconds between two drawings: a slow terminal is normal


class Progress:
    """Feed it states; it prints what is new. `prompt_ids` are the jobs of this command, in their order."""

    def __init__(self, prompt_ids: Sequence[str]) -> None:
        self.prompt_ids = tuple(prompt_ids)
        self._interactive = diagnostics.interactive()
        self._drawn = ""
        self._told: set[str] = set()
        self._next = 0.0

    def __call__(self, state: ServerState) -> None:
        """Show a state; may skip it if it comes soon after another."""
        if self._interactive:
            now = asyncio.get_running_loop().time()
            if now >= self._next:
                self._next = now + INTERVAL
                self._draw(self._line(state))
            return
        for text in self._news(state):
            if text not in self._told:
                self._told.add(text)
                diagnostics.say(text)

    def flush(self, state: ServerState) -> None:
        """Tell what happened even if no state came by since: a short job may be over before anybody looked."""
        if not self._interactive:
            self(state)

    def clear(self) -> None:
        """Take the bar away, before something else is printed."""
        if self._interactive and self._drawn:
            diagnostics.rewrite("")
            self._drawn = ""

    def _draw(self, text: str) -> None:
        if text != self._drawn:
            self._drawn = text
            diagnostics.rewrite(text)

    def _line(self, state: ServerState) -> str:
        if state.link.phase is not Phase.LIVE:
            return f"{state.link.phase}: {state.link.error or state.link.url}"
        done = sum(_over(state, each) for each in self.prompt_ids)
        count = f"[{min(done + 1, len(self.prompt_ids))}/{len(self.prompt_ids)}] " if len(self.prompt_ids) > 1 else ""
        run = state.run
        if run is None or run.prompt_id not in self.prompt_ids:
            ahead = min((state.waiting.index(each) for each in self.prompt_ids if each in state.waiting), default=0)
            return f"{count}waiting, {ahead + len(state.running)} ahead"
        job = state.jobs.get(run.prompt_id)
        node = next((each for each in job.nodes if each.id == run.node_id), None) if job is not None else None
        parts = [count + (node.title if node is not None else "starting")]
        if run.maximum:
            filled = round(WIDTH * min(1.0, run.value / run.maximum))
            parts.append("━" * filled + "─" * (WIDTH - filled))
            parts.append(f"{run.value:g}/{run.maximum:g}")
        if run.rate:
            parts.append(f"{run.rate:.1f} it/s")
        if run.left is not None:
            parts.append(f"{int(run.left) // 60}:{int(run.left) % 60:02d} left")
        return "  ".join(parts)

    def _news(self, state: ServerState) -> list[str]:
        found: list[str] = []
        if state.link.phase is not Phase.LIVE:
            found.append(f"{state.link.phase}: {state.link.error or state.link.url}")
        for prompt_id in self.prompt_ids:
            if (job := state.jobs.get(prompt_id)) is None:
                continue
            short = prompt_id[:8]
            if job.state is JobState.RUNNING:
                found.append(f"{short} running")
                found += [f"{short}   {each.title}" for each in job.nodes if each.state is NodeState.RUNNING]
            elif job.state is not JobState.WAITING:
                found.append(f"{short} {job.state}")
        return found


def _over(state: ServerState, prompt_id: str) -> bool:
    job = state.jobs.get(prompt_id)
    return job is not None and job.state not in (JobState.WAITING, JobState.RUNNING)
