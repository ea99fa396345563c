"""The keys of Workflows: of the list of files, and of the editor."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_run, can_run_chosen, choosing, chosen, editing

WORKFLOWS = (
    Action(
        "workflows.run", "run", "f5,ctrl+j,ctrl+enter", "Queue the workflow as it stands.", "workflows", "run", can_run
    ),
    Action("workflows.run_n", "run n", "ctrl+n", "Queue it several times.", "workflows", "run_n", can_run),
    Action(
        "workflows.more",
        "more inputs",
        "f3",
        "Show every other input of every node, to change it.",
        "workflows",
        "more",
        editing,
    ),
    Action(
        "workflows.seed",
        "seed mode",
        "f4",
        "Random, increment or fixed: what becomes of the seed with each run.",
        "workflows",
        "seed_mode",
        editing,
    ),
    Action(
        "workflows.side",
        "changes",
        "f2",
        "Show what changes and what the server lacks, where only one pane fits.",
        "workflows",
        "side",
        editing,
    ),
    Action("workflows.undo", "undo", "ctrl+z", "Take back the last change.", "workflows", "undo", editing),
    Action(
        "workflows.write",
        "save as file",
        "ctrl+s",
        "Write the changed workflow to a file.",
        "workflows",
        "write",
        editing,
    ),
    Action(
        "workflows.again",
        "run",
        "r",
        "Queue the workflow as it is in the file, with a random seed.",
        "workflows",
        "again",
        can_run_chosen,
    ),
    Action("workflows.edit", "edit & run", "e", "Change its inputs, then run it.", "workflows", "edit", chosen),
    Action(
        "workflows.open",
        "open a path",
        "o",
        "Open a workflow, or a picture that holds one, by its path.",
        "workflows",
        "open_path",
        choosing,
    ),
    Action(
        "workflows.filter",
        "filter",
        "slash",
        "Show only files whose name, prompt or model match.",
        "workflows",
        "filter",
        choosing,
    ),
    Action(
        "workflows.view",
        "preview",
        "v",
        "Switch panes where only one fits.",
        "workflows",
        "switch_pane",
        choosing,
        footer=False,
    ),
    Action(
        "workflows.reload",
        "reload",
        "ctrl+l",
        "Look for workflow files again.",
        "workflows",
        "reload",
        choosing,
        footer=False,
    ),
)
