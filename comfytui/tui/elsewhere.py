"""Sends a job to another server: tells before what that server lacks, and carries the pictures that the job reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from comfytui.client.errors import ClientError, Missing
from comfytui.state.model import JobState, Output, Phase
from comfytui.tui.wording import cut_middle, plural
from comfytui.workflow.carried import input_files, with_values
from comfytui.workflow.document import Document
from comfytui.workflow.forms import embedded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfytui.state.connection import Connection
    from comfytui.state.model import Job
    from comfytui.tui.app import Dashboard
    from comfytui.workflow.lacks import Lack

LISTED = 8  # of what is lacking; the rest are counted


async def choose(dashboard: Dashboard) -> str | None:
    """Ask which of the other servers that are live; its name, or None. Raises Missing if there is none."""
    from comfytui.tui import server_list
    from comfytui.tui.widgets.pick import Pick

    rows = [
        row
        for row in server_list.rows(dashboard.session)
        if not row.shown and row.state is not None and row.state.link.phase is Phase.LIVE
    ]
    if not rows:
        raise Missing("No other server is connected. Servers lists them; there, a adds one.")
    chosen: int | None = await dashboard.push_screen_wait(
        Pick("send to which server?", [server_list.line(row) for row in rows], does="send")
    )
    return None if chosen is None else rows[chosen].name


async def send(
    dashboard: Dashboard,
    name: str,
    job: Job,
    graph: Mapping[str, Any],
    workflow: Mapping[str, Any] | None,
    templates: Mapping[str, Mapping[str, str]] | None = None,
) -> bool:
    """Queue one job on the server `name`; a job that waits here is moved, if the user says so. False: left undone.

    `templates`: the texts that its prompts were drawn from; they go along, so that it can be drawn anew there.

    Raises ClientError; a job is only taken out of the queue here when the other server has it.
    """
    from comfytui.workflow.lacks import lacks

    source, target = dashboard.session.connection, dashboard.session.fleet.get(name)
    if source is None or target is None:
        raise Missing(f"{name} is not connected any more.")
    info = await target.load_object_info()
    files = list(input_files(graph, info))
    missing = await asyncio.to_thread(lacks, graph, info)
    carried = {file.filename for file in files}
    missing = [each for each in missing if each.kind == "node" or each.name.rpartition("/")[2] not in carried]
    if missing and not await dashboard.confirm(
        f"{name} lacks this. Send it anyway?", "send it", "do not send it", told(missing)
    ):
        return False
    waits = job.state in (JobState.WAITING, JobState.HELD) and not source.read_only
    moved = False
    if waits:
        answer = await dashboard.confirm(
            f"The job waits on {dashboard.session.name}. Take it out there when {name} has it?", "move it", "copy it"
        )
        if answer is None:
            return False
        moved = answer
    carried_graph = await _carry(dashboard, source, target, graph, files)
    if workflow is not None:  # the pictures may have other names there
        found = Document(job.facts.name, dict(graph), workflow=dict(workflow))
        workflow = await asyncio.to_thread(embedded, found, carried_graph, info)
    graph = carried_graph
    await target.submit(
        graph, name=job.facts.name, workflow=workflow, previews=dashboard.settings.previews, templates=templates
    )
    if moved:
        await source.cancel([job.id])
    return True


def told(missing: list[Lack]) -> str:
    """What a server lacks, one a line, with what it has that is near."""
    lines = []
    for each in missing[:LISTED]:
        near = f" (it has {', '.join(each.near[:2])})" if each.near else ""
        lines.append(f"{'node' if each.kind == 'node' else 'file'}  {cut_middle(each.name, 48)}{near}")
    more = len(missing) - LISTED
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


async def _carry(
    dashboard: Dashboard, source: Connection, target: Connection, graph: Mapping[str, Any], files: list[Any]
) -> dict[str, Any]:
    """Bring the files that the graph reads from one server to the other; the graph with their names there."""
    values: dict[tuple[str, str], str] = {}
    for at, file in enumerate(files, 1):
        dashboard.say(f"bringing {file.filename} to {target.target.label} · {at} of {plural(len(files), 'file')}")
        output = Output(file.node_id, "images", file.filename, file.subfolder, file.type)
        try:
            data = await source.fetch(output)
        except ClientError as error:
            raise Missing(f"{file.filename}, which the job reads, cannot be fetched: {error}") from error
        values[file.node_id, file.input] = await target.upload(data, file.filename)
    return with_values(graph, values)
