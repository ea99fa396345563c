"""What can be done with the selected job of the history, or with all that are marked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from comfytui.client import downloads
from comfytui.client.errors import ClientError, Missing
from comfytui.state.filters import NO_MARK
from comfytui.state.model import JobState
from comfytui.tui import job_details, parameters
from comfytui.tui.screens.job_view import JobView, remember_folder
from comfytui.tui.wording import cut, plural

if TYPE_CHECKING:
    from pathlib import Path

    from comfytui.state.model import Job, Mark, Output


def files_of(job: Job) -> tuple[Output, ...]:
    """What `save` saves of a job: the files that it saved itself; if it saved none, those that were only previews."""
    files = tuple(output for output in job.outputs if output.filename)
    return tuple(output for output in files if output.type == "output") or files


class HistoryActs(JobView):
    """`marked` says which jobs are meant. Where several are, one that fails does not keep the others from being done."""

    def mark_of(self, job: Job) -> Mark:
        """Its star and note."""
        state = self.session.state
        return NO_MARK if state is None else state.marks.get(job.id, NO_MARK)

    def in_order(self, jobs: Sequence[Job]) -> Sequence[Job]:
        return tuple(reversed(jobs))  # the oldest first, as they were made

    # Save

    def action_save(self) -> None:
        if jobs := self.marked:
            self._ask("save", self._save_all([output for job in jobs for output in files_of(job)]))

    async def _save_all(self, outputs: Sequence[Output]) -> None:
        """Fetch originals, one after the other, and write them to a folder that the user confirms."""
        if not outputs:
            raise Missing("These jobs made no files.")
        folder = await self._ask_folder(f"Save {plural(len(outputs), 'file')} to which folder?")
        if folder is None:
            return
        paths: list[Path] = []
        failed: ClientError | None = None
        for output in outputs:
            try:
                paths.append(await self._save_output(folder, output))
            except ClientError as error:  # gone; a full disk (OSError) would fail for all of them
                failed = error
        remember_folder(folder)
        if failed is not None:
            if len(outputs) == 1:
                raise failed
            self.told(len(paths), len(outputs), f"saved to {folder}", failed)
            return
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self.dashboard.say(f"saved {paths[0]}{more}")

    async def _save_output(self, folder: Path, output: Output) -> Path:
        if output.filename:
            return await self._save_one(folder, output)
        data = (output.text or "").encode("utf-8", "replace")
        return await asyncio.to_thread(downloads.save, folder, f"text_{output.node_id}.txt", data)

    def action_outputs(self) -> None:
        if (job := self.job) is not None:
            self._ask("outputs", self._outputs(job))

    async def _outputs(self, job: Job) -> None:
        from comfytui.tui.widgets.outputs_dialog import OutputsDialog

        dialog = OutputsDialog(cut(job_details.title(job), 40), job.outputs, self.connection.size)
        chosen = cast("tuple[int, ...] | None", await self.app.push_screen_wait(dialog))
        if chosen:
            await self._save_all([job.outputs[place] for place in chosen])

    # Delete

    def action_delete(self) -> None:
        if jobs := self.marked:
            self._ask("delete", self._delete(jobs))

    async def _delete(self, jobs: Sequence[Job]) -> None:
        many = len(jobs) > 1
        question = (
            f"Delete {len(jobs):,} jobs from the history of {self.where}? Their files stay."
            if many
            else f"Delete this job from the history of {self.where}? Its files stay."
        )
        starred = sum(self.mark_of(job).star for job in jobs)
        detail = f"{starred:,} of them have a star." if many and starred else ""
        detail = detail or ("" if many else cut(job_details.title(jobs[0]), 60))
        yes, no = ("delete them", "keep them") if many else ("delete it", "keep it")
        if self.dashboard.settings.confirm.delete_history and not await self.dashboard.confirm(
            question, yes, no, detail
        ):
            return
        if lost := [job.id for job in jobs if job.state is JobState.LOST]:
            await self.connection.forget(lost)  # only this side knows them
        if told := [job.id for job in jobs if job.state is not JobState.LOST]:
            await self.connection.delete_history(told)
        self.dashboard.say(f"{plural(len(jobs), 'job')} deleted; the files are still there")

    # Stars and notes

    def action_star(self) -> None:
        if jobs := self.marked:
            self._ask("star", self._star(jobs))

    async def _star(self, jobs: Sequence[Job]) -> None:
        """Give all of them a star; if all have one, take it away."""
        star = not all(self.mark_of(job).star for job in jobs)
        for job in jobs:
            if self.mark_of(job).star is not star:
                await self.connection.star(job.id, star)

    def action_note(self) -> None:
        if jobs := self.marked:
            self._ask("note", self._note(jobs))

    async def _note(self, jobs: Sequence[Job]) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        notes = {self.mark_of(job).note for job in jobs}
        old = notes.pop() if len(notes) == 1 else ""
        about = cut(job_details.title(jobs[0]), 40) if len(jobs) == 1 else plural(len(jobs), "job")
        dialog = TextInputDialog(f"Note to {about}", old, "It stays on this side. Empty takes it away.", True)
        note = cast("str | None", await self.app.push_screen_wait(dialog))
        if note is None:
            return
        for job in jobs:
            if self.mark_of(job).note != note:
                await self.connection.note(job.id, note)

    # Copy and compare

    def action_copy(self) -> None:
        """As the web UI writes them: what other tools and sites read."""
        if jobs := self.marked:
            self.dashboard.copy("\n\n".join(map(parameters.as_a1111, jobs)), "the parameters")

    def action_copy_lines(self) -> None:
        if jobs := self.marked:
            self.dashboard.copy("\n\n".join(map(parameters.as_lines, jobs)), "the parameters, one a line")

    def action_compare(self) -> None:
        jobs, here = self.marked, self.job
        if len(jobs) == 1 and here is not None and here.id != jobs[0].id:
            jobs = (jobs[0], here)
        if len(jobs) == 2:
            self._ask("compare", self._compare(*jobs))
        else:
            self.dashboard.say("Mark two jobs with space, then compare them; or mark one and go to the other.")

    async def _compare(self, left: Job, right: Job) -> None:
        from comfytui.tui.screens.history_compare import CompareScreen

        self.app.push_screen(CompareScreen(await self.whole(left), await self.whole(right), self.connection))

    async def whole(self, job: Job) -> Job:
        """The job with its graph, which is kept of the newest only. Raises ClientError."""
        if not job.graph:
            await self.connection.load_job(job.id)
            job = self.connection.state.jobs.get(job.id, job)
        return job
