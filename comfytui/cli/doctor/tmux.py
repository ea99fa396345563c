"""tmux's options, as far as they decide what reaches the terminal outside, and the lines that change them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping

from comfytui.cli.doctor.findings import Finding, State

SECTION = "tmux"
WHERE = "in ~/.tmux.conf (then: tmux source-file ~/.tmux.conf)"
SECONDS = 2.0  # for one question
SLOW_ESCAPE = 50  # milliseconds; from here on a person feels it

Ask = Callable[..., str]  # arguments → what tmux prints; "" if it fails


def ask(*arguments: str) -> str:
    """What tmux answers; "" without one."""
    try:
        done = subprocess.run(
            ["tmux", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def facts(environment: Mapping[str, str], ask: Ask = ask) -> Iterator[Finding]:
    """Nothing outside of tmux. Blocks while tmux is asked."""
    if not environment.get("TMUX"):
        if environment.get("TERM", "").startswith("tmux"):
            said = "TERM says so, and it cannot be asked from here: over ssh, or under another user"
            yield Finding(SECTION, "tmux", said, State.NOTE)
        return
    version = ask("-V").strip().removeprefix("tmux ")
    options = parsed(*(ask("show-options", flag) for flag in ("-s", "-g", "-gw")))
    if not options:
        yield Finding(SECTION, "tmux", f"{version or 'tmux'} does not answer", State.NOTE)
        return
    old = number(version) < (3, 2)
    said = f"{version}: 3.2 and later pass more on" if old else version
    yield Finding(SECTION, "version", said, State.NOTE if old else State.OK)
    client = ask("display-message", "-p", "#{client_termname}\t#{client_termfeatures}").strip("\n").split("\t")
    outer, features = client[0], client[1] if len(client) > 1 else ""
    yield _kind(options)
    yield _colours(options, outer, features, old)
    yield from _plain(options)


def parsed(*answers: str) -> dict[str, str]:
    """Options by name; those of several values (`terminal-features[0]`) as one, with spaces between."""
    found: dict[str, str] = {}
    for line in filter(None, "\n".join(answers).splitlines()):
        name, _, value = line.partition(" ")
        name = name.partition("[")[0]
        value = value.strip().strip("\"'")
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def number(version: str) -> tuple[int, ...]:
    """3.3a → (3, 3); what is no number counts as new."""
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (99, 0)


def _kind(options: Mapping[str, str]) -> Finding:
    kind = options.get("default-terminal", "")
    if kind.startswith(("tmux", "screen")) and "256" in kind:
        return Finding(SECTION, "default-terminal", kind)
    said = f"{kind or 'not set'}: programs inside do not know what tmux can do"
    return Finding(SECTION, "default-terminal", said, State.WRONG, WHERE, ('set -g default-terminal "tmux-256color"',))


def _colours(options: Mapping[str, str], outer: str, features: str, old: bool) -> Finding:
    known = f"{features} {options.get('terminal-features', '')} {options.get('terminal-overrides', '')}"
    if re.search(r"\bRGB\b|\bTc\b", known):
        return Finding(SECTION, "colours", "16 million are passed on")
    name = outer if re.fullmatch(r"[\w.+-]+", outer) else "xterm-256color"
    line = f'set -ga terminal-overrides ",{name}:Tc"' if old else f'set -as terminal-features ",{name}:RGB"'
    said = f"tmux does not know that {name} has more than 256"
    return Finding(SECTION, "colours", said, State.NOTE, f"if it has more, {WHERE}", (line,))


def _plain(options: Mapping[str, str]) -> Iterator[Finding]:
    passes = options.get("allow-passthrough", "")
    if passes in ("on", "all"):
        yield Finding(SECTION, "allow-passthrough", passes)
    else:
        said = f"{passes or 'not known'}: messages at a job's end, and pictures of pixels, stay inside"
        yield Finding(SECTION, "allow-passthrough", said, State.WRONG, WHERE, ("set -g allow-passthrough on",))
    clipboard = options.get("set-clipboard", "")
    if clipboard in ("on", "external"):
        yield Finding(SECTION, "set-clipboard", clipboard)
    else:
        said = f"{clipboard or 'not known'}: what is copied does not reach your clipboard"
        yield Finding(SECTION, "set-clipboard", said, State.WRONG, WHERE, ("set -s set-clipboard external",))
    if options.get("focus-events") == "on":
        yield Finding(SECTION, "focus-events", "on")
    else:
        said = "off: whether you look is not known, so that every job's end is told"
        yield Finding(SECTION, "focus-events", said, State.NOTE, WHERE, ("set -g focus-events on",))
    waits = options.get("escape-time", "")
    if waits.isdecimal() and int(waits) > SLOW_ESCAPE:
        said = f"{waits} ms: escape is slow"
        yield Finding(SECTION, "escape-time", said, State.WRONG, WHERE, ("set -sg escape-time 10",))
    elif waits:
        yield Finding(SECTION, "escape-time", f"{waits} ms")
    mouse = options.get("mouse", "off")
    yield Finding(SECTION, "mouse", "on" if mouse == "on" else "off: the dashboard gets it all the same")
