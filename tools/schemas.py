"""Writes docs/schemas/: a JSON schema for what each command prints with --json, from `comfytui/cli/shapes.py`.

python tools/schemas.py            write them
python tools/schemas.py --check    exit 1 if a file is not what it would write, or one too many is there
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from comfytui.cli.shapes import SHAPES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "schemas"


def schema(command: str) -> dict[str, Any]:
    """The schema of one command's data: of the whole, or of one line where it prints one value a line."""
    shape, lines = SHAPES[command]
    (found,), parts = msgspec.json.schema_components([shape], ref_template="#/$defs/{name}")
    what = f"What `comfytui {command} --json` prints" + (": each line is one of these." if lines else ".")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"comfytui {command}"}
    return {**head, "$comment": what, **_plain(found), **({"$defs": _plain(parts)} if parts else {})}


def files() -> dict[Path, str]:
    """Every file and what has to be in it."""
    return {FOLDER / f"{name}.json": json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n" for name in SHAPES}


def _plain(value: Any) -> Any:
    """Docstrings come with their line breaks: one line is enough."""
    if isinstance(value, dict):
        return {
            key: " ".join(each.split()) if key == "description" and isinstance(each, str) else _plain(each)
            for key, each in value.items()
        }
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def main() -> int:
    wanted = files()
    there = set(FOLDER.glob("*.json"))
    stale = [path for path, text in wanted.items() if path not in there or path.read_text(encoding="utf-8") != text]
    surplus = sorted(there - wanted.keys())
    if "--check" in sys.argv:
        for path in (*stale, *surplus):
            print(f"{path.relative_to(ROOT)} is not up to date: python tools/schemas.py", file=sys.stderr)
        return bool(stale or surplus)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in surplus:
        path.unlink()
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
