"""What an empty screen says: what is missing, and which key or command brings it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from comfytui.state.model import Phase, ServerState
from comfytui.tui import actions

Hint = tuple[str, str]  # a key or a command (""; the hint before goes on), and what it brings
KEYS, COMMANDS = 9, 32  # cells of a key, and of a command; with what follows a line has at most 58


def connecting(keymap: Mapping[str, str] | None = None) -> tuple[Hint, ...]:
    """Ways to a server: keys, then commands of the shell."""
    return (
        (_key("app.engine", keymap), starts_engine()),
        (_key("app.servers", keymap), "Servers: a adds one, by address or through SSH"),
        (_key("app.quit", keymap), "leaves; then, in the shell:"),
        *SHELL,
    )


SHELL: tuple[Hint, ...] = (
    ("comfytui --local", "the same engine"),
    ("comfytui --server HOST:8188", "a ComfyUI anywhere"),
    ("ssh -L 8188:127.0.0.1:8188 BOX", "and here: comfytui"),
)


def first_steps(keymap: Mapping[str, str] | None = None) -> tuple[Hint, ...]:
    """What to press when there is a server, and nothing has ever been done."""
    return (
        (_key("app.workflows", keymap), "Workflows: choose one, change its prompt, run it"),
        ("", "examples, the server's, your workflow_folders;"),
        ("", "o there opens any file, F5 runs it"),
        (_key("app.nodes", keymap), f"the nodes it has   {_key('app.models', keymap)}  its models"),
        (_key("app.servers", keymap), f"other servers   {_key('app.settings', keymap)}  settings, themes"),
        (_key("app.help", keymap), f"the keys of a screen   {_key('app.palette', keymap)}  any action"),
        (_key("app.back", keymap), f"goes back   {_key('app.quit', keymap)}  leaves; jobs go on"),
    )


def lines(hints: tuple[Hint, ...]) -> list[str]:
    """Hints as text."""
    return [f" {name:<{KEYS if len(name) <= KEYS else COMMANDS - 2}} {what}" for name, what in hints]


@lru_cache(maxsize=1)
def starts_engine() -> str:
    """What the key for our own engine does on this machine."""
    from importlib.util import find_spec

    if find_spec("torch") is not None:
        return "starts the engine that comes along, here"
    from comfytui.local_engine import INSTALL

    return f"our engine; needs {INSTALL}"


def without_server(
    state: ServerState | None, what: str, keymap: Mapping[str, str] | None = None, failure: str = ""
) -> str:
    """Why `what` cannot be shown now, and how to get connected; empty if the server is there.

    `failure`: why the server could not even be tried.
    """
    ways = "\n".join((*lines(connecting(keymap)), f" {_key('app.retry', keymap):<{KEYS}} connects again"))
    if state is None:
        return f"{failure or f'No server, so no {what} yet.'}\n\n{ways}"
    link = state.link
    match link.phase:
        case Phase.LIVE:
            return ""
        case Phase.CONNECTING if not link.error:
            return f"Connecting to {link.url} …\n\n {_key('app.servers', keymap):<{KEYS}} Servers: another one"
    # The client's sentence names the server, what failed and what to do; without one, nothing more is known.
    return f"{link.error or f'{link.url} does not answer: the connection was lost'}\n\n{ways}"


def no_workflows(keymap: Mapping[str, str] | None = None) -> str:
    """What to do about an empty list of workflow files."""
    return f"""\
No workflow files here yet.

 {_key("workflows.open", keymap):<{KEYS}} opens one by its path: JSON, or a picture that ComfyUI saved
 {_key("app.settings", keymap):<{KEYS}} Settings: workflow_folders names folders of yours
 In ComfyUI, File → Export (API) writes such a file."""


def _key(action_id: str, keymap: Mapping[str, str] | None) -> str:
    return actions.key_of(action_id, dict(keymap or {}))
