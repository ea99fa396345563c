"""A model is whole or not there; what broke off goes on; what is no model is thrown away."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path

import pytest

from comfytui.fetching import download
from comfytui.fetching.download import Progress, fetch, size_of
from comfytui.fetching.errors import FetchError
from tests.fetching.mirror import Mirror, mirror

BODY = os.urandom(3 * (1 << 20) + 17)
HASH = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def served() -> Iterator[Mirror]:
    with mirror(BODY) as found:
        yield found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "checkpoints" / "sdxl" / "base.safetensors"


def left(target: Path) -> list[str]:
    return sorted(each.name for each in target.parent.iterdir())


async def test_a_file_arrives_whole_and_says_how_far_it_is(served: Mirror, target: Path) -> None:
    told: list[Progress] = []
    assert await size_of(f"{served.url}/a") == len(BODY)
    await fetch(f"{served.url}/a", target, sha256=HASH.upper(), progress=told.append)
    assert target.read_bytes() == BODY
    assert left(target) == ["base.safetensors"]
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[-1].done, told[-1].total) == (len(BODY), len(BODY))


async def test_a_connection_that_breaks_is_gone_on_with(served: Mirror, target: Path) -> None:
    served.cut = [1_500_000, 10, 0]
    await fetch(f"{served.url}/a", target, sha256=HASH)
    assert target.read_bytes() == BODY
    asked = [each.get("range") for each in served.seen]
    assert asked == [None, "bytes=1500000-", "bytes=1500010-", "bytes=1500010-"]


async def test_another_run_goes_on_where_the_first_was_stopped(served: Mirror, target: Path) -> None:
    def stop(progress: Progress) -> None:
        task.cancel()

    task = asyncio.ensure_future(fetch(f"{served.url}/a", target, sha256=HASH, progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(target) == ["base.safetensors.part", "base.safetensors.part.json"]
    have = target.with_name("base.safetensors.part").stat().st_size
    assert 0 < have < len(BODY)
    await fetch(f"{served.url}/a", target, sha256=HASH)
    assert target.read_bytes() == BODY
    assert served.seen[-1]["range"] == f"bytes={have}-"


async def test_another_version_on_the_server_is_fetched_from_its_beginning(
    served: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    served.cut = [2_000_000, 0, 0]
    with pytest.raises(FetchError, match="does not go on"):
        await fetch(f"{served.url}/a", target)
    served.cut.clear()
    served.body, served.etag = b"another one " * 1000, '"two"'
    await fetch(f"{served.url}/a", target)
    assert target.read_bytes() == served.body


async def test_a_server_without_ranges_sends_it_again(served: Mirror, target: Path) -> None:
    served.ranges = False
    served.cut = [1_000_000]
    await fetch(f"{served.url}/a", target, sha256=HASH)
    assert target.read_bytes() == BODY


async def test_a_part_that_was_whole_already_is_not_fetched_again(served: Mirror, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.with_name("base.safetensors.part").write_bytes(BODY)
    note = target.with_name("base.safetensors.part.json")
    note.write_text(json.dumps({"url": f"{served.url}/a", "tag": served.etag}))
    await fetch(f"{served.url}/a", target, sha256=HASH)
    assert target.read_bytes() == BODY
    assert left(target) == ["base.safetensors"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"something else", "its SHA-256 is"),
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html>", "it is a page"),
    ],
)
async def test_what_is_no_model_is_thrown_away(target: Path, body: bytes, why: str) -> None:
    with mirror(body) as served, pytest.raises(FetchError, match=why):
        await fetch(f"{served.url}/a", target, sha256=HASH)
    assert left(target) == []


@pytest.mark.parametrize(
    ("status", "why"), [(403, "refuses the file"), (404, "does not have the file"), (418, "answers 418")]
)
async def test_refusals_are_said(served: Mirror, target: Path, status: int, why: str) -> None:
    served.status = status
    with pytest.raises(FetchError, match=why):
        await fetch(f"{served.url}/a", target)
    assert not target.exists()


async def test_a_page_is_not_a_file(served: Mirror, target: Path) -> None:
    served.kind = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="a page"):
        await fetch(f"{served.url}/a", target)


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"])
async def test_only_safe_addresses_are_asked(target: Path, url: str) -> None:
    with pytest.raises(FetchError, match="https is needed"):
        await fetch(url, target)


async def test_a_redirect_is_followed_within_reason(served: Mirror, target: Path) -> None:
    served.location = f"{served.url}/a"
    await fetch(f"{served.url}/start", target, sha256=HASH)
    assert target.read_bytes() == BODY
    for bad, why in (
        (f"{served.url}/start", "more than 8"),
        ("http://example.org/a", "not safe"),
        ("file:///x", "not safe"),
    ):
        served.location = bad
        with pytest.raises(FetchError, match=why):
            await fetch(f"{served.url}/start", target.with_name("other.safetensors"))


async def test_nothing_is_written_over(served: Mirror, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(FetchError, match="is there already"):
        await fetch(f"{served.url}/a", target)
    assert target.read_bytes() == b"mine"
    assert served.seen == []


async def test_two_at_once_are_refused(served: Mirror, target: Path) -> None:
    target.parent.mkdir(parents=True)
    with target.with_name("base.safetensors.part").open("wb") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(FetchError, match="being fetched already"):
            await fetch(f"{served.url}/a", target)


async def test_a_file_that_another_program_finishes_meanwhile_is_left_alone(
    served: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.parent.mkdir(parents=True)
    part = target.with_name("base.safetensors.part")
    part.write_bytes(b"theirs, whole")
    lock = download._lock

    def late(file: BufferedRandom, path: Path) -> None:
        os.link(part, path)
        part.unlink()
        lock(file, path)

    monkeypatch.setattr(download, "_lock", late)
    with pytest.raises(FetchError, match="by another program"):
        await fetch(f"{served.url}/a", target)
    assert target.read_bytes() == b"theirs, whole"


async def test_a_host_that_only_answers_get_does_not_tell_the_size(served: Mirror) -> None:
    served.status = 403
    assert await size_of(f"{served.url}/a") is None


async def test_a_file_larger_than_the_disk_is_refused_before_it_comes(
    served: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE", 1 << 60)
    with pytest.raises(FetchError, match="has no room"):
        await fetch(f"{served.url}/a", target)


async def test_a_server_that_is_not_there(target: Path) -> None:
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        await size_of("http://127.0.0.1:9/a")


async def test_a_token_goes_only_to_the_host_it_is_for(
    served: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    await fetch(f"{served.url}/a", target)
    assert "authorization" not in served.seen[0]
    monkeypatch.setitem(download.TOKENS, "127.0.0.1", "HF_TOKEN")
    await fetch(f"{served.url}/a", target.with_name("b.safetensors"))
    assert served.seen[-1]["authorization"] == "Bearer hf_secret"
