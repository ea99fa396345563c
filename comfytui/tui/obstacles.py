"""What stands between the user and a running job: no server, one that refuses, an engine that starts or has crashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from comfytui.state.model import Phase
from comfytui.tui import teaching

if TYPE_CHECKING:
    from comfytui.state.model import ServerState
    from comfytui.tui.session import Session
    from comfytui.tui.theme import Palette


def what_is_wrong(palette: Palette, session: Session, state: ServerState | None) -> list[Text] | None:
    """A title and lines that end with what to do, or None if all is well."""
    if session.engine_message:
        return [Text("Engine"), *(Text(line, palette.style(role)) for line, role in session.engine_message), Text("")]
    if session.failure:
        return [Text("No server"), Text(session.failure, palette.failed), Text(""), *_to_do(palette)]
    if state is None:
        return [Text("Server"), Text("connecting …", palette.dim)]
    link = state.link
    if link.phase is Phase.LIVE or (link.phase is Phase.RECONNECTING and state.jobs):
        return None  # what we know stays on the screen while we reconnect; the status line tells
    if link.phase is Phase.CONNECTING and not link.error:
        return [Text("Server"), Text(f"connecting to {link.url} …", palette.dim)]
    what = "Refused" if link.phase is Phase.REFUSED else "Not reached"
    return [
        Text(what),
        Text(link.error or what, palette.failed),
        Text(link.url, palette.dim),
        Text(""),
        *_to_do(palette),
    ]


def _to_do(palette: Palette) -> list[Text]:
    again = Text.assemble((" r", palette.key), (" tries again now.", palette.text))
    return [*(Text(line, palette.text) for line in teaching.CONNECT.split("\n")[:-1]), Text(""), again]
