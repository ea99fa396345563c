"""The keys of Live."""

from __future__ import annotations

from comfytui.tui.actions.action import Action
from comfytui.tui.actions.situation import (
    can_interrupt,
    can_pause,
    can_retry,
    can_submit,
    on_active,
    on_failed,
    on_job,
    on_picture,
    queued,
)

LIVE = (
    Action("live.traceback", "traceback", "t", "Unfold where a failed job failed.", "live", "traceback", on_failed),
    Action("live.copy", "copy the error", "y", "Copy why the job failed, with its inputs.", "live", "copy", on_failed),
    Action("live.catalog", "node", "b", "Show the node that failed in Nodes.", "live", "catalog", on_failed),
    Action(
        "live.again",
        "run again",
        "r",
        "Run the job again; or restart the engine, or reconnect.",
        "live",
        "again",
        can_retry,
    ),
    Action("live.new", "add", "a", "Choose a workflow and run it.", "live", "new_run"),
    Action("live.interrupt", "interrupt", "i", "Stop what runs.", "live", "interrupt", can_interrupt),
    Action("live.next", "next job", "n", "Show the next job: what runs, then what waits.", "live", "step(1)", queued),
    Action("live.before", "job before", "N", "Show the job before.", "live", "step(-1)", queued, footer=False),
    Action(
        "live.pause", "pause", "p", "Freeze nodes, picture and timeline; the figures go on.", "live", "pause", can_pause
    ),
    Action("live.cancel", "cancel", "x", "Stop the job that is shown.", "live", "cancel", on_active),
    Action("live.seed", "other seed", "R", "Run the job again with another seed.", "live", "other_seed", can_submit),
    Action("live.save", "save picture", "s", "Save the job's pictures to a folder.", "live", "save", on_picture),
    Action("live.full", "full picture", "f,enter", "Give the picture the whole screen.", "live", "full"),
    Action(
        "live.toggle", "preview/log", "v", "Switch panes where only one fits; show the engine's log.", "live", "panes"
    ),
    Action(
        "live.elsewhere",
        "to another server",
        "greater_than_sign",
        "Send the job to another server; what that one lacks is told before.",
        "live",
        "elsewhere",
        on_job,
        footer=False,
    ),
    Action("live.edit", "edit & run", "e", "Change the job's inputs, then run it.", "live", "edit", on_job),
)
