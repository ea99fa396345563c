"""Every action of the dashboard, once: bindings, the footer, the help, the palette and the docs are made from this.

An action has a target (the program, or a screen), and its method there is `action_<method>`. The same letter means the
same on every screen; `tests/tui/test_actions.py` holds that. To add a key, add an entry here and write the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfytui.state.model import Job, JobState, Phase, ServerState

if TYPE_CHECKING:
    from textual.binding import Binding

APP = "app"  # the target of what works everywhere
LIST = "list"  # moving in any list; bound by the lists themselves


@dataclass(frozen=True)
class Situation:
    """What decides whether an action is allowed now."""

    state: ServerState | None = None
    job: Job | None = None  # the selected one
    engine_stopped: bool = False  # our own engine has crashed or was stopped
    selected: bool = False  # anything is selected on a screen that does not show jobs
    editing: bool = False  # a workflow is being edited before it runs

    @property
    def live(self) -> bool:
        return self.state is not None and self.state.link.phase is Phase.LIVE


Allowed = Callable[[Situation], bool]


def always(_: Situation) -> bool:
    return True


def connected(now: Situation) -> bool:
    return now.live


def on_selection(now: Situation) -> bool:
    """Something is selected, job or not."""
    return now.selected or now.job is not None


def on_job(now: Situation) -> bool:
    return now.live and now.job is not None


def on_waiting(now: Situation) -> bool:
    return now.live and now.job is not None and now.job.state is JobState.WAITING


def on_active(now: Situation) -> bool:
    return now.live and now.job is not None and now.job.state in (JobState.WAITING, JobState.RUNNING)


def on_picture(now: Situation) -> bool:
    return now.live and now.job is not None and any(o.kind == "images" for o in now.job.outputs)


def on_failed(now: Situation) -> bool:
    return now.job is not None and now.job.failure is not None


def running(now: Situation) -> bool:
    return now.live and now.state is not None and bool(now.state.running)


def waiting(now: Situation) -> bool:
    return now.live and now.state is not None and bool(now.state.waiting)


def can_retry(now: Situation) -> bool:
    """`r` on Live: restart our engine, connect again, or run the last job again."""
    if now.engine_stopped:
        return True
    return now.state is not None and (not now.live or now.job is not None)


def editing(now: Situation) -> bool:
    return now.editing


def choosing(now: Situation) -> bool:
    """A list is shown, and not the editor."""
    return not now.editing


def chosen(now: Situation) -> bool:
    return now.selected and not now.editing


@dataclass(frozen=True)
class Action:
    """One thing that a key does.

    id: `where.verb`, the name that a user's keymap gives other keys to
    name: a word or two, for the footer and the palette
    keys: Textual's key names, separated by commas
    description: a sentence for the help
    where: the target: APP, LIST, or a screen's id
    method: Textual's action string on the target: `cancel`, `show('queue')`
    allowed: whether it makes sense now; if not, the key does nothing and the footer leaves it out
    footer: False keeps it out of the footer (it stays in the help and the palette)
    """

    id: str
    name: str
    keys: str
    description: str
    where: str
    method: str
    allowed: Allowed = always
    footer: bool = True


@dataclass(frozen=True)
class ScreenSpec:
    """A screen: its id, its key, its title, and where its view is; imported when it is first shown."""

    id: str
    key: str
    title: str
    target: str  # module:class


# One line a screen; the order is that of the tabs.
SCREENS: tuple[ScreenSpec, ...] = (
    ScreenSpec("live", "1", "Live", "comfytui.tui.screens.live:LiveView"),
    ScreenSpec("queue", "2", "Queue", "comfytui.tui.screens.queue:QueueView"),
    ScreenSpec("history", "3", "History", "comfytui.tui.screens.history:HistoryView"),
    ScreenSpec("nodes", "4", "Nodes", "comfytui.tui.screens.nodes:NodesView"),
    ScreenSpec("workflows", "5", "Workflows", "comfytui.tui.screens.workflows:WorkflowsView"),
    ScreenSpec("settings", "6", "Settings", "comfytui.tui.screens.settings:SettingsView"),
)

PROGRAM = (
    *(Action(f"app.{s.id}", s.title, s.key, f"Show {s.title}.", APP, f"show('{s.id}')", footer=False) for s in SCREENS),
    Action("app.help", "help", "question_mark,f1", "Explain the keys of what has the focus.", APP, "help"),
    Action("app.palette", "palette", "ctrl+p", "Find any action by name.", APP, "command_palette", footer=False),
    Action("app.back", "back", "escape,q", "Leave a dialog, a filter or the full picture.", APP, "back", footer=False),
    Action(
        "app.theme", "next theme", "ctrl+t", "Switch to the next theme, and keep it.", APP, "next_theme", footer=False
    ),
    Action("app.retry", "reconnect", "ctrl+r", "Connect again now.", APP, "reconnect", footer=False),
    Action("app.free", "free memory", "ctrl+f", "Unload the server's models.", APP, "free", connected, footer=False),
    Action("app.error", "last error", "ctrl+e", "Show the last error in full.", APP, "last_error", footer=False),
    Action(
        "app.log", "engine log", "ctrl+l", "Show what the local engine has written.", APP, "engine_log", footer=False
    ),
    Action("app.quit", "quit", "ctrl+q", "Leave the program.", APP, "leave", footer=False),
)

MOVING = (
    Action("list.down", "down", "j,down", "Next line.", LIST, "down", footer=False),
    Action("list.up", "up", "k,up", "Line before.", LIST, "up", footer=False),
    Action("list.top", "top", "g,home", "First line.", LIST, "top", footer=False),
    Action("list.bottom", "bottom", "G,end", "Last line.", LIST, "bottom", footer=False),
    Action("list.page_down", "page down", "ctrl+d,pagedown", "One page down.", LIST, "page_down", footer=False),
    Action("list.page_up", "page up", "ctrl+u,pageup", "One page up.", LIST, "page_up", footer=False),
    Action("list.open", "details", "enter,l", "Details of the selected line.", LIST, "open", footer=False),
)

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
    Action("queue.interrupt", "interrupt", "i", "Stop what runs.", "queue", "interrupt", running),
    Action(
        "queue.later", "move down", "J,shift+down", "Let the job run one place later.", "queue", "move(1)", on_waiting
    ),
    Action(
        "queue.earlier", "move up", "K,shift+up", "Let the job run one place earlier.", "queue", "move(-1)", on_waiting
    ),
    Action("queue.front", "front", "f", "Let the job run next.", "queue", "front", on_waiting),
    Action("queue.again", "run again", "r", "Queue the same job once more.", "queue", "again", on_job),
    Action("queue.seed", "other seed", "R", "Queue it again with another seed.", "queue", "other_seed", on_job),
    Action(
        "queue.edit", "edit & run", "e", "Change the job's inputs, then run it as a new one.", "queue", "edit", on_job
    ),
    Action("queue.save", "save as file", "s", "Write the job's workflow to a file.", "queue", "save", on_job),
    Action("queue.new", "new", "n", "Choose a workflow and run it.", "queue", "new_run"),
    Action("queue.clear", "clear", "D", "Take every waiting job out of the queue.", "queue", "clear", waiting),
)

HISTORY = (
    Action("history.full", "full", "enter", "Give the picture the whole screen.", "history", "full", on_picture),
    Action("history.again", "run again", "r", "Queue the same job once more.", "history", "again", on_job),
    Action("history.seed", "other seed", "R", "Queue it again with another seed.", "history", "other_seed", on_job),
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
        "history.delete", "delete", "x", "Forget the job on the server; its files stay.", "history", "delete", on_job
    ),
    Action("history.traceback", "traceback", "t", "Show where a failed job failed.", "history", "traceback", on_failed),
    Action("history.new", "new", "n", "Choose a workflow and run it.", "history", "new_run", footer=False),
)

NODES = (
    Action(
        "nodes.filter",
        "search",
        "slash",
        "Search names, titles, categories and descriptions; takes:TYPE and makes:TYPE ask for a type.",
        "nodes",
        "filter",
    ),
    Action(
        "nodes.takers",
        "takers",
        "t",
        "List the nodes that take what this one puts out.",
        "nodes",
        "takers",
        on_selection,
    ),
    Action(
        "nodes.makers", "makers", "m", "List the nodes that make what this one takes.", "nodes", "makers", on_selection
    ),
    Action(
        "nodes.view", "categories", "v", "Go between the categories, the list and the card.", "nodes", "switch_pane"
    ),
    Action("nodes.copy", "copy name", "y", "Copy the node's class name.", "nodes", "copy", on_selection),
    Action(
        "nodes.reload",
        "reload",
        "f5",
        "Ask the server for its nodes again.",
        "nodes",
        "reload",
        connected,
        footer=False,
    ),
)

WORKFLOWS = (
    Action(
        "workflows.run", "run", "f5,ctrl+j,ctrl+enter", "Queue the workflow as it stands.", "workflows", "run", editing
    ),
    Action("workflows.run_n", "run n", "ctrl+n", "Queue it several times.", "workflows", "run_n", editing),
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
        chosen,
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

SETTINGS = (
    Action("settings.edit", "change", "e", "Change the selected setting.", "settings", "edit", on_selection),
    Action(
        "settings.default",
        "default",
        "x",
        "Put the selected setting back to its default.",
        "settings",
        "default",
        on_selection,
    ),
    Action("settings.view", "settings/server", "v", "Switch panes where only one fits.", "settings", "switch_pane"),
    Action(
        "settings.unload",
        "unload models",
        "U",
        "Have the server drop its models from memory.",
        "settings",
        "unload",
        connected,
    ),
    Action(
        "settings.free",
        "free memory",
        "F",
        "Drop the models, and forget cached results.",
        "settings",
        "free",
        connected,
    ),
)

ACTIONS: tuple[Action, ...] = (*LIVE, *QUEUE, *HISTORY, *NODES, *WORKFLOWS, *SETTINGS, *MOVING, *PROGRAM)


def of(where: str) -> tuple[Action, ...]:
    """The actions of a target, most useful first."""
    return tuple(action for action in ACTIONS if action.where == where)


def find(where: str, method: str) -> Action | None:
    """The action behind Textual's name and parameters, `move` being enough for `move(1)`."""
    return next((a for a in ACTIONS if a.where == where and a.method.partition("(")[0] == method), None)


def bindings(where: str) -> list[Binding]:
    """Textual's bindings for a target; a user's keymap overrides them by id."""
    from textual.binding import Binding

    # The keys of the program must work while a text field has the focus, so those with ctrl come first.
    return [
        Binding(a.keys, a.method, a.name, id=a.id, priority=a.keys.startswith("ctrl+") and where == APP)
        for a in of(where)
    ]


_SHOWN = {
    "question_mark": "?", "slash": "/", "escape": "esc", "right_square_bracket": "]", "left_square_bracket": "[",
    "down": "↓", "up": "↑", "left": "←", "right": "→", "shift+down": "shift+↓", "shift+up": "shift+↑",
    "pagedown": "pgdn", "pageup": "pgup", "colon": ":", "asterisk": "*",
}  # fmt: skip


def shown_keys(action: Action, keymap: dict[str, str] | None = None) -> list[str]:
    """An action's keys as a person would write them, a user's own in place of ours."""
    keys: Iterable[str] = (keymap or {}).get(action.id, action.keys).split(",")
    return [_SHOWN.get(key.strip(), key.strip()) for key in keys]
