"""What a browser gets at `/`: the files of a web front end, or the page of our own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.options import parse
from engine.server import caching, frontend
from tests.engine.server.conftest import Rig, make_rig


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A web front end as it is built, in little."""
    root = tmp_path / "front"
    files = {
        "index.html": "<!doctype html><title>front</title>",
        "assets/index-1a2b.js": "export {}",
        "assets/style.css": "a {}",
        "assets/logo.svg": "<svg/>",
        "assets/picture.png": "png",
        "fonts/inter.woff2": "font",
        "extensions/core/one.js": "",
        "extensions/core/deep/two.js": "",
        "extensions/core/notes.txt": "",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (root / "assets/way-out").symlink_to(tmp_path / "secret.txt")
    return root


@pytest.fixture
async def served(tmp_path: Path, built: Path) -> AsyncIterator[Rig]:
    made = await make_rig(tmp_path / "base", "--front-end-root", str(built))
    yield made
    await made.client.close()
    await made.shared.store.close()


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Without a web front end, whatever is installed."""
    monkeypatch.setattr(frontend, "find", lambda _options: None)
    made = await make_rig(tmp_path)
    yield made
    await made.client.close()
    await made.shared.store.close()


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html", "no-cache"),
        ("/index.html", "text/html", None),
        ("/assets/index-1a2b.js", "text/javascript", "no-cache"),
        ("/assets/style.css", "text/css", "no-cache"),
        ("/assets/logo.svg", "image/svg+xml", None),
        ("/assets/picture.png", "image/png", "public, max-age=86400"),
        ("/fonts/inter.woff2", "font/woff2", None),
        ("/templates/index.json", "application/json", "no-cache"),
        ("/templates/index.de.json", "application/json", "no-cache"),
    ],
)
async def test_files_have_their_types_and_times(served: Rig, path: str, kind: str, cache: str | None) -> None:
    async with served.client.get(path) as response:
        assert (response.status, response.content_type) == (200, kind)
        assert response.headers.get("Cache-Control") == cache
        # A wrong type would be refused by the browser, which is told not to guess.
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with served.client.head(path) as response:
        assert response.status == 200


async def test_a_file_that_has_not_changed_is_not_sent_again(served: Rig) -> None:
    async with served.client.get("/assets/index-1a2b.js") as response:
        tag = response.headers["ETag"]
    async with served.client.get("/assets/index-1a2b.js", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/assets/way-out",
        "/assets",
        "/assets/",
        "/nothing.html",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/..%2f..%2f..%2fsecret.txt",
        "/assets%5c..%5c..%5csecret.txt",
        "/%2fetc/passwd",
        "/C:%5csecret.txt",
        "/assets/%00",
        "/api/nothing",
        "/templates/other.json",
        "/" + "a" * 2000,
    ],
)
async def test_what_is_not_a_file_of_it_is_404_and_not_a_page(served: Rig, path: str) -> None:
    # As it stands: the client must not tidy the path.
    from yarl import URL

    async with served.client.get(URL(path, encoded=True)) as response:
        assert response.status == 404
        assert await response.read() == b""
        assert response.content_type != "text/html"


async def test_other_methods_are_refused_as_by_a_server_of_files(served: Rig) -> None:
    async with served.client.post("/index.html") as response:
        assert (response.status, await response.text()) == (405, "405: Method Not Allowed")


async def test_a_picture_that_is_not_there_is_remembered_for_an_hour(served: Rig) -> None:
    async with served.client.get("/assets/none.png") as response:
        assert (response.status, response.headers["Cache-Control"]) == (404, "public, max-age=3600")


async def test_its_scripts_are_listed(served: Rig) -> None:
    assert await served.get("/extensions") == ["/extensions/core/deep/two.js", "/extensions/core/one.js"]


async def test_the_api_is_before_the_files(served: Rig, built: Path) -> None:
    (built / "queue").write_text("a file", encoding="utf-8")
    assert (await served.get("/queue")).keys() == {"queue_running", "queue_pending"}


async def test_our_page_says_what_runs_here(bare: Rig) -> None:
    async with bare.client.get("/") as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Cache-Control"] == "no-cache"
    host = f"{bare.client.host}:{bare.client.port}"
    for said in (
        "comfytui engine 0.",
        f"comfytui --server http://{host}",
        "comfytui[web]",
        "--front-end-root",
        "ready",
    ):
        assert said in text
    assert 'href="openapi.json"' in text
    assert len(text.encode()) < 5000
    assert "<script" not in text.lower()
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text)  # nothing from elsewhere
    assert await bare.get("/extensions") == []
    async with bare.client.get("/templates/index.json") as response:
        assert response.status == 404


async def test_our_page_takes_no_markup_from_a_request(bare: Rig) -> None:
    async with bare.client.get("/", headers={"Host": '127.0.0.1"><b>x</b>'}) as response:
        assert "<b>" not in await response.text()


def test_a_folder_without_a_page_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--front-end-root", str(tmp_path)])
    assert ended.value.code == 2
    assert "index.html" in capsys.readouterr().err


def test_the_folder_that_is_given_wins(built: Path) -> None:
    assert frontend.find(parse(["--front-end-root", str(built)])) == built.resolve()


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/a/b.JS", 200, "no-cache"),
        ("/index.json", 200, "no-cache"),
        ("/index.de.json", 404, "no-cache"),
        ("/data.json", 200, None),
        ("/view", 200, None),  # its name is in the query
        ("/a.webp", 206, "public, max-age=86400"),
        ("/a.webp", 308, "public, max-age=86400"),
        ("/a.webp", 303, "no-cache"),
        ("/a.webp", 403, None),
    ],
)
def test_how_long_an_answer_is_kept(path: str, status: int, told: str | None) -> None:
    assert caching.for_path(path, status) == told
