"""The servers that the program knows, as rows: those of the settings, those that are connected, those that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from comfytui.state.model import Phase, ServerState
from comfytui.tui.wording import cut_middle

if TYPE_CHECKING:
    from comfytui.settings.schema import Profile
    from comfytui.tui.session import Session


NAME = 30  # cells of a name in a choice


class Row(msgspec.Struct, frozen=True):
    """One server. `state` is None where there is no connection; `failure` tells then why, if it was tried."""

    name: str
    address: str  # what to show: host, port and prefix; never a secret
    state: ServerState | None = None
    failure: str = ""
    shown: bool = False  # it is the one that the other screens show
    saved: bool = False  # it is in the settings
    tunnel: str = ""  # what the tunnel to it does


def rows(session: Session, recent: tuple[str, ...] = ()) -> tuple[Row, ...]:
    """Those of the settings in their order, then the others that are connected, then `recent` addresses."""
    names = [*session.settings.servers]
    names += [name for name in session.fleet.connections if name not in names]
    names += [name for name in session.failures if name and name not in names]
    names += [name for name in recent if name not in names]
    return tuple(_row(session, name) for name in names)


def _row(session: Session, name: str) -> Row:
    connection, opened = session.fleet.get(name), session.opened.get(name)
    profile = session.settings.servers.get(name)
    return Row(
        name=name,
        address=connection.target.label if connection is not None else _address(profile, name),
        state=None if connection is None else connection.state,
        failure=session.failures.get(name, ""),
        shown=name == session.name,
        saved=profile is not None,
        tunnel=str(opened.tunnel.status) if opened is not None and opened.tunnel is not None else "",
    )


def _address(profile: Profile | None, name: str) -> str:
    url = name if profile is None else profile.url
    return url.partition("://")[2].rpartition("@")[2].partition("?")[0] if "://" in url else url.partition("?")[0]


# state of a link → glyph, word, role of the theme
_WORDS: dict[Phase, tuple[str, str, str]] = {
    Phase.LIVE: ("●", "live", "done"),
    Phase.CONNECTING: ("◌", "connecting", "waiting"),
    Phase.RECONNECTING: ("○", "reconnecting", "warning"),
    Phase.REFUSED: ("✗", "refused", "failed"),
    Phase.CLOSED: ("○", "closed", "dim"),
}


def standing(row: Row) -> tuple[str, str, str]:
    """(glyph, word, role) of what the connection to a server is."""
    if row.state is not None:
        return _WORDS[row.state.link.phase]
    return ("✗", "not tried", "failed") if row.failure else ("·", "off", "dim")


def line(row: Row) -> str:
    """A row in one line, for a choice among servers."""
    glyph, word, _ = standing(row)
    told = [word, *([queue(row.state)] if word == "live" else [])]
    name = row.name.partition("://")[2] or row.name
    return f"{cut_middle(name, NAME):<{NAME}}  {glyph} {' · '.join(told)}"


def queue(state: ServerState | None) -> str:
    """1 + 4: what runs and what waits; what is held here in addition."""
    if state is None or state.link.phase is not Phase.LIVE:
        return "–"
    if not state.running and not state.waiting:
        return "idle"
    return f"{len(state.running)} + {len(state.waiting)}"


def matches(row: Row, words: str) -> bool:
    """Whether every word is in what a row says."""
    told = f"{row.name} {row.address} {standing(row)[1]}".lower()
    return all(word in told for word in words.lower().split())
