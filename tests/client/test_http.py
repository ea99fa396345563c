"""Requests against a server that answers well, badly, or not at all."""

from __future__ import annotations

import gzip

import httpx
import pytest
from aiohttp import web

from comfytui.client import transport
from comfytui.client.errors import (
    BadAnswer,
    BadTarget,
    ClientError,
    Denied,
    Missing,
    NotComfyUI,
    Refused,
    ServerFailed,
    TooLarge,
    Unreachable,
)
from comfytui.client.http import Http
from comfytui.client.messages import RawName
from comfytui.client.target import Target
from tests.support.replay import HOSTILE, FakeComfy, html, status, text, txt2img


async def test_the_routes_behind_a_prefix_with_a_token() -> None:
    async with FakeComfy(prefix="/comfy", token="t0k") as server:
        async with Http(Target.parse(server.url, token="t0k", headers={"X-Team": "art"})) as http:
            assert await http.queue_remaining() == 0
            assert (await http.system_stats()).version == "0.8.0"
            assert await http.models("checkpoints") == ("demo.safetensors",)
            assert "KSampler" in await http.object_info()
            assert (await http.logs()).pieces[0].text == "Starting server\n"
            await http.set_setting("Comfy.X/y", [1])
            assert await http.settings() == {"Comfy.X/y": [1]}
            assert await http.upload_image(b"x", "a.png") == "a.png"
            assert await http.upload_image(b"y", "a.png") == "a (1).png"
        assert server.requests[0].headers["X-Team"] == "art"
        async with Http(Target.parse(server.url)) as http:
            with pytest.raises(Denied, match="token"):
                await http.queue_remaining()


@pytest.mark.parametrize(
    ("response", "error", "says"),
    [
        (html(), NotComfyUI, "web page"),
        (html(404), NotComfyUI, "web page"),
        (text("[]"), NotComfyUI, "nothing about a queue"),
        (text("{bad"), BadAnswer, "not JSON"),
        (status(401), Denied, "credentials"),
        (status(403), Denied, "does not let us in"),
        (status(404), Missing, "path right"),
        (text("boom \x1b[31m", 500), ServerFailed, "boom"),
        (html(502), Unreachable, "gateway"),
        (web.Response(status=302, headers={"Location": "https://login.example/"}), NotComfyUI, "login.example"),
    ],
)
async def test_each_bad_answer_says_what_where_and_what_to_do(
    response: web.Response, error: type[ClientError], says: str
) -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        server.answer("GET", "/prompt", response)
        with pytest.raises(error) as caught:
            await http.queue_remaining()
        message = str(caught.value)
        assert says in message
        assert f"127.0.0.1:{server.port}" in message
        assert message.endswith((".", "?"))
        assert "\x1b" not in message


