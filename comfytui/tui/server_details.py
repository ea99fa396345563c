"""All that is known of one server, as paragraphs: how it is reached, what it is, what it does, what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from comfytui.state.model import Phase
from comfytui.tui.job_details import row as entry
from comfytui.tui.server_list import Row, queue, standing
from comfytui.tui.widgets.status_line import running
from comfytui.tui.wording import of_total, one_line, time_of_day

if TYPE_CHECKING:
    from comfytui.settings.schema import Profile
    from comfytui.state.model import ServerState
    from comfytui.tui.theme import Palette


def lines(palette: Palette, row: Row, profile: Profile | None, now: float) -> list[Text]:
    """What matters first: why it is not there, else what it does."""
    return [
        *_link(palette, row),
        *_work(palette, row.state, now),
        *_machine(palette, row.state),
        *_way(palette, row, profile),
    ]


def _link(palette: Palette, row: Row) -> Iterator[Text]:
    glyph, word, role = standing(row)
    state = row.state
    since = f" since {time_of_day(state.link.since)}" if state is not None and state.link.since else ""
    yield entry(palette, "state", f"{glyph} {word}{since}", role)
    yield entry(palette, "address", row.address)
    if row.tunnel:
        yield entry(palette, "over", row.tunnel, "text" if "up" in row.tunnel else "warning")
    why = row.failure or (state.link.error if state is not None and state.link.phase is not Phase.LIVE else None)
    if why:
        yield Text("")
        yield Text(why, palette.failed)
        yield Text("")


def _work(palette: Palette, state: ServerState | None, now: float) -> Iterator[Text]:
    if state is None or state.link.phase is not Phase.LIVE:
        return
    held = f" · {len(state.held)} held here" if state.held else ""
    paused = " · paused" if state.paused else ""
    yield entry(palette, "queue", f"{queue(state)}{held}{paused}")
    if (now_runs := running(palette, state, now)) is not None:
        yield Text.assemble((f"{'runs':<10} ", palette.dim), now_runs)
    if state.read_only:
        yield entry(palette, "read only", "nothing is sent that would change it", "warning")


def _machine(palette: Palette, state: ServerState | None) -> Iterator[Text]:
    stats = state.stats if state is not None else None
    if stats is None:
        return
    yield Text("")
    yield entry(palette, "ComfyUI", stats.version or "it does not say")
    told = (("Python", stats.python.partition(" ")[0]), ("PyTorch", stats.pytorch), ("", stats.os))
    versions = " · ".join(f"{name} {value}".strip() for name, value in told if value)
    if versions:
        yield entry(palette, "runs on", versions, "dim")
    if stats.ram_total:
        yield entry(palette, "RAM", of_total(stats.ram_total - stats.ram_free, stats.ram_total))
    for device in stats.devices:
        yield entry(palette, device.type or "device", one_line(device.name))
        if device.vram_total and device.type != "cpu":
            yield entry(palette, "", of_total(device.vram_total - device.vram_free, device.vram_total))


def _way(palette: Palette, row: Row, profile: Profile | None) -> Iterator[Text]:
    """How we are let in; never with what."""
    yield Text("")
    if profile is None:
        yield entry(palette, "settings", "not kept: s saves it under a name", "dim")
        return
    ways = [
        *(["token"] if profile.token or profile.token_file else []),
        *(["user and password"] if profile.user else []),
        *(["own headers"] if profile.headers else []),
        *(["token in the address"] if profile.query else []),
        *(["own CA"] if profile.ca else []),
        *(["our certificate"] if profile.cert else []),
        *([] if profile.verify else ["any certificate is trusted"]),
    ]
    yield entry(palette, "settings", f"servers.{row.name}", "dim")
    yield entry(palette, "let in by", ", ".join(ways) or "nothing: it lets everybody in", "dim")
