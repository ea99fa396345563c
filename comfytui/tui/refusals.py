"""What a server said when it would not queue a workflow, with what can be done: by node and input, as text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from comfytui.client import sanitize
from comfytui.workflow.check import check
from comfytui.workflow.remedies import remedies

if TYPE_CHECKING:
    from comfytui.client.errors import Refused
    from comfytui.tui.app import Dashboard

LISTED = 12  # problems; the rest are counted


async def show(app: Dashboard, graph: Mapping[str, Any], error: Refused) -> None:
    """Say it in a dialog, and keep it as the last error."""
    from comfytui.tui.widgets.text_dialog import TextDialog

    state = app.session.state
    info = state.object_info if state is not None else None
    # In a thread: near matches among thousands of model files take a while.
    told = await asyncio.to_thread(explain, error, graph, info)
    app.report(f"refused, nothing was queued: {error}", toast=False)
    await app.push_screen(TextDialog("refused: nothing was queued", told))


def explain(error: Refused, graph: Mapping[str, Any], object_info: Mapping[str, Any] | None) -> str:
    """The server's reasons by node and input, what can be done, and where the job is now."""
    reasons = list(_reasons(error)) or [str(error)]
    steps = list(dict.fromkeys(_steps(error, graph, object_info)))
    more = len(steps) - LISTED
    parts = [
        "\n".join(reasons),
        "\n".join(["what can be done", *(f"· {step}" for step in steps[:LISTED])]) if steps else "",
        f"and {more} more" if more > 0 else "",
        "The job that you repeated is unchanged; e opens it: change these inputs there, and run it.",
    ]
    return "\n\n".join(part for part in parts if part)


def _reasons(error: Refused) -> Iterator[str]:
    yield f"{error.message}: {error.details}" if error.details not in ("", error.message) else error.message
    for node in error.node_errors.values():
        yield f"node {node.node_id}" + (f" ({node.class_type})" if node.class_type else "")
        for problem in node.problems:
            yield f"  {f'{problem.input_name}: ' if problem.input_name else ''}{problem}"


def _steps(error: Refused, graph: Mapping[str, Any], object_info: Mapping[str, Any] | None) -> Iterator[str]:
    """By our own comparison with the node catalogue, which finds all where a server names the first; else by its words."""
    if object_info:
        for found in check(graph, object_info):
            where = f"{found.title or found.node_id}{f' · {found.input}' if found.input else ''}: "
            yield sanitize.line(f"{where}{found.text}. {found.fix}")
    said = [(error, "")] if not error.node_errors else []
    told = [(problem, node.class_type) for node in error.node_errors.values() for problem in node.problems]
    for what, kind in [*said, *told]:
        advice = remedies(str(what), node_type=kind, graph=graph, object_info=object_info)
        if advice is not None and not (object_info and told):
            yield from advice.steps
