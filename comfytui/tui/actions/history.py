"""The keys of History. Those on a job are about all that are marked, where any are."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import (
    can_delete,
    can_submit,
    on_failed,
    on_files,
    on_job,
    on_output,
    on_selection,
)

WHERE = "history"

HISTORY = (
    Action("history.full", "full", "enter", "Give the picture the whole screen.", WHERE, "full", on_output),
    Action("history.again", "run again", "r", "Queue the same job once more.", WHERE, "again", can_submit),
    Action("history.seed", "other seed", "R", "Queue it again with another seed.", WHERE, "other_seed", can_submit),
    Action(
        "history.edit", "edit & run", "e", "Change the job's inputs, then run it as a new one.", WHERE, "edit", on_job
    ),
    Action("history.filter", "filter", "slash", "Show only jobs that match words and keys.", WHERE, "filter"),
    Action(
        "history.order", "order", "o", "Order by time, in groups by workflow, by duration, stars first.", WHERE, "order"
    ),
    Action("history.save", "save", "s", "Save the job's files to a folder.", WHERE, "save", on_files),
    Action("history.compare", "compare", "c", "Show two marked jobs side by side.", WHERE, "compare", on_job),
    Action("history.star", "star", "asterisk", "Give the job a star, or take it away.", WHERE, "star", on_selection),
    Action("history.note", "note", "m", "Write a note to the job.", WHERE, "note", on_selection, footer=False),
    Action(
        "history.details",
        "details",
        "d",
        "Read all that made it: every input of every node, and its time.",
        WHERE,
        "details",
        on_selection,
    ),
    Action(
        "history.outputs", "outputs", "u", "List all that the job made, with sizes; save some.", WHERE, "outputs",
        on_output, footer=False,
    ),
    Action("history.view", "gallery/list", "v", "Switch between thumbnails and lines.", WHERE, "panes"),
    Action(
        "history.copy", "copy", "y", "Copy the parameters as the web UI writes them.", WHERE, "copy", on_selection,
        footer=False,
    ),
    Action(
        "history.copy_lines", "copy as lines", "Y", "Copy the parameters, one a line.", WHERE, "copy_lines", on_selection,
        footer=False,
    ),
    Action(
        "history.file", "save workflow", "S", "Write the workflows of jobs to files.", WHERE, "save_workflow", on_job,
        footer=False,
    ),
    Action(
        "history.next", "next output", "right_square_bracket", "Next picture or file of the job.", WHERE, "picture(1)",
        on_output, footer=False,
    ),
    Action(
        "history.before", "output before", "left_square_bracket", "Picture or file before.", WHERE, "picture(-1)",
        on_output, footer=False,
    ),
    Action("history.delete", "delete", "x", "Delete jobs on the server; files stay.", WHERE, "delete", can_delete),
    Action("history.traceback", "traceback", "t", "Show where a failed job failed.", WHERE, "traceback", on_failed),
    Action(
        "history.elsewhere", "to another server", "greater_than_sign",
        "Send the job to another server; what that one lacks is told before.", "history", "elsewhere", on_job, footer=False,
    ),
    Action("history.new", "add", "a", "Choose a workflow and run it.", WHERE, "new_run", footer=False),
)  # fmt: skip
