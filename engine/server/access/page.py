"""The page that asks for the token."""

from __future__ import annotations

import html

from aiohttp import web

_HEADERS = {
    "Cache-Control": "no-store",
    # No scripts, no frames around it: a page of somebody else must not dress up as the one that asks.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    # Not `no-referrer`: with it browsers send the form with `Origin: null`, which is nobody's page and is refused.
    "Referrer-Policy": "same-origin",
}


def login(said: str = "", *, status: int = 200) -> web.Response:
    """The form; it posts to `login`, relative, so that it works below a proxy's prefix. `said`: why it is shown again."""
    note = f"<p role=alert>{html.escape(said)}</p>" if said else ""
    text = (
        '<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        "<title>comfytui engine</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:30em;margin:4em auto;padding:0 1em}"
        "input{font:inherit;width:100%;box-sizing:border-box;margin:.5em 0;padding:.4em}button{font:inherit}</style>"
        f"<h1>This engine wants its token</h1>{note}"
        "<form method=post action=login><label>Token<input type=password name=token autofocus required "
        "autocomplete=current-password></label><button>Enter</button></form>"
        "<p>It is what the engine was started with: --token-file, --token or COMFYTUI_ENGINE_TOKEN.</p></html>"
    )
    return web.Response(text=text, content_type="text/html", status=status, headers=_HEADERS)
