"""What can be done with the selected job, the same on every screen that shows jobs."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from comfytui.client import downloads
from comfytui.client.errors import ClientError, Missing, Refused
from comfytui.tui import job_details
from comfytui.tui.queue_order import taken
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.wording import cut, cut_middle, plural, short_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from comfytui.state.connection import Connection
    from comfytui.state.model import Job, Output

MANY = 5  # jobs from which running them again is asked for first


def pictures_of(job: Job | None) -> tuple[Output, ...]:
    """The pictures of a job: what was saved first, what was only previewed after it."""
    found = () if job is None else tuple(o for o in job.outputs if o.kind == "images" and o.filename)
    return tuple(sorted(found, key=lambda output: output.type != "output"))


class JobView(ScreenView):
    """A screen with a selected job: `job` says which."""

    @property
    def marked(self) -> tuple[Job, ...]:
        """The jobs that an action on several is about: the marked ones in their order, else the selected one."""
        job = self.job
        return () if job is None else (job,)

    @property
    def connection(self) -> Connection:
        """The server. Actions that need it are not allowed without one."""
        connection = self.session.connection
        if connection is None:
            raise Missing("There is no server. Start one, or connect with --server URL.")
        return connection

    def _ask(self, name: str, work: Any) -> None:
        self.dashboard.ask(name, work)

    def action_new_run(self) -> None:
        self.dashboard.new_run()

    @property
    def where(self) -> str:
        """The server's name, for a question."""
        return cut_middle(self.connection.target.label, 48)

    def action_again(self) -> None:
        if jobs := self.marked:
            self._ask("run again", self.run_again(jobs))

    def action_other_seed(self) -> None:
        if jobs := self.marked:
            self._ask("other seed", self.run_again(jobs, other_seed=True))

    def in_order(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Jobs in the order in which they are queued again."""
        return jobs

    async def run_again(self, jobs: Sequence[Job], other_seed: bool = False) -> bool:
        """Queue jobs once more; many are asked about first. Whether it was done; one that fails keeps no other from it."""
        if len(jobs) == 1:
            await self._again(jobs[0], other_seed)
            return True
        if len(jobs) >= MANY and not await self.dashboard.confirm(
            f"Queue {len(jobs):,} jobs on {self.where}?", "queue them", "do not"
        ):
            return False
        from comfytui.workflow.errors import WorkflowError
        from comfytui.workflow.seeds import random_seed

        done = 0
        failed: Exception | None = None
        for job in self.in_order(jobs):
            try:
                await self.submit_copy(job, seed=random_seed() if other_seed else None)
                done += 1
            except (ClientError, WorkflowError) as error:
                failed = error
        self.told(done, len(jobs), "queued again", failed)
        return failed is None

    def told(self, done: int, of: int, what: str, failed: Exception | None) -> None:
        """Say what was done, or how much of it, and why not the rest."""
        if failed is not None:
            self.dashboard.report(f"{done:,} of {of:,} {what}; the others not: {failed}")
        else:
            self.dashboard.say(f"{done:,} {what}")

    async def _graph(self, job: Job) -> Mapping[str, Any]:
        """The graph exactly as the server has it. Raises Missing if the server does not tell it."""
        graph = self.connection.raw_graph(job.id)
        if not graph:
            await self.connection.load_job(job.id)
            graph = self.connection.raw_graph(job.id)
        if not graph:
            raise Missing("The server does not tell the workflow of this job any more.")
        return graph

    async def _again(self, job: Job, other_seed: bool) -> None:
        seed = None
        if other_seed:
            from comfytui.workflow.seeds import random_seed

            seed = random_seed()
        try:
            await self.submit_copy(job, seed=seed)
        except Refused as error:  # a model or a node type is gone since: said in full, for a toast holds no advice
            from comfytui.tui import refusals

            await refusals.show(self.dashboard, job.graph, error)
            return
        what = "again" if seed is None else f"with seed {seed}"
        paused = self.connection.state.paused
        self.dashboard.say(f"{what}: {taken(self.connection.state)}" if paused else f"queued {what}")

    async def submit_copy(
        self, job: Job, *, seed: int | None = None, number: float | None = None, hold: bool | None = None
    ) -> None:
        """Submit what a job ran once more; `seed`, `number` and `hold` as `Connection.submit` has them, None: as it was.

        Raises ClientError.
        """
        from comfytui.workflow.document import templates_in

        graph = await self._graph(job)
        if seed is not None:
            from comfytui.workflow.seeds import with_seed

            graph = with_seed(graph, seed)
        await self.connection.submit(
            graph,
            name=job.facts.name,
            workflow=_ui_form(job),
            previews=self.dashboard.settings.previews,
            number=number,
            hold=hold,
            templates=templates_in(_extra(job).get("comfytui")),
        )

    def action_elsewhere(self) -> None:
        if jobs := self.marked:
            self._ask("send to another server", self._elsewhere(jobs))

    async def _elsewhere(self, jobs: tuple[Job, ...]) -> None:
        from comfytui.tui import elsewhere
        from comfytui.tui.wording import plural
        from comfytui.workflow.document import templates_in

        name = await elsewhere.choose(self.dashboard)
        sent = 0
        for job in jobs if name is not None else ():
            templates = templates_in(_extra(job).get("comfytui"))
            try:
                graph = await self._graph(job)
                sent += await elsewhere.send(self.dashboard, str(name), job, graph, _ui_form(job), templates)
            except Refused as error:
                from comfytui.tui import refusals

                await refusals.show(self.dashboard, job.graph, error)
        if sent:
            self.dashboard.say(f"queued on {name}" if sent == 1 else f"{plural(sent, 'job')} queued on {name}")

    def action_edit(self) -> None:
        if (job := self.job) is not None:
            self._ask("edit", self._edit(job))

    async def _edit(self, job: Job) -> None:
        from comfytui.tui.screens.editor import open_editor
        from comfytui.workflow.document import Document, templates_in

        graph = await self._graph(job)  # what was really run, not what is shown of it
        name = job.facts.name or f"job {short_id(job.id)}"
        document = Document(name=name, graph=dict(graph), source="history")
        workflow, templates = _ui_form(job), templates_in(_extra(job).get("comfytui"))
        open_editor(
            self.dashboard, replace(document, workflow=dict(workflow) if workflow else None, templates=templates)
        )

    def action_interrupt(self) -> None:
        state = self.session.state
        if state is not None and state.running:
            self._ask("interrupt", self._interrupt(state.running[0]))

    async def _interrupt(self, prompt_id: str) -> None:
        job = self.connection.state.jobs.get(prompt_id)
        what = cut(job_details.title(job), 40) if job is not None else "the job"
        if self.dashboard.settings.confirm.interrupt and not await self.dashboard.confirm(
            f"Interrupt {what}, which runs on {self.where}?", "interrupt it", "let it run"
        ):
            return
        await self.connection.interrupt(prompt_id)
        self.dashboard.say("interrupted")

    def action_cancel(self) -> None:
        """Stop the selected job, whether it runs or waits."""
        job, state = self.job, self.session.state
        if job is None or state is None:
            return
        if job.id in state.running:
            self._ask("interrupt", self._interrupt(job.id))
        else:
            self._ask("cancel", self._cancel(job))

    async def _cancel(self, job: Job) -> None:
        if self.dashboard.settings.confirm.cancel and not await self.dashboard.confirm(
            f"Take {cut(job_details.title(job), 40)} out of the queue of {self.where}?",
            "cancel it",
            "keep it",
            job.facts.positive,
        ):
            return
        await self.connection.cancel([job.id])
        self.dashboard.say("cancelled")

    def save_pictures(self) -> None:
        if (job := self.job) is not None:
            self._ask("save", self._save_pictures(job))

    async def _save_pictures(self, job: Job) -> None:
        """Fetch the originals, and write them to a folder that the user confirms."""
        pictures = pictures_of(job)
        folder = await self._ask_folder(f"Save {plural(len(pictures), 'picture')} to which folder?")
        if folder is None:
            return
        paths = [await self._save_one(folder, output) for output in pictures]
        remember_folder(folder)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self.dashboard.say(f"saved {paths[0]}{more}")

    async def _save_one(self, folder: Path, output: Output) -> Path:
        import asyncio

        data = await self.connection.fetch(output)
        return await asyncio.to_thread(downloads.save, folder, output.filename, data)

    def action_save_workflow(self) -> None:
        if jobs := self.marked:
            self._ask("save workflow", self.save_workflows(jobs))

    async def save_workflows(self, jobs: Sequence[Job]) -> bool:
        """Write the workflows of jobs to a folder that the user confirms, none over another. Whether all were written."""
        import asyncio

        one = len(jobs) == 1
        graphs = {jobs[0].id: await self._graph(jobs[0])} if one else {}  # of one: that it is gone is said first
        what = "the workflow" if one else f"the workflows of {len(jobs):,} jobs"
        folder = await self._ask_folder(f"Save {what} to which folder?")
        if folder is None:
            return False
        saved: list[Path] = []
        failed: ClientError | None = None
        for job in jobs:
            try:
                graph = graphs.get(job.id) or await self._graph(job)
            except ClientError as error:
                failed = error
                continue
            saved.append(await asyncio.to_thread(_write, folder, job, graph))
        remember_folder(folder)
        if failed is not None:
            self.told(len(saved), len(jobs), f"saved to {folder}", failed)
            return False
        self.dashboard.say(f"saved {saved[0]}" if one else f"saved {saved[0]} and {len(saved) - 1:,} more")
        return True

    async def _ask_folder(self, question: str) -> Path | None:
        from comfytui.settings.memory import recall
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        suggested = self.dashboard.settings.output_dir
        if suggested == ".":
            suggested = recall().last_output_dir or str(Path.cwd())
        answer = cast("str | None", await self.app.push_screen_wait(TextInputDialog(question, suggested)))
        return None if answer is None else Path(os.path.expanduser(answer))  # noqa: ASYNC240, PTH111 - reads no disk


def remember_folder(folder: Path) -> None:
    """It is suggested the next time."""
    from comfytui.settings.memory import remember

    remember(last_output_dir=str(folder))


def _write(folder: Path, job: Job, graph: Mapping[str, Any]) -> Path:
    """Write a job's workflow under its name, or that with a number. Raises WorkflowError, OSError."""
    from comfytui.workflow.document import write

    folder.mkdir(parents=True, exist_ok=True)
    stem = (job.facts.name or f"job_{job.id[:8]}").removesuffix(".json")
    names = (downloads.safe_name(f"{stem}{f'-{number}' if number else ''}.json") for number in count())
    return write(next(path for name in names if not os.path.lexists(path := folder / name)), graph)


def _ui_form(job: Job) -> Mapping[str, Any] | None:
    """The UI form that came with a job, so that pictures of its repetition carry it too."""
    workflow = _extra(job).get("workflow")
    return workflow if isinstance(workflow, dict) else None


def _extra(job: Job) -> Mapping[str, Any]:
    """What is written into the pictures of a job."""
    info = job.extra_data.get("extra_pnginfo")
    return info if isinstance(info, dict) else {}
