"""A server whose model folder is a test's own, and a workflow that wants a model which it tells of."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from tests.support.routes import Answer

NAME = "flux-fp16.safetensors"


def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a web server on 127.0.0.1 needs for us to trust it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    return tls


def page(url: str, sha256: str = "", directory: str = "diffusion_models/flux") -> str:
    """A workflow that wants one model, which it tells of, and one picture."""
    model = {"name": NAME, "url": url, "directory": directory, "hash": sha256, "hash_type": "SHA256"}
    graph = {
        "2": {"class_type": "Loader", "inputs": {"unet_name": f"flux/{NAME}"}},
        "3": {"class_type": "Save", "inputs": {"a": ["2", 0]}},
    }
    told = {"nodes": [{"id": 2, "type": "Loader", "properties": {"models": [model]}}], "links": []}
    return json.dumps({"prompt": graph, "workflow": told})


def answers(root: Path) -> dict[str, Answer]:
    """By route, for a server whose only folder of models is `root`, which is made; what lies in it is in its choices."""
    root.mkdir()
    (root / "old.safetensors").write_bytes(b"12345")

    def files() -> list[Path]:
        return sorted(each for each in root.rglob("*.safetensors"))

    async def folders(_: web.Request) -> web.Response:
        return web.json_response([{"name": "diffusion_models", "folders": [str(root)]}])

    async def listed(_: web.Request) -> web.Response:
        found = [{"name": str(f.relative_to(root)), "pathIndex": 0, "size": f.stat().st_size} for f in files()]
        return web.json_response(found)

    async def nodes(_: web.Request) -> web.Response:
        names = [str(each.relative_to(root)) for each in files()]
        return web.json_response(
            {
                "Loader": {"input": {"required": {"unet_name": [names]}}, "output": ["MODEL"], "output_node": False},
                "Save": {"input": {"required": {"a": ["*"]}}, "output": [], "output_node": True},
            }
        )

    return {
        "/experiment/models": folders,
        "/experiment/models/diffusion_models": listed,
        "/object_info": nodes,
    }
