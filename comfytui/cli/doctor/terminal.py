"""The terminal as the environment tells of it: kind, colours, text, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from comfytui.cli.doctor.findings import Finding, State

SECTION = "terminal"
SHELL = "in ~/.profile, or before the command"
CANNOT = frozenset({"dumb", "unknown", ""})


def facts(environment: Mapping[str, str], size: tuple[int, int] | None) -> Iterator[Finding]:
    """`size`: columns and rows; None where there is no terminal."""
    yield _kind(environment)
    if program := environment.get("TERM_PROGRAM") or environment.get("LC_TERMINAL"):
        version = environment.get("TERM_PROGRAM_VERSION") or environment.get("LC_TERMINAL_VERSION") or ""
        yield Finding(SECTION, "program", f"{program} {version}".strip())
    yield _size(size)
    yield _text(environment)
    yield _colours(environment)
    yield Finding(SECTION, "between", _between(environment))
    yield from _ssh(environment)


def multiplexer(environment: Mapping[str, str]) -> str:
    """`tmux`, `screen`, or "" for none."""
    kind = environment.get("TERM", "")
    if environment.get("TMUX") or kind.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") or kind.startswith("screen") else ""


def _kind(environment: Mapping[str, str]) -> Finding:
    kind = environment.get("TERM", "")
    if kind in CANNOT:
        said = f"{kind}: it cannot move its cursor; the dashboard does not start" if kind else "not set"
        return Finding(SECTION, "TERM", said, State.WRONG, SHELL, ("export TERM=xterm-256color",))
    if not described(kind, environment):
        said = f"{kind}: this machine has no description of it; other programs may fail"
        return Finding(
            SECTION, "TERM", said, State.NOTE, "at home", (f"infocmp -x {kind} | ssh THIS-MACHINE tic -x -",)
        )
    return Finding(SECTION, "TERM", kind)


def described(kind: str, environment: Mapping[str, str]) -> bool:
    """Whether terminfo knows the terminal; True where no terminfo is found at all."""
    home = environment.get("TERMINFO")
    named = [Path(home)] if home else []
    named += [Path(each) for each in environment.get("TERMINFO_DIRS", "").split(":") if each]
    usual = ("~/.terminfo", "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo")
    folders = [each for each in (*named, *(Path(name).expanduser() for name in usual)) if each.is_dir()]
    if "/" in kind or "\0" in kind:
        return False
    places = [folder / part / kind for folder in folders for part in (kind[0], f"{ord(kind[0]):x}")]
    return not folders or any(place.exists() for place in places)


def _size(size: tuple[int, int] | None) -> Finding:
    if size is None:
        return Finding(SECTION, "size", "the output is no terminal", State.NOTE)
    columns, rows = size
    if columns < 60 or rows < 15:
        return Finding(SECTION, "size", f"{columns}x{rows}: all of it is shown from 60x15 on", State.NOTE)
    return Finding(SECTION, "size", f"{columns}x{rows}")


def _text(environment: Mapping[str, str]) -> Finding:
    named = next(((n, environment[n]) for n in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(n)), None)
    if named is not None and "utf8" in named[1].lower().replace("-", ""):
        return Finding(SECTION, "text", f"UTF-8 ({named[0]}={named[1]})")
    said = "no locale is set" if named is None else f"{named[0]}={named[1]} is not UTF-8"
    fix = f"export {'LANG' if named is None else named[0]}=C.UTF-8"
    return Finding(
        SECTION, "text", f"{said}: lines and blocks may come out as other characters", State.WRONG, SHELL, (fix,)
    )


def _colours(environment: Mapping[str, str]) -> Finding:
    if environment.get("NO_COLOR"):
        return Finding(SECTION, "colours", "none: NO_COLOR is set", State.NOTE)
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or environment.get("TERM", "").endswith(
        "-direct"
    ):
        return Finding(SECTION, "colours", "16 million")
    kind = environment.get("TERM", "")
    many = "256" if "256" in kind else "16"
    said = f"{many}: COLORTERM is not set, so that the terminal is not known to have more"
    fix = ["export COLORTERM=truecolor"]
    where = f"if it has more, {SHELL}"
    if environment.get("SSH_CONNECTION"):
        where = "if it has more: here, or for all of ssh in ~/.ssh/config at home and /etc/ssh/sshd_config here"
        fix += ["SendEnv COLORTERM", "AcceptEnv COLORTERM"]
    return Finding(SECTION, "colours", said, State.NOTE, where, tuple(fix))


def _between(environment: Mapping[str, str]) -> str:
    return multiplexer(environment) or "no multiplexer"


def _ssh(environment: Mapping[str, str]) -> Iterator[Finding]:
    if connection := environment.get("SSH_CONNECTION"):
        client = connection.split()
        yield Finding(SECTION, "ssh", f"from {client[0]}" if client else "yes")
    elif environment.get("SSH_TTY") or environment.get("SSH_CLIENT"):
        yield Finding(SECTION, "ssh", "yes")
    if environment.get("MOSH_IP") or environment.get("MOSH_SERVER_PID"):
        said = "passes neither pictures nor messages of the terminal on; it repaints only what it sees"
        yield Finding(SECTION, "mosh", said, State.NOTE)
