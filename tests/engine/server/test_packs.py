"""The routes of what custom node packs bring, and pictures of models."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.engine.server.conftest import Rig, make_rig


def fill(base: Path) -> None:
    pack = base / "custom_nodes/my-pack"
    for name, text in (
        ("example_workflows/portrait.json", '{"nodes": []}'),
        ("example_workflows/portrait.svg", "<svg/>"),
        ("locales/en/main.json", '{"hello": "Hello"}'),
        ("subgraphs/Blur.json", '{"id": "x"}'),
    ):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text(text)


async def test_what_a_pack_brings(rig: Rig) -> None:
    fill(rig.base)
    assert await rig.get("/workflow_templates") == {"my-pack": ["portrait"]}
    for prefix in ("", "/api"):
        async with rig.client.get(f"{prefix}/workflow_templates/my-pack/portrait.json") as response:
            assert (response.status, response.content_type) == (200, "application/json")
            assert await response.text() == '{"nodes": []}'
    async with rig.client.get("/workflow_templates/my-pack/portrait.svg") as response:
        assert response.content_type == "application/octet-stream"  # it could run a script
    for path in ("my-pack/nope.json", "nope/portrait.json", "my-pack/..%2Fsubgraphs%2FBlur.json"):
        async with rig.client.get(f"/workflow_templates/{path}") as response:
            assert response.status == 404
    assert await rig.get("/i18n") == {"en": {"hello": "Hello"}}
    ((id_, told),) = (await rig.get("/global_subgraphs")).items()
    assert told == {"source": "custom_node", "name": "Blur", "info": {"node_pack": "custom_nodes.my-pack"}}
    assert await rig.get(f"/global_subgraphs/{id_}") == {**told, "data": '{"id": "x"}'}
    assert await rig.get("/global_subgraphs/nope") is None


async def test_packs_that_are_switched_off(tmp_path: Path) -> None:
    fill(tmp_path)
    rig = await make_rig(tmp_path, "--disable-all-custom-nodes")
    for path in ("/workflow_templates", "/i18n", "/global_subgraphs"):
        assert await rig.get(path) == {}
    await rig.client.close()
    await rig.shared.store.close()


async def test_the_picture_inside_a_model(rig: Rig) -> None:
    buffer = BytesIO()
    Image.new("RGB", (2000, 1000), "red").save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    folder = rig.base / "models/loras"
    folder.mkdir(parents=True, exist_ok=True)
    for name, cover in (("a", text), ("b", base64.b64encode(b"no picture").decode())):
        header = json.dumps({"__metadata__": {"ssmd_cover_images": json.dumps([cover])}}).encode()
        (folder / f"{name}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    async with rig.client.get("/experiment/models/preview/loras/0/a.safetensors") as response:
        assert (response.status, response.content_type) == (200, "image/webp")
        shown = Image.open(BytesIO(await response.read()))
        assert (shown.format, shown.size) == ("WEBP", (512, 256))
    async with rig.client.get("/experiment/models/preview/loras/0/b.safetensors") as response:
        assert response.status == 404
