"""The keys of Queue."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import (
    can_cancel,
    can_clear,
    can_copy,
    can_go_first,
    can_hold,
    can_interrupt,
    can_move,
    can_pause_queue,
    can_send_again,
    on_job,
)

_AGAIN = "Submit what the server lost once more: the marked ones, or all."
_HOLD = "Take jobs out of the server's queue and keep them here, or put them back."
_PAUSE = "Hold all of ours that wait and what is submitted from now on, or let all go on."

QUEUE = (
    Action("queue.send_again", "send again", "u", _AGAIN, "queue", "send_again", can_send_again),
    Action(
        "queue.cancel",
        "cancel",
        "x",
        "Take jobs out of the queue, stop what runs, forget what is lost.",
        "queue",
        "cancel",
        can_cancel,
    ),
    Action("queue.hold", "hold", "p", _HOLD, "queue", "hold", can_hold),
    Action("queue.pause", "pause all", "P", _PAUSE, "queue", "pause", can_pause_queue),
    Action("queue.front", "front", "f", "Let the job run next.", "queue", "front", can_go_first),
    Action(
        "queue.earlier", "move up", "K,shift+up", "Let the job run one place earlier.", "queue", "move(-1)", can_move
    ),
    Action(
        "queue.later", "move down", "J,shift+down", "Let the job run one place later.", "queue", "move(1)", can_move
    ),
    Action("queue.duplicate", "duplicate", "d", "Queue a copy right behind the job.", "queue", "duplicate", can_copy),
    Action(
        "queue.edit", "edit & run", "e", "Change the job's inputs, then run it as a new one.", "queue", "edit", on_job
    ),
    Action("queue.interrupt", "interrupt", "i", "Stop what runs.", "queue", "interrupt", can_interrupt),
    Action("queue.again", "run again", "r", "Queue the jobs once more, at the end.", "queue", "again", can_copy),
    Action(
        "queue.seed", "other seed", "R", "Queue them again, each with another seed.", "queue", "other_seed", can_copy
    ),
    Action("queue.save", "save as file", "s", "Write the workflows of jobs to files.", "queue", "save", on_job),
    Action("queue.filter", "filter", "slash", "Show only jobs that match words and keys.", "queue", "filter"),
    Action("queue.new", "add", "a", "Choose a workflow and run it.", "queue", "new_run"),
    Action(
        "queue.elsewhere",
        "to another server",
        "greater_than_sign",
        "Send the job to another server; what that one lacks is told before.",
        "queue",
        "elsewhere",
        on_job,
        footer=False,
    ),
    Action("queue.clear", "clear", "D", "Take every waiting job out of the queue.", "queue", "clear", can_clear),
)
