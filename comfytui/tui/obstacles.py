"""What Live says instead of a job: no server, a refusal, an engine that starts or has crashed; the first time, a greeting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from comfytui.state.model import Phase
from comfytui.tui import teaching

if TYPE_CHECKING:
    from comfytui.state.model import ServerState
    from comfytui.tui.session import Session
    from comfytui.tui.teaching import Hint
    from comfytui.tui.theme import Palette

WELCOME = "Welcome. comfytui needs a ComfyUI to talk to:"
FIRST = "Welcome. You are connected, and nothing has run here yet."


def what_is_wrong(
    palette: Palette,
    session: Session,
    state: ServerState | None,
    keymap: Mapping[str, str] | None = None,
    greets: bool = False,
) -> list[Text] | None:
    """A title and lines that end with what to do, or None if all is well. `greets`: nobody has used the program yet."""
    if session.engine_message:
        return [Text("Engine"), *(Text(line, palette.style(role)) for line, role in session.engine_message), Text("")]
    if session.failure:
        return _stopped(palette, "No server", session.failure, "", keymap, greets)
    if state is None:
        return [Text("Server"), Text("connecting …", palette.dim)]
    link = state.link
    if link.phase is Phase.LIVE or (link.phase is Phase.RECONNECTING and state.jobs):
        if greets and state.history_loaded and not state.jobs and link.phase is Phase.LIVE:
            return [Text("First steps"), Text(FIRST, palette.text), *_hints(palette, teaching.first_steps(keymap))]
        return None  # what we know stays on the screen while we reconnect; the status line tells
    if link.phase is Phase.CONNECTING and not link.error:
        other = ((teaching.connecting(keymap)[1]), (teaching.connecting(keymap)[2][0], "leaves"))
        return [Text("Server"), Text(f"connecting to {link.url} …", palette.dim), Text(""), *_hints(palette, other)]
    refused = link.phase is Phase.REFUSED
    said = link.error or f"{link.url} {'refuses' if refused else 'does not answer'}"
    return _stopped(palette, "Refused" if refused else "Not reached", said, link.url, keymap, greets)


def _stopped(
    palette: Palette, title: str, said: str, url: str, keymap: Mapping[str, str] | None, greets: bool
) -> list[Text]:
    return [
        Text(title),
        *([Text(WELCOME, palette.text)] if greets else []),
        Text(said, palette.failed),
        Text.assemble(
            (f"{url} · " if url else "", palette.dim), ("r", palette.key), (" tries again now", palette.text)
        ),
        Text(""),
        *_hints(palette, teaching.connecting(keymap)),
    ]


def _hints(palette: Palette, hints: Iterable[Hint]) -> list[Text]:
    found = []
    for name, what in hints:
        cells = teaching.KEYS if len(name) <= teaching.KEYS else teaching.COMMANDS - 2
        found.append(Text.assemble((f" {name:<{cells}}", palette.key), (f" {what}", palette.text)))
    return found
