"""What a server says of itself, as rows of text: versions, memory, devices, users, features. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from comfytui.client.account import Users
from comfytui.state.model import ServerState, Stats
from comfytui.tui.setting_values import shown
from comfytui.tui.theme import Palette
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.wording import of_total, one_line

LABEL = 14  # cells
TOLD = {
    "os",
    "ram_total",
    "ram_free",
    "comfyui_version",
    "python_version",
    "pytorch_version",
    "argv",
}  # rows of their own


def facts(
    palette: Palette, state: ServerState, system: Mapping[str, str], users: Users | None, user: str
) -> RenderableType:
    """`system`: all that it told of itself; `user`: the id of the user that we are."""
    parts: list[RenderableType] = []
    if state.stats is not None:
        parts.append(_pairs(palette, _stats_rows(state.stats)))
    others = [(name.replace("_", " "), value) for name, value in system.items() if name not in TOLD]
    if others:
        parts.append(_pairs(palette, others, 28))
    if users is not None:
        parts += [_title(palette, "users"), _pairs(palette, _users_rows(users, user))]
    if state.features:
        rows = ((name.replace("_", " "), shown(value)) for name, value in sorted(state.features.items()))
        parts += [_title(palette, "what it can do"), _pairs(palette, rows, 28)]
    return Group(*parts)


def _title(palette: Palette, words: str) -> Text:
    return Text(f"\n{words}", palette.style("text", bold=True))


def _pairs(palette: Palette, rows: Iterable[tuple[str, str]], label: int = LABEL) -> RenderableType:
    return pairs(((Text(a, palette.dim), Text(one_line(b), palette.text)) for a, b in rows if b), label)


def _users_rows(users: Users, user: str) -> Iterator[tuple[str, str]]:
    if not users.multi:
        yield "accounts", "none: everybody shares one (the server's flag --multi-user makes them)"
        return
    names = sorted(users.names.values(), key=str.lower)
    yield "accounts", f"{len(names):,}: {', '.join(names[:40])}{' …' if len(names) > 40 else ''}"
    known = users.names.get(user)
    if known is not None:
        yield "we are", known if known == user else f"{known} ({user})"
    else:
        yield "we are", f"{user}, whom it does not know" if user else "nobody: it keeps no settings or files for us"
        yield "", 'c chooses one for now; headers = { comfy-user = "ID" } in the server\'s profile for always'


def _stats_rows(stats: Stats) -> Iterator[tuple[str, str]]:
    yield "ComfyUI", stats.version
    yield "PyTorch", stats.pytorch
    yield "Python", stats.python.partition(" (")[0]
    yield "system", stats.os
    if stats.ram_total:
        yield "RAM", of_total(stats.ram_total - stats.ram_free, stats.ram_total)
    for device in stats.devices:
        yield "device", device.name
        if device.vram_total and device.type != "cpu":
            yield "  VRAM", of_total(device.vram_total - device.vram_free, device.vram_total)
        if device.torch_vram_total:
            used = device.torch_vram_total - device.torch_vram_free
            yield "  by PyTorch", of_total(used, device.torch_vram_total)
    yield "started with", " ".join(stats.argv)
