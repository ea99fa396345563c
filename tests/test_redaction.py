"""No secret is ever in what can be seen: representations, errors, logs, recordings, crash reports."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from comfytui.client.errors import BadTarget, ClientError
from comfytui.client.http import Http
from comfytui.client.recording import Recorder
from comfytui.client.target import SHORTEST, Certificate, Target, bare
from comfytui.opening import target_of
from comfytui.settings import credentials
from comfytui.settings.schema import validate
from comfytui.settings.servers import chosen, written_secrets
from comfytui.tui.terminal import crash

# Long and odd enough that it does not stand in our own sentences by chance.
ODD = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=24).map(
    lambda t: f"Zq9{t}7xK"
)
WAYS = ("token", "password", "header", "query", "address", "address query")


def profile_with(way: str, secret: str) -> dict[str, Any]:
    match way:
        case "token":
            return {"url": "h:1", "token": secret}
        case "password":
            return {"url": "h:1", "user": "anna", "password": secret}
        case "header":
            return {"url": "h:1", "headers": {"X-Key": secret}}
        case "query":
            return {"url": "h:1", "query": {"key": secret}}
        case "address":
            return {"url": f"http://anna:{quote(secret, safe='')}@h:1/x"}
    return {"url": f"http://h:1/x?key={quote_plus(secret)}"}


def forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


@contextmanager
def logged() -> Iterator[Callable[[], str]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream.getvalue
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMFYTUI_SERVER", "COMFYTUI_TOKEN", "COMFYTUI_ENGINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_the_shortest_secret_that_is_looked_for() -> None:
    assert SHORTEST == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(WAYS), ODD, st.sampled_from(["echo", "location", "refused", "broken", "html"]))
@example("query", "Zq9a&b=c+d e%7xK".replace(" ", "_"), "location")
@example("header", 'Zq9"quoted\\7xK', "echo")
async def test_nothing_that_can_be_seen_holds_the_secret(
    tmp_path_factory: pytest.TempPathFactory, way: str, secret: str, answer: str
) -> None:
    folder = tmp_path_factory.mktemp("redaction")

    def talkative(request: httpx.Request) -> httpx.Response:
        everything = f"{request.url} {dict(request.headers)} {secret}"
        match answer:
            case "echo":
                return httpx.Response(401, json={"error": {"message": everything, "details": secret}})
            case "location":
                return httpx.Response(302, headers={"location": str(request.url)})
            case "refused":
                raise httpx.ConnectError(f"cannot reach {request.url} as {secret}", request=request)
            case "broken":
                return httpx.Response(500, text=everything)
        return httpx.Response(200, text=f"<html>{everything}", headers={"content-type": "text/html"})

    profile = validate({"servers": {"box": profile_with(way, secret)}})
    recorder = Recorder(folder / "taken")
    with logged() as log:
        target = target_of(chosen(profile, "box"), "servers.box")
        recorder.hide(target.secrets())
        client = Http(target, recorder=recorder, transport=httpx.MockTransport(talkative))
        with pytest.raises(ClientError) as caught:
            await client.queue()
        await client.aclose()
    recorder.close()
    trace = crash.report(caught.value, crash.secrets(profile))
    seen = [repr(target), str(target), pretty_repr(target), target.label, target.url, target.place, target.socket_url]
    seen += [repr(profile), pretty_repr(profile), pretty_repr(profile.servers), bare(profile.servers["box"].url)]
    seen += [str(caught.value), repr(caught.value), caught.value.where, log(), trace]
    seen += [(folder / "taken").read_text()]
    for text in seen:
        for form in forms(secret):
            assert form not in text


@given(
    ODD, st.sampled_from(["http://anna:{}@h:99999", "http://h:99999/?token={}", "http://anna:{}/x@[", "ftp://a:{}@h"])
)
@example("Zq9://@h7xK", "http://anna:{}@h:99999")
def test_an_address_that_cannot_be_used_is_told_without_its_password(secret: str, address: str) -> None:
    typed = address.format(quote(secret, safe="/@:?#"))
    try:
        target = Target.parse(typed)
    except BadTarget as error:
        shown = "".join(traceback.format_exception(error))
        assert "Zq9" not in shown.split("BadTarget:")[-1]
        return
    assert "Zq9" not in repr(target) or "Zq9" in target.url  # a slash in a password ends it: then it is a path


@given(st.text(max_size=60))
def test_what_is_shown_of_an_address_is_part_of_it(text: str) -> None:
    shown = bare(text)
    assert "?" not in shown
    assert "@" not in shown.replace("…@", "")


def test_a_certificate_does_not_show_its_password() -> None:
    certificate = Certificate("cert.pem", "key.pem", "hunter2-secret")
    assert "hunter2" not in repr(certificate) + pretty_repr(certificate)
    target = Target.parse("https://h", certificate=certificate)
    assert "hunter2-secret" in target.secrets()


def test_a_crash_report_knows_what_was_resolved_and_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_TOKEN", "resolved-token-of-box")
    monkeypatch.setenv("COMFYTUI_TOKEN", "token-in-the-variable")
    raw = {
        "server": "http://anna:written%20password@h",
        "engine": {"arguments": ["--token", "token-of-the-engine"]},
        "servers": {
            "box": {"url": "h", "token": "$BOX_TOKEN"},
            "told": {"url": "h", "headers": {"X-Key": "!echo told-by-a-command"}},
            "plain": {"url": "h?sig=in-the-address", "query": {"k": "query-as-written"}},
        },
    }
    found = validate(raw)
    chosen(found, "box")
    chosen(found, "told")
    assert "told-by-a-command" in credentials.known()
    shown = repr(found) + pretty_repr(found) + repr(found.engine) + pretty_repr(found.engine)
    assert "token-of" not in shown
    assert "written" not in shown
    error = RuntimeError(
        "resolved-token-of-box token-in-the-variable written%20password written password token-of-the-engine "
        "told-by-a-command in-the-address query-as-written"
    )
    report = crash.report(error, crash.secrets(found))
    for part in ("resolved", "variable", "written", "engine", "told-by", "in-the-address"):
        assert part not in report.split("RuntimeError:")[-1], part
    assert all(written_secrets(found))
