"""Writes the parts of docs/ that the program knows better than a person: its keys, the engine's nodes, the keys of a server's profile.

python tools/reference.py            write them
python tools/reference.py --check    exit 1 if a page is not what it would write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEYS, ENGINE = ROOT / "docs" / "keys.md", ROOT / "docs" / "engine.md"
SERVERS = ROOT / "docs" / "servers.md"


def keys_page() -> str:
    """docs/keys.md, from the registry of actions."""
    from comfytui.tui import actions
    from comfytui.tui.actions.dialogs import TITLES

    titles = {actions.APP: "Everywhere", actions.LIST: "In every list"} | {s.id: s.title for s in actions.SCREENS}
    titles |= TITLES
    lines = [
        "# Keys",
        "",
        "Made from the program's table of actions by `tools/reference.py`. The id in the last column is what the settings file's",
        '`[keys]` table gives another key to, for example `"queue.front" = "t"`.',
    ]
    for where, title in titles.items():
        rows = [a for a in actions.ACTIONS if a.where == where]
        lines += ["", f"## {title}", "", "| key | what it does | id |", "| --- | --- | --- |"]
        lines += [f"| {_keys(a.keys)} | {a.description} | `{a.id}` |" for a in rows]
    return "\n".join(lines) + "\n"


_NAMES = {"question_mark": "?", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[", "escape": "esc"}


def _keys(keys: str) -> str:
    return " ".join(f"`{_NAMES.get(k, k)}`" for k in keys.split(","))


def engine_page(text: str) -> str:
    """docs/engine.md with the nodes, samplers and schedulers between their marks."""
    from engine.nodes import registry

    nodes = registry.builtin()
    categories: dict[str, list[str]] = {}
    for definition in nodes.values():
        categories.setdefault(definition.category, []).append(definition.name)
    choices = {i.name: i.type for i in nodes["KSampler"].inputs}
    rows = [f"| {category} | {', '.join(sorted(names))} |" for category, names in sorted(categories.items())]
    parts = {
        "nodes": "\n".join(["| category | nodes |", "| --- | --- |", *rows]),
        "samplers": ", ".join(f"`{n}`" for n in choices["sampler_name"]),
        "schedulers": ", ".join(f"`{n}`" for n in choices["scheduler"]),
    }
    for name, body in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        text = re.sub(f"{start}.*?{end}", f"{start}\n{body}\n{end}", text, flags=re.S)
    return text


def servers_page(text: str) -> str:
    """docs/servers.md with the keys of a profile between their marks."""
    from comfytui.settings.schema import Profile, Ssh, options

    for name, model in {"profile": Profile, "ssh": Ssh}.items():
        rows = [f"| `{each.key}` | {each.kind} | {each.description} |" for each in options(model)]
        body = "\n".join(["| key | kind | what it does |", "| --- | --- | --- |", *rows])
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        text = re.sub(f"{start}.*?{end}", lambda _, body=f"{start}\n{body}\n{end}": body, text, flags=re.S)
    return text


def main() -> int:
    pages = {
        KEYS: keys_page(),
        ENGINE: engine_page(ENGINE.read_text(encoding="utf-8")),
        SERVERS: servers_page(SERVERS.read_text(encoding="utf-8")),
    }
    stale = [p for p, text in pages.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for page in stale:
            print(f"{page.relative_to(ROOT)} is not up to date: python tools/reference.py", file=sys.stderr)
        return bool(stale)
    for page in stale:
        page.write_text(pages[page], encoding="utf-8")
        print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
