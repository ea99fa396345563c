"""The keys of History."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_delete, can_submit, on_failed, on_job, on_picture

HISTORY = (
    Action("history.full", "full", "enter", "Give the picture the whole screen.", "history", "full", on_picture),
    Action("history.again", "run again", "r", "Queue the same job once more.", "history", "again", can_submit),
    Action("history.seed", "other seed", "R", "Queue it again with another seed.", "history", "other_seed", can_submit),
    Action(
        "history.edit",
        "edit & run",
        "e",
        "Change the job's inputs, then run it as a new one.",
        "history",
        "edit",
        on_job,
    ),
    Action("history.save", "save", "s", "Save the job's pictures to a folder.", "history", "save", on_picture),
    Action(
        "history.file",
        "save workflow",
        "S",
        "Write the job's workflow to a file.",
        "history",
        "save_workflow",
        on_job,
        footer=False,
    ),
    Action(
        "history.filter",
        "filter",
        "slash",
        "Show only jobs whose prompt, name, model or seed match.",
        "history",
        "filter",
    ),
    Action("history.view", "gallery/list", "v", "Switch between thumbnails and lines.", "history", "panes"),
    Action(
        "history.next",
        "next picture",
        "right_square_bracket",
        "Next picture of the job.",
        "history",
        "picture(1)",
        on_picture,
        footer=False,
    ),
    Action(
        "history.before",
        "picture before",
        "left_square_bracket",
        "Picture before.",
        "history",
        "picture(-1)",
        on_picture,
        footer=False,
    ),
    Action(
        "history.delete",
        "delete",
        "x",
        "Forget the job on the server; its files stay.",
        "history",
        "delete",
        can_delete,
    ),
    Action("history.traceback", "traceback", "t", "Show where a failed job failed.", "history", "traceback", on_failed),
    Action("history.new", "add", "a", "Choose a workflow and run it.", "history", "new_run", footer=False),
)
