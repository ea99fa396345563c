"""What an empty screen says: what is missing, and which key or command brings it."""

from __future__ import annotations

from comfytui.state.model import Phase, ServerState
from comfytui.tui.actions import SCREENS

CONNECT = """\
 start the engine that comes along     comfytui --local
 a ComfyUI on this machine             comfytui --server http://127.0.0.1:8188
 one on another box, over SSH          ssh -L 8188:127.0.0.1:8188 BOX
                                       and then, here: comfytui
 ctrl+r connects again."""


def without_server(state: ServerState | None, what: str) -> str:
    """Why `what` cannot be shown now, and how to get connected; empty if the server is there."""
    if state is None:
        return f"No server, so no {what} yet.\n\n{CONNECT}"
    link = state.link
    match link.phase:
        case Phase.LIVE:
            return ""
        case Phase.CONNECTING:
            return f"Connecting to {link.url} …"
    # The client's sentence names the server, what failed and what to do; without one, nothing more is known.
    return f"{link.error or f'{link.url} does not answer: the connection was lost'}\n\n{CONNECT}"


def no_workflows() -> str:
    """What to do about an empty list of workflow files."""
    settings = next(screen for screen in SCREENS if screen.id == "settings")
    return f"""\
No workflow files here yet.

 o          opens one by its path: JSON in the API format, or a picture that ComfyUI saved
 {settings.key}          {settings.title}: workflow_folders names folders of yours, to be listed here
 In ComfyUI, File → Export (API) writes such a file."""
