"""Times and sizes as the commands say them."""

from __future__ import annotations

from comfytui.state.times import Estimate


def duration(seconds: float | None) -> str:
    """1.5 s, 4:10, 2:03:00."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def gigabytes(count: int | None) -> str:
    """3.46 GB, of bytes."""
    if count is None:
        return "size unknown"
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def expectation(found: Estimate, runs: int = 1) -> str:
    """How long so many runs should take, and where that is known from; "" if nothing is known."""
    if found.seconds is None:
        return ""
    why = "as past runs of this workflow took" if found.source == "learned" else "by what the same model took before"
    each = f" ({duration(found.seconds)} each)" if runs > 1 else ""
    return f"about {duration(found.seconds * runs)}{each}, {why}"
