"""What people type as a server's address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.client.errors import BadTarget
from comfytui.client.target import Target


@pytest.mark.parametrize(
    ("typed", "url", "socket"),
    [
        ("gpu-box", "http://gpu-box:8188", "ws://gpu-box:8188/ws"),
        ("10.0.0.2:9000", "http://10.0.0.2:9000", "ws://10.0.0.2:9000/ws"),
        ("::1", "http://[::1]:8188", "ws://[::1]:8188/ws"),
        ("[::1]:80", "http://[::1]:80", "ws://[::1]:80/ws"),
        ("https://example.org/comfy/", "https://example.org/comfy", "wss://example.org/comfy/ws"),
        ("http://h:1/ws", "http://h:1", "ws://h:1/ws"),
        ("wss://h/x", "https://h/x", "wss://h/x/ws"),
        (" http://h/?token=1#frag ", "http://h", "ws://h/ws"),
    ],
)
def test_addresses(typed: str, url: str, socket: str) -> None:
    target = Target.parse(typed)
    assert (target.url, target.socket_url) == (url, socket)


@pytest.mark.parametrize("typed", ["", "ftp://x", "http://", "a b", "http://h:99999", "http://[zz]", "h\x1b[31m"])
def test_unusable_addresses_say_what_to_write(typed: str) -> None:
    with pytest.raises(BadTarget) as caught:
        Target.parse(typed)
    assert "\x1b" not in str(caught.value)
    assert "Write" in str(caught.value) or "Use" in str(caught.value)


def test_credentials_are_sent_but_never_shown() -> None:
    target = Target.parse("https://anna:s%40cret@h/x")
    assert target.request_headers() == {"Authorization": "Basic YW5uYTpzQGNyZXQ="}
    assert "cret" not in target.url + target.label + repr(target)
    with pytest.raises(BadTarget) as caught:
        Target.parse("http://anna:secret@h:99999")
    assert "secret" not in str(caught.value)


def test_a_token_is_a_bearer_token_and_headers_go_along() -> None:
    target = Target.parse("h", headers={"X-Team": "art"}, token="t0k")
    assert target.request_headers() == {"X-Team": "art", "Authorization": "Bearer t0k"}


@given(st.text(max_size=60))
def test_whatever_is_typed_gives_a_target_or_the_one_error(text: str) -> None:
    try:
        target = Target.parse(text)
    except BadTarget:
        return
    assert target.url.startswith(("http://", "https://"))
    assert Target.parse(target.url).url == target.url


@pytest.mark.parametrize(
    ("typed", "local"),
    [
        ("localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("a.localhost", True),
        ("gpu", False),
        ("10.0.0.1", False),
    ],
)
def test_no_proxy_leads_to_this_machine(typed: str, local: bool) -> None:
    assert Target.parse(typed).is_loopback is local
