"""Who uses a model's file: the workflows that name it, and the jobs of the history; and the way to both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Input

from comfytui.tui.model_order import jobs_with
from comfytui.tui.wording import ago, plural

if TYPE_CHECKING:
    from comfytui.client.model_files import ModelFile
    from comfytui.tui.app import Dashboard
    from comfytui.tui.shelf import Shelf


def of(dashboard: Dashboard, file: ModelFile) -> list[tuple[str, str]]:
    """Rows for the file's card, as far as the workflows have been read: a name, and what is to be said."""
    from comfytui.tui.shelf import used_by

    rows: list[tuple[str, str]] = []
    shelf, state = _shelf(dashboard), dashboard.session.state
    if shelf is not None:
        entries = used_by(shelf.entries.values(), file.name)
        unread = sum(entry.unread for entry in shelf.entries.values())
        names = ", ".join(entry.name for entry in entries[:6]) + (" …" if len(entries) > 6 else "")
        more = f" ({plural(unread, 'file')} not read: u reads)" if unread else ""
        rows.append(("workflows", (f"{len(entries)}: {names}" if entries else "none") + more))
    if state is not None and (jobs := jobs_with(state, file)):
        last = max((job.ended or job.started or job.created or 0.0) for job in jobs)
        rows.append(("jobs", f"{len(jobs):,}, the last {ago(last or None, dashboard.clock())}"))
    return rows


async def read(dashboard: Dashboard) -> None:
    """Read the workflows that are not read yet, the server's among them. Raises ClientError."""
    await dashboard.stage.prepare("workflows")
    shelf, connection = _shelf(dashboard), dashboard.session.connection
    if shelf is None:
        return
    for entry in [entry for entry in shelf.entries.values() if entry.unread]:
        await shelf.fill(entry, connection.userdata if connection is not None else None)


async def show(dashboard: Dashboard, file: ModelFile) -> None:
    """Show the workflows, or the jobs, that use a file; of both, the user chooses. Only from a worker."""
    from comfytui.tui.screens.workflows import show_filtered
    from comfytui.tui.shelf import used_by
    from comfytui.tui.widgets.pick import Pick

    shelf, state = _shelf(dashboard), dashboard.session.state
    if shelf is None or state is None:
        return
    files, jobs = used_by(shelf.entries.values(), file.name), jobs_with(state, file)
    word = max(file.base.split(), key=len, default=file.base)  # filters part words at blanks
    choices = [f"Workflows: {plural(len(files), 'file')}"] if files else []
    choices += [f"History: {plural(len(jobs), 'job')}"] if jobs else []
    if not choices:
        dashboard.say(f"no workflow here and no job in the history uses {file.base}")
        return
    chosen = await dashboard.push_screen_wait(Pick(f"who uses {file.base}", choices)) if len(choices) > 1 else 0
    if chosen is None:
        return
    if choices[chosen].startswith("Workflows"):
        await show_filtered(dashboard, f"model:{word}")
    else:
        await _show_jobs(dashboard, word)


async def _show_jobs(dashboard: Dashboard, word: str) -> None:
    await dashboard.action_show("history")
    view = dashboard.stage.of("history")
    if view is not None:
        view.add_class("-filter")
        view.query_one("#history-filter", Input).value = f"model:{word.removesuffix('.safetensors')}"


def _shelf(dashboard: Dashboard) -> Shelf | None:
    """The workflow files, as far as that screen has looked for them."""
    from comfytui.tui.screens.workflows import WorkflowsView

    view = dashboard.stage.of("workflows")
    return view.shelf if isinstance(view, WorkflowsView) else None
