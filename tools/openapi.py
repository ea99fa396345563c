"""Writes docs/openapi.json: the engine's routes, as its router and their descriptions have them.

python tools/openapi.py            write it
python tools/openapi.py --check    exit 1 if it is not what it would write
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
from aiohttp import web

from engine.options import parse
from engine.server import app
from engine.server.openapi import document

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"


def text() -> str:
    """The document of an engine with every route that there can be: one with a token has a login, too."""
    application = web.Application()
    app.add_routes(application, msgspec.structs.replace(parse([]), token="t" * 32))
    return json.dumps(document.make(application.router), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    wanted = text()
    current = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else None
    if current == wanted:
        return 0
    if "--check" in sys.argv:
        print("docs/openapi.json is not up to date: python tools/openapi.py", file=sys.stderr)
        return 1
    DOCUMENT.write_text(wanted, encoding="utf-8")
    print("docs/openapi.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
