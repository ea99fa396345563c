"""The keys of Live."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import can_retry, on_active, on_job, on_picture, running

LIVE = (
    Action("live.new", "new", "n", "Choose a workflow and run it.", "live", "new_run"),
    Action(
        "live.again",
        "run again",
        "r",
        "Run the job again; or restart the engine, or reconnect.",
        "live",
        "again",
        can_retry,
    ),
    Action("live.interrupt", "interrupt", "i", "Stop what runs.", "live", "interrupt", running),
    Action("live.cancel", "cancel", "x", "Stop the job that is shown.", "live", "cancel", on_active),
    Action("live.seed", "other seed", "R", "Run the job again with another seed.", "live", "other_seed", on_job),
    Action("live.save", "save picture", "s", "Save the job's pictures to a folder.", "live", "save", on_picture),
    Action("live.full", "full picture", "f,enter", "Give the picture the whole screen.", "live", "full"),
    Action(
        "live.toggle", "preview/log", "v", "Switch panes where only one fits; show the engine's log.", "live", "panes"
    ),
    Action("live.edit", "edit & run", "e", "Change the job's inputs, then run it.", "live", "edit", on_job),
)
