"""The keys of Queue."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_clear, can_interrupt, can_move, can_submit, on_active, on_job

QUEUE = (
    Action(
        "queue.cancel",
        "cancel",
        "x",
        "Take the job out of the queue, or stop it if it runs.",
        "queue",
        "cancel",
        on_active,
    ),
    Action("queue.interrupt", "interrupt", "i", "Stop what runs.", "queue", "interrupt", can_interrupt),
    Action(
        "queue.later", "move down", "J,shift+down", "Let the job run one place later.", "queue", "move(1)", can_move
    ),
    Action(
        "queue.earlier", "move up", "K,shift+up", "Let the job run one place earlier.", "queue", "move(-1)", can_move
    ),
    Action("queue.front", "front", "f", "Let the job run next.", "queue", "front", can_move),
    Action("queue.again", "run again", "r", "Queue the same job once more.", "queue", "again", can_submit),
    Action("queue.seed", "other seed", "R", "Queue it again with another seed.", "queue", "other_seed", can_submit),
    Action(
        "queue.edit", "edit & run", "e", "Change the job's inputs, then run it as a new one.", "queue", "edit", on_job
    ),
    Action("queue.save", "save as file", "s", "Write the job's workflow to a file.", "queue", "save", on_job),
    Action("queue.new", "add", "a", "Choose a workflow and run it.", "queue", "new_run"),
    Action("queue.clear", "clear", "D", "Take every waiting job out of the queue.", "queue", "clear", can_clear),
)
