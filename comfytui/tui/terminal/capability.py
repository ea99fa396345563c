"""What the terminal can show, as far as the environment tells; what only it can tell is asked after the first frame."""

from __future__ import annotations

from collections.abc import Mapping

CANNOT = frozenset({"dumb", "unknown", ""})


def refusal(environment: Mapping[str, str], reads: bool, writes: bool) -> str:
    """Why the dashboard cannot run here and what to do instead; empty if it can.

    `reads` and `writes` tell whether the standard input and output are terminals.
    """
    instead = "comfytui run, queue, history, nodes and stats work everywhere"
    if not reads or not writes:
        which = "input" if not reads else "output"
        return f"the dashboard needs a terminal, and the standard {which} is none; {instead}"
    kind = environment.get("TERM", "")
    if kind in CANNOT:
        said = f"TERM is {kind}" if kind else "TERM is not set"
        return f"the dashboard needs a terminal that can move its cursor, and {said}; {instead}"
    return ""


def multiplexed(environment: Mapping[str, str]) -> bool:
    """Whether tmux or GNU screen is between us and the terminal."""
    kind = environment.get("TERM", "")
    return bool(environment.get("TMUX") or environment.get("STY")) or kind.startswith(("tmux", "screen"))


def remote(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is at the far end of ssh or mosh."""
    return any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "MOSH_IP"))
