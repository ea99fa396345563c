from pathlib import Path

import pytest

from tests.engine.server.conftest import Rig, make_rig


def headers(rig: Rig, origin: str, host: str | None = None) -> dict[str, str]:
    return {"Origin": origin} | ({} if host is None else {"Host": host})


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", None, 403),
        ("http://evil.example", "localhost:8188", 403),
        ("http://localhost:8188", "localhost:8188", 200),
        ("http://localhost", "localhost:8188", 200),
        ("http://LOCALHOST:8188", "localhost:8188", 200),
        ("http://localhost:9999", "localhost:8188", 403),
        ("http://localhost:8188", "127.0.0.1:8188", 403),
        ("http://[::1]:8188", "[::1]:8188", 200),
        ("http://evil.example", "[::1]:8188", 403),
        ("http://evil.example", "192.0.2.7:8188", 200),
        ("http://[", "localhost:8188", 403),
    ],
)
async def test_pages_from_elsewhere_cannot_reach_this_machine(
    rig: Rig, origin: str, host: str | None, status: int
) -> None:
    for method, path in (("GET", "/queue"), ("POST", "/interrupt")):
        async with rig.client.request(method, path, headers=headers(rig, origin, host)) as response:
            assert response.status == status
            if status == 403:
                assert await response.read() == b""


async def test_programs_without_an_origin_are_served(rig: Rig) -> None:
    assert await rig.get("/queue") == {"queue_running": [], "queue_pending": []}


async def test_cross_site_calls_are_allowed_when_asked_for(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path, "--enable-cors-header", "http://page.example")
    async with rig.client.get("/queue", headers={"Origin": "http://evil.example"}) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "http://page.example"
    async with rig.client.options("/prompt") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
    await rig.client.close()
    await rig.shared.store.close()


async def test_unknown_paths_and_methods(rig: Rig) -> None:
    for path in ("/nosuch", "/api/nosuch", "/interrupt"):
        async with rig.client.get(path) as response:
            assert (response.status, await response.read()) == (404, b"")
            assert response.content_type == "application/octet-stream"
    for method, path in (("POST", "/nosuch"), ("DELETE", "/prompt"), ("PUT", "/queue")):
        async with rig.client.request(method, path) as response:
            assert (response.status, await response.text()) == (405, "405: Method Not Allowed")
    async with rig.client.options("/queue") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_bodies_over_the_limit_are_refused(tmp_path: Path) -> None:
    rig = await make_rig(tmp_path, "--max-upload-size", "0.01")
    async with rig.client.post("/prompt", data=b" " * 20_000) as response:
        assert response.status == 413
    await rig.client.close()
    await rig.shared.store.close()
