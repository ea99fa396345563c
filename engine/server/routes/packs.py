"""`/workflow_templates`, `/i18n` and `/global_subgraphs`: what custom node packs bring for a front end."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from engine.files import packs
from engine.server.bodies import answer
from engine.server.services import services


async def templates(request: web.Request) -> web.Response:
    """`GET /workflow_templates`: pack → names of its workflows."""
    return answer(await asyncio.to_thread(packs.templates, _roots(request)))


async def template(request: web.Request) -> web.StreamResponse:
    """`GET /workflow_templates/{module}/{file}`: a workflow, or the picture that shows it."""
    info = request.match_info
    path = await asyncio.to_thread(packs.template_file, _roots(request), info["module"], info["file"])
    if path is None:
        return web.Response(status=404)
    # A pack's page or script must not run as one of this server's.
    kind = mimetypes.guess_type(path.name)[0] or ""
    shown = kind if kind == "application/json" or (kind.startswith("image/") and kind != "image/svg+xml") else None
    headers = {"Content-Type": shown or "application/octet-stream", "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)


async def translations(request: web.Request) -> web.Response:
    """`GET /i18n`: language → the texts of all packs."""
    return answer(await asyncio.to_thread(packs.translations, _roots(request)))


async def subgraphs(request: web.Request) -> web.Response:
    """`GET /global_subgraphs`: id → what it is, without its workflow."""
    found = await asyncio.to_thread(packs.subgraphs, _roots(request))
    return answer({one.id: _told(one) for one in found.values()})


async def subgraph(request: web.Request) -> web.Response:
    """`GET /global_subgraphs/{id}`: with its workflow as text; `null` if there is none."""
    found = (await asyncio.to_thread(packs.subgraphs, _roots(request))).get(request.match_info["id"])
    if found is None:
        return answer(None)
    try:
        return answer({**_told(found), "data": await asyncio.to_thread(packs.text_of, found)})
    except (FileNotFoundError, ValueError):  # it went, or it is no text: then it is no subgraph either
        return answer(None)


def _told(subgraph: packs.Subgraph) -> dict[str, object]:
    return {"source": "custom_node", "name": subgraph.name, "info": {"node_pack": subgraph.pack}}


def _roots(request: web.Request) -> Sequence[Path]:
    shared = services(request)
    return () if shared.options.disable_all_custom_nodes else shared.folders.roots("custom_nodes")
