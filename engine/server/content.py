"""How a file of a client is sent: as what its name says, unless a browser would run it."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from urllib.parse import quote

# Documents and programs: they are sent as bytes to be saved. In the page of this server they would act as its user.
_ACTIVE = frozenset(
    {"text/html", "text/html-sandboxed", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"}
    | {"text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript"}
    | {"text/ecmascript", "text/xsl", "application/pdf", "application/x-shockwave-flash", "multipart/related"}
    | {"message/rfc822", "text/cache-manifest"}
)
# By name too: the table of types differs from system to system.
_ACTIVE_SUFFIXES = (
    ".html",
    ".htm",
    ".xhtml",
    ".xht",
    ".shtml",
    ".shtm",
    ".mhtml",
    ".mht",
    ".svg",
    ".svgz",
    ".xml",
    ".xsl",
    ".xslt",
    ".js",
    ".mjs",
    ".cjs",
    ".pdf",
    ".swf",
    ".hta",
    ".htc",
    ".appcache",
    ".rdf",
)
# Types that the system's table may lack: the browser shows nothing without.
_MEDIA = {
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".flac": "audio/flac",
    ".opus": "audio/ogg",
    ".glb": "model/gltf-binary",
}
BYTES = "application/octet-stream"


def headers(name: str, *, styles: bool = False) -> dict[str, str]:
    """`Content-Type`, `Content-Disposition` and what keeps a browser from guessing, for a file called `name`.

    Style sheets are bytes too, as ComfyUI's `/view` has it, unless `styles`: a front end loads its user's own.
    """
    kind, encoding = mimetypes.guess_type(Path(name).name)
    kind = kind or _MEDIA.get(Path(name).suffix.lower())
    lower = name.lower().rstrip(". ")
    active = kind in _ACTIVE or lower.endswith(_ACTIVE_SUFFIXES) or (kind or "").endswith("+xml")
    if active or encoding is not None or kind is None or (kind == "text/css" and not styles):
        kind = BYTES
    place = f"filename={quoted(name)}"
    return {
        "Content-Type": kind,
        "Content-Disposition": f"attachment; {place}" if active else place,
        "X-Content-Type-Options": "nosniff",
        # If a browser shows it after all, it has no scripts, no origin and no forms.
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'",
    }


def quoted(name: str) -> str:
    """A file name as a quoted header value; what no header may carry is percent-encoded."""
    if name.isascii() and name.isprintable() and not set(name) & {'"', "\\"}:
        return f'"{name}"'
    return f'"{quote(name)}"'
