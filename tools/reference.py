"""Writes the parts of docs/ that the program knows better than a person: its keys, its settings, the engine's nodes.

python tools/reference.py            write them
python tools/reference.py --check    exit 1 if a page is not what it would write
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfytui.settings.schema import Option

ROOT = Path(__file__).parents[1]
KEYS, ENGINE = ROOT / "docs" / "keys.md", ROOT / "docs" / "engine.md"
SERVERS, SETTINGS = ROOT / "docs" / "servers.md", ROOT / "docs" / "settings.md"


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


_NAMES = {
    "question_mark": "?", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[", "escape": "esc",
    "colon": ":", "asterisk": "*", "greater_than_sign": ">",
}  # fmt: skip


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


def settings_page(text: str) -> str:
    """docs/settings.md with every setting, and a file that holds them all, between their marks."""
    from comfytui.settings.schema import options

    every = options()
    rows = [f"| `{o.key}` | {_kind(o)} | `{_toml(o.default)}` | {_cell(o.description)} |" for o in every]
    table = "\n".join(["| key | kind | default | what it does |", "| --- | --- | --- | --- |", *rows])
    example = "\n".join(["```toml", *_example(every), "```"])
    for name, body in {"settings": table, "example": example}.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        text = re.sub(f"{start}.*?{end}", lambda _, body=f"{start}\n{body}\n{end}": body, text, flags=re.S)
    return text


def _example(every: list[Option]) -> Iterator[str]:
    """A settings file with every setting at its default, table by table: what stands outside of tables comes first."""
    table = ""
    for option in sorted(every, key=lambda o: "." in o.key or o.kind == "table"):
        group, _, name = option.key.rpartition(".")
        if option.kind == "table":
            group = option.key
        if group != table:
            table = group
            yield ""
            yield f"[{table}]"
        yield f"# {option.description}"
        if option.kind != "table":
            yield f"{name} = {_toml(option.default)}"


def _kind(option: Option) -> str:
    return ", ".join(f"`{each}`" for each in option.choices) if option.choices else option.kind


def _cell(text: str) -> str:
    """Text for a cell of a table; what looks like markup is code."""
    return re.sub(r"\[[^\]]*\]|\{\w+\}|\w+ = \"[^\"]*\"", lambda m: f"`{m[0]}`", text).replace("|", "\\|")


def _toml(value: Any) -> str:
    import tomli_w

    return tomli_w.dumps({"x": value}).strip().removeprefix("x = ") if not isinstance(value, dict) else "{}"


def main() -> int:
    pages = {
        KEYS: keys_page(),
        ENGINE: engine_page(ENGINE.read_text(encoding="utf-8")),
        SERVERS: servers_page(SERVERS.read_text(encoding="utf-8")),
        SETTINGS: settings_page(SETTINGS.read_text(encoding="utf-8")),
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
