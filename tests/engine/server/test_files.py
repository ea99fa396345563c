"""Pictures in and out: /view, /upload, models, users and their files."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from PIL import Image

from engine.files.pictures import encode_png, read_text
from tests.engine.server.conftest import Rig, make_rig


def picture(alpha: int = 255, size: tuple[int, int] = (8, 8)) -> bytes:
    return encode_png(Image.new("RGBA", size, (200, 10, 10, alpha)), {"prompt": '{"1": 2}'})


async def upload(rig: Rig, path: str = "/upload/image", data: bytes = b"x", name: str = "a.png", **more: str) -> Any:
    form = aiohttp.FormData(quote_fields=False)  # names as they are: other clients do not quote them
    form.add_field("image", data, filename=name)
    for key, value in more.items():
        form.add_field(key, value)
    async with rig.client.post(path, data=form) as response:
        text = await response.text()
        return response.status, json.loads(text) if text.startswith("{") else text


async def fetch(rig: Rig, query: str) -> tuple[int, bytes, str]:
    async with rig.client.get(f"/view?{query}") as response:
        return response.status, await response.read(), response.content_type


async def test_uploads_of_one_name(rig: Rig) -> None:
    told = {"subfolder": "", "type": "input"}
    assert await upload(rig, data=b"one") == (200, {"name": "a.png", **told})
    assert await upload(rig, data=b"one") == (200, {"name": "a.png", **told})
    assert await upload(rig, data=b"two") == (200, {"name": "a (1).png", **told})
    assert await upload(rig, data=b"two") == (200, {"name": "a (1).png", **told})
    assert await upload(rig, data=b"new", overwrite="true") == (200, {"name": "a.png", **told})
    folder = rig.shared.folders.input
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.png": b"new", "a (1).png": b"two"}


async def test_forms_that_are_broken_are_refused_in_words(rig: Rig) -> None:
    async with rig.client.post("/upload/image", skip_auto_headers=["Content-Type"]) as response:
        assert (response.status, (await response.json())["error"]["type"]) == (400, "invalid_request")
    body = b'--x\r\nContent-Disposition: form-data; name="a\x05b"\r\n\r\n1\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with rig.client.post("/upload/image", data=body, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["type"]) == (400, "invalid_request")


async def test_uploads_into_other_folders(rig: Rig) -> None:
    assert (await upload(rig, subfolder="x/y"))[1] == {"name": "a.png", "subfolder": "x/y", "type": "input"}
    assert (rig.shared.folders.input / "x/y/a.png").is_file()
    assert (await upload(rig, type="temp"))[1]["type"] == "temp"
    assert (rig.shared.folders.temp / "a.png").is_file()
    status, answer = await upload(rig, type="elsewhere")
    assert status == 400
    assert "elsewhere" in answer["error"]["details"]


@pytest.mark.parametrize("name", ["../a.png", "..", "..\\..\\a.png", "C:\\a.png", "x" * 3000, ""])
async def test_names_that_leave_are_not_written(rig: Rig, name: str) -> None:
    before = {path for path in rig.base.rglob("*") if "jobs" not in path.name}
    assert await upload(rig, name=name) == (400, "")
    for subfolder in (name or "../..", "/etc"):
        assert await upload(rig, subfolder=subfolder) == (400, "")
    assert {path for path in rig.base.rglob("*") if "jobs" not in path.name} == before


async def test_bodies_that_are_no_upload(rig: Rig) -> None:
    form = aiohttp.FormData()
    form.add_field("other", b"x", filename="a.png")
    async with rig.client.post("/upload/image", data=form) as response:
        assert (response.status, await response.text()) == (400, "")
    async with rig.client.post("/upload/image", data=b"x") as response:
        assert response.status == 400
        assert "multipart" in (await response.json())["error"]["details"]


async def test_pictures_as_they_are_and_converted(rig: Rig) -> None:
    data = picture(alpha=100)
    await upload(rig, data=data)
    base = "filename=a.png&type=input"
    assert await fetch(rig, base) == (200, data, "image/png")
    status, body, kind = await fetch(rig, f"{base}&preview=webp;50")
    assert (status, kind, Image.open(BytesIO(body)).size) == (200, "image/webp", (8, 8))
    status, body, kind = await fetch(rig, f"{base}&preview=jpeg&channel=rgb")
    assert (kind, Image.open(BytesIO(body)).format) == ("image/jpeg", "JPEG")
    status, body, kind = await fetch(rig, f"{base}&channel=rgb")
    assert (kind, Image.open(BytesIO(body)).mode, read_text(body)) == ("image/png", "RGB", {})
    status, body, kind = await fetch(rig, f"{base}&channel=a")
    assert Image.open(BytesIO(body)).getpixel((0, 0)) == (0, 0, 0, 100)
    async with rig.client.get(f"/view?{base}", headers={"Range": "bytes=0-3"}) as response:
        assert (response.status, await response.read()) == (206, data[:4])
        assert response.headers["Content-Disposition"] == 'filename="a.png"'


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 404),
        ("filename=nope.png", 404),
        ("filename=", 400),
        ("filename=..%2F..%2Fx", 400),
        ("filename=%2Fetc%2Fpasswd", 400),
        ("filename=a.png&type=weird", 400),
        ("filename=a.png&type=input&subfolder=..%2F..", 403),
        ("filename=a.png&type=input&subfolder=%2Fetc", 403),
        ("filename=a%00.png", 400),
        ("filename=" + "x" * 3000, 400),
    ],
)
async def test_views_that_are_refused(rig: Rig, query: str, status: int) -> None:
    assert (await fetch(rig, query))[:2] == (status, b"")


async def test_what_a_browser_would_run_is_sent_as_bytes(rig: Rig) -> None:
    for name in ("a.html", "a.js", "a.css", "a.svg"):
        await upload(rig, data=b"<script>", name=name)
        assert (await fetch(rig, f"filename={name}&type=input"))[2] == "application/octet-stream"
    await upload(rig, data=b"hello", name="note.txt")
    assert await fetch(rig, "filename=note.txt [input]") == (200, b"hello", "text/plain")
    assert (await fetch(rig, "filename=note.txt&type=input&preview=webp"))[0] == 400  # no picture


async def test_a_link_out_of_the_folder_is_not_followed(rig: Rig) -> None:
    (rig.base / "secret.png").write_bytes(b"secret")
    (rig.shared.folders.output / "link.png").symlink_to(rig.base / "secret.png")
    assert (await fetch(rig, "filename=link.png"))[0] == 400


async def test_a_mask_becomes_the_alpha_of_its_original(rig: Rig) -> None:
    await upload(rig, data=picture(), name="base.png")
    reference = json.dumps({"filename": "base.png", "type": "input"})
    status, told = await upload(rig, "/upload/mask", picture(alpha=7), "m.png", original_ref=reference)
    assert (status, told) == (200, {"name": "m.png", "subfolder": "", "type": "input"})
    data = (rig.shared.folders.input / "m.png").read_bytes()
    assert Image.open(BytesIO(data)).getpixel((0, 0)) == (200, 10, 10, 7)
    assert read_text(data) == {"prompt": '{"1": 2}'}
    for refused in ("../x.png", "/x.png", "absent.png", ""):
        reference = json.dumps({"filename": refused, "type": "input"})
        assert (await upload(rig, "/upload/mask", picture(), "n.png", original_ref=reference))[0] == 200
        assert not (rig.shared.folders.input / "n.png").exists()
    assert (await upload(rig, "/upload/mask", picture(), "n.png"))[0] == 400
    reference = json.dumps({"filename": "base.png", "type": "input"})
    assert (await upload(rig, "/upload/mask", b"no picture", "n.png", original_ref=reference))[0] == 400


async def test_models_and_their_metadata(rig: Rig) -> None:
    folder = rig.base / "models/loras/sub"
    folder.mkdir(parents=True)
    header = json.dumps({"__metadata__": {"author": "me"}}).encode()
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (folder / "b.safetensors").write_bytes((1 << 60).to_bytes(8, "little"))
    Image.new("RGB", (2, 2)).save(folder / "a.png")
    assert (await rig.get("/models"))[:3] == ["checkpoints", "configs", "loras"]
    assert await rig.get("/models/loras") == ["sub/a.safetensors", "sub/b.safetensors"]
    assert await rig.get("/embeddings") == []
    assert await rig.get("/view_metadata/loras?filename=sub/a.safetensors") == {"author": "me"}
    for query in ("sub/b.safetensors", "nope.safetensors", "../x.safetensors", "a.txt", ""):
        async with rig.client.get(f"/view_metadata/loras?filename={query}") as response:
            assert (response.status, await response.read()) == (404, b"")
    for path in ("/models/nope", "/experiment/models/nope", "/experiment/models/custom_nodes"):
        async with rig.client.get(path) as response:
            assert (response.status, await response.read()) == (404, b"")
    assert [entry["name"] for entry in await rig.get("/experiment/models/loras")] == [
        "sub/a.safetensors",
        "sub/b.safetensors",
    ]
    async with rig.client.get("/experiment/models/preview/loras/0/sub/a.safetensors") as response:
        assert (response.status, response.content_type) == (200, "image/webp")
    async with rig.client.get("/experiment/models/preview/loras/9/x") as response:
        assert response.status == 404
    assert (await rig.get("/internal/folder_paths"))["loras"][0] == str(rig.base / "models/loras")


async def test_settings_merge(rig: Rig) -> None:
    assert await rig.get("/settings") == {}
    async with rig.client.post("/settings", json={"a": 1, "b": {"c": None}}) as response:
        assert (response.status, await response.read()) == (200, b"")
    async with rig.client.post("/settings/a", json=[2]) as response:
        assert response.status == 200
    assert await rig.get("/settings") == {"a": [2], "b": {"c": None}}
    assert await rig.get("/settings/a") == [2]
    assert await rig.get("/settings/none") is None
    async with rig.client.post("/settings", data=b"no json") as response:
        assert response.status == 400
    assert await rig.get("/users") == {"storage": "server", "migrated": True}


async def test_users(rig: Rig) -> None:
    async with rig.client.post("/users", json={"username": "a b/c"}) as response:
        assert (await response.json()).startswith("a-b-c_")
    for name, error in (
        ("a b/c", "Duplicate username."),
        ("", "username not provided"),
        (None, "username not provided"),
        ("__x", "System User prefix not allowed"),
    ):
        async with rig.client.post("/users", json={"username": name}) as response:
            assert (response.status, await response.json()) == (400, {"error": error})


async def test_several_users_have_their_own_settings(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path, "--multi-user")
    ids = []
    for name in ("one", "two"):
        async with rig.client.post("/users", json={"username": name}) as response:
            ids.append(await response.json())
    async with rig.client.post("/settings", json={"a": 1}, headers={"comfy-user": ids[0]}) as response:
        assert response.status == 200
    for user, told in ((ids[0], {"a": 1}), (ids[1], {})):
        async with rig.client.get("/settings", headers={"comfy-user": user}) as response:
            assert await response.json() == told
    for user in ("", "stranger", "__system", "../x"):
        async with rig.client.get("/settings", headers={"comfy-user": user}) as response:
            assert response.status == 401
    assert (await rig.get("/users"))["users"] == dict(zip(ids, ("one", "two"), strict=True))
    await rig.client.close()
    await rig.shared.store.close()


async def test_a_users_files(rig: Rig) -> None:
    async def call(method: str, name: str, query: str = "", body: bytes = b"{}") -> tuple[int, str]:
        url = f"/userdata/{quote(name, safe='')}{query}"
        data = body if method == "POST" else None
        async with rig.client.request(method, _raw(url), data=data) as response:
            return response.status, await response.text()

    assert await call("POST", "workflows/ä b.json") == (200, '"workflows/ä b.json"')
    assert await call("POST", "workflows/ä b.json", "?overwrite=false") == (409, "File already exists")
    assert await call("GET", "workflows/ä b.json") == (200, "{}")
    status, info = await call("POST", "c.json", "?full_info=true", b"12345")
    assert (status, json.loads(info)["size"]) == (200, 5)
    assert await rig.get("/userdata?dir=workflows") == ["ä b.json"]
    assert await rig.get("/userdata?dir=workflows&split=true") == [["ä b.json", "ä b.json"]]
    assert (await rig.get("/userdata?dir=.&full_info=true"))[0]["path"] == "c.json"
    assert [one["path"] for one in await rig.get("/v2/userdata")] == ["workflows", "c.json", "workflows/ä b.json"]
    assert await call("POST", "a\0b") == (403, "")
    async with rig.client.post("/userdata/c.json/move/x%2Fd.json") as response:
        assert (response.status, await response.json()) == (200, "x/d.json")
    assert await call("DELETE", "x/d.json") == (204, "")
    assert await call("DELETE", "x/d.json") == (404, "")
    for name in ("../x.txt", "../../main.py", "/etc/passwd"):
        assert (await call("GET", name))[0] == 403
        assert (await call("POST", name))[0] == 403
    for query, answer in (
        ("/userdata", (400, "Directory not provided")),
        ("/userdata?dir=..", (403, "Invalid directory")),
        ("/userdata?dir=nope", (404, "Directory not found")),
        ("/v2/userdata?path=nope", (404, "Requested path not found")),
        ("/v2/userdata?path=workflows/%C3%A4%20b.json", (400, "Requested path is not a directory")),
    ):
        async with rig.client.get(query) as response:
            assert (response.status, await response.text()) == answer


async def test_what_front_ends_ask_for_at_their_start(rig: Rig) -> None:
    assert await rig.get("/extensions") == []
    for path in ("/i18n", "/workflow_templates", "/global_subgraphs"):
        assert await rig.get(path) == await rig.get(f"/api{path}") == {}
    assert await rig.get("/object_info/KSampler") == {"KSampler": {"name": "KSampler"}}
    assert await rig.get("/object_info/Nope") == {}
    assert await rig.get("/internal/files/output") == []
    async with rig.client.get("/internal/files/x") as response:
        assert (response.status, await response.json()) == (400, {"error": "Invalid directory type"})
    stats = await rig.get("/system_stats")
    assert stats["system"]["comfyui_version"] == "0.8.0"
    assert stats["devices"][0]["type"] == "cpu"
    async with rig.client.get("/") as response:
        assert response.content_type == "text/html"
        assert "comfytui" in await response.text()


async def test_a_damaged_settings_file_is_named_and_kept(rig: Rig) -> None:
    path = rig.shared.folders.user / "default/comfy.settings.json"
    path.parent.mkdir()
    path.write_text("{broken")
    async with rig.client.get("/settings") as response:
        assert response.status == 503
        assert "comfy.settings.json is not JSON" in (await response.json())["error"]["details"]
    async with rig.client.post("/settings", json={"a": 1}) as response:
        assert response.status == 503
    assert path.read_text() == "{broken"


def _raw(url: str) -> Any:
    from yarl import URL

    return URL(url, encoded=True)
