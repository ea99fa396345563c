"""How numbers, times and names are written on the screen: short, aligned, and never cut where it matters."""

from __future__ import annotations

import time

from rich.cells import cell_len, set_cell_size

from comfytui.state.model import JobState, NodeState

GLYPHS: dict[str, tuple[str, str]] = {  # state → glyph, role of the theme
    JobState.RUNNING: ("▶", "running"),
    JobState.WAITING: ("◌", "waiting"),
    JobState.DONE: ("✓", "done"),
    JobState.FAILED: ("✗", "failed"),
    JobState.INTERRUPTED: ("⊘", "warning"),
    JobState.LOST: ("?", "lost"),
    JobState.HELD: ("‖", "waiting"),
    NodeState.CACHED: ("≡", "cached"),
}
STAR = "★"
SPARKS = "▁▂▃▄▅▆▇█"
GIGA = 1 << 30


def clock(seconds: float | None) -> str:
    """A duration as 0:06 or 1:02:03; an en dash if it is unknown."""
    if seconds is None or seconds < 0:
        return "–"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def took(seconds: float | None) -> str:
    """A measured duration: 0.1s below ten seconds, then as a clock."""
    if seconds is None:
        return ""
    return f"{seconds:.1f}s" if seconds < 9.95 else clock(seconds)


def ago(then: float | None, now: float) -> str:
    """How long ago, in one unit."""
    if then is None:
        return "–"
    passed = max(0.0, now - then)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{int(passed // size)} {unit} ago"
    return "just now"


def at(then: float | None) -> str:
    """The absolute local time, for details."""
    return "–" if then is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))


def of_total(used: int, total: int) -> str:
    """14.2/24 GB, of bytes."""
    if total < GIGA:
        return f"{used >> 20}/{total >> 20} MB"
    return f"{used / GIGA:.1f}/{total / GIGA:.0f} GB"


def rate(steps: float | None) -> str:
    """2.9 it/s, or 3.4 s/it when a step takes longer than a second."""
    if not steps:
        return ""
    return f"{steps:.1f} it/s" if steps >= 1 else f"{1 / steps:.1f} s/it"


def number(value: float | None) -> str:
    """6.5, 7, or an en dash."""
    return "–" if value is None else f"{value:g}"


def size(width: int | None, height: int | None) -> str:
    return "–" if width is None or height is None else f"{width}×{height}"


def one_line(text: str) -> str:
    """Text of several lines on one."""
    return " ".join(text.split())


def cut(text: str, width: int) -> str:
    """Cut the end of a sentence to a width in cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Cut a name in its middle, because its end (a number, an ending) tells files apart."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return cut(text, width)
    tail = (width - 1) // 2 + (width - 1) % 2
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, width - 1 - cell_len(end)) + "…" + end


def model_name(name: str) -> str:
    """A model's file without folder and ending."""
    return name.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".safetensors").removesuffix(".ckpt")


def short_id(prompt_id: str) -> str:
    return cut_middle(prompt_id, 8)


def spark(values: list[float], top: float | None = None) -> str:
    """Values as a line of eight heights; `top` is what the highest bar means."""
    if not values:
        return ""
    highest = top or max(values) or 1.0
    return "".join(SPARKS[min(7, max(0, int(value / highest * 7.999)))] for value in values)


def bar(fraction: float, width: int) -> tuple[str, str]:
    """A progress bar with half-cell steps: what is done, and the rest."""
    halves = round(max(0.0, min(1.0, fraction)) * width * 2)
    full, half = divmod(halves, 2)
    done = "━" * full + ("╸" if half else "")
    return done, "─" * (width - len(done))


def plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def time_of_day(then: float) -> str:
    """The local time of an event: 14:03:27."""
    return time.strftime("%H:%M:%S", time.localtime(then))


def roughly(seconds: float) -> str:
    """A time to wait, coarse enough that it does not change with every second: ~6 min, ~40 s."""
    if seconds < 90:
        return f"~{max(10, round(seconds / 10) * 10)} s"
    return f"~{round(seconds / 60)} min" if seconds < 5400 else f"~{seconds / 3600:.1f} h"


def duration(seconds: float) -> str:
    """How long something lasted, in one unit and without a clock's colons: 40 s, 2 min, 1.5 h."""
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def file_size(count: int | None) -> str:
    """12.3 MB, of bytes; an en dash if it is unknown."""
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} B"
    unit, weight = next((pair for pair in (("kB", 1e3), ("MB", 1e6)) if count < 999.5 * pair[1]), ("GB", 1e9))
    value = count / weight
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


JITTER = 0.03  # seconds: a network always jitters, and a busy loop here does; a change below it is no news


def settled_latency(shown: float | None, new: float) -> float:
    """The latency to show, in seconds: the new one if it is news, else that which is shown; a repaint costs bytes."""
    if shown is None or not (shown / 2 < new < shown * 2 or abs(new - shown) < JITTER):
        return new
    return shown


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))} ms"