async def test_nobody_listens() -> None:
    async with FakeComfy() as server:
        url = server.url
    async with Http(Target.parse(url)) as http:
        with pytest.raises(Unreachable, match="refuses connections"):
            await http.queue_remaining()
    with pytest.raises(Unreachable, match="closed"):
        await http.queue_remaining()


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (httpx.ConnectTimeout("x"), "did not answer"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "CA bundle"),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "http://"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "no such host"),
        (httpx.ReadError(""), "cannot be reached"),
    ],
)
async def test_the_network_s_failures(cause: Exception, says: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise cause

    async with Http(Target.parse("box"), transport=httpx.MockTransport(fail)) as http:
        with pytest.raises(Unreachable, match=says):
            await http.queue_remaining()


async def test_an_answer_is_bounded_after_decompression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_JSON", 1 << 20)
    bomb = gzip.compress(b" " * (8 << 20))
    answer = httpx.MockTransport(lambda _: httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"}))
    async with Http(Target.parse("box"), transport=answer) as http:
        with pytest.raises(TooLarge, match="1 MiB"):
            await http.queue_remaining()


async def test_a_refused_prompt_and_a_dropped_output() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        with pytest.raises(Refused) as caught:
            await http.submit({"prompt": txt2img(steps=0)})
        assert caught.value.node_errors["3"].class_type == "KSampler"
        with pytest.raises(Refused, match="does not exist"):
            await http.submit({"prompt": {"1": {"class_type": "Nope", "inputs": {}}}})


async def test_history_of_an_unknown_id_is_missing_although_the_server_says_200() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        with pytest.raises(Missing):
            await http.history_entry("../../prompt?x=\x1b")
        assert server.requests[-1].path.startswith("/history/")


async def test_a_file_is_fetched_by_its_true_name() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        server.files["output", "a/b", HOSTILE] = b"bytes"
        assert await http.view(RawName(HOSTILE, "a/b", "output")) == b"bytes"
        with pytest.raises(Missing, match="no longer on the server") as caught:
            await http.view(RawName(HOSTILE + "2", "", "temp"))
        assert "\x1b" not in str(caught.value)


async def test_the_size_of_a_file_is_told_without_fetching_it() -> None:
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        server.files["output", "", "a.mp4"] = b"x" * 1234
        assert await http.view_size(RawName("a.mp4", "", "output")) == 1234
        assert server.requests[-1].method == "HEAD"
        with pytest.raises(Missing, match="no longer on the server"):
            await http.view_size(RawName("b.mp4", "", "output"))


@pytest.mark.parametrize(
    ("refusal", "partial", "size"),
    [
        (httpx.Response(405, html="<html>no HEAD</html>"), {"content-range": "bytes 0-0/98765"}, 98765),
        (httpx.Response(501), {"content-range": "bytes 0-0/98765"}, 98765),
        (httpx.Response(403), {"content-range": "bytes 0-0/98765"}, 98765),
        (httpx.Response(200), {"content-range": "bytes 0-0/7"}, 7),  # no length: streamed by a proxy
        (httpx.Response(405), {"content-range": "bytes 0-0/*"}, None),
        (httpx.Response(405), {"content-range": "bytes */0"}, 0),  # nothing to give the first byte of
        (httpx.Response(405), {}, 5),  # the range is not heeded
    ],
)
async def test_where_head_is_refused_the_first_byte_tells_the_size(
    refusal: httpx.Response, partial: dict[str, str], size: int | None
) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.headers.get("range")))
        if request.method == "HEAD":
            return refusal
        if not partial:
            return httpx.Response(200, content=b"12345")
        status = 416 if "*/" in partial["content-range"] else 206
        return httpx.Response(status, headers=partial, content=b"1" if status == 206 else b"")

    async with Http(Target.parse("http://box:8188"), transport=httpx.MockTransport(answer)) as http:
        assert await http.view_size(RawName("a.mp4", "", "output")) == size
    assert asked == [("HEAD", None), ("GET", "bytes=0-0")]


async def test_what_cannot_be_sent_is_a_bad_target() -> None:
    with pytest.raises(BadTarget):
        Http(Target.parse("https://box", verify="/no/such/bundle.pem"))


async def test_nan_and_lone_surrogates_go_back_as_they_came() -> None:
    graph = txt2img(text="lone \ud800")
    async with FakeComfy() as server, Http(Target.parse(server.url)) as http:
        await http.submit({"prompt": graph})
        assert server.asked("POST", "/prompt")[0].body["prompt"] == graph


async def test_what_may_take_long_is_given_longer() -> None:
    waits: dict[str, float] = {}

    def note(request: httpx.Request) -> httpx.Response:
        waits[f"{request.method} {request.url.path}"] = request.extensions["timeout"]["read"]
        return httpx.Response(200, json={"exec_info": {}, "prompt_id": "p"})

    async with Http(Target.parse("box", timeout=7.0), transport=httpx.MockTransport(note)) as http:
        await http.queue_remaining()
        await http.submit({})
        await http.object_info()
    assert waits["GET /prompt"] == 7.0
    assert waits["POST /prompt"] == waits["GET /object_info"] == transport.PATIENCE
