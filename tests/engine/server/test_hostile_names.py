"""Every route that takes a name, on the real engine, with names that want out. Nothing gets out, in, or answers 500."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from engine.files.folders import split_annotation
from tests.engine.server.hostile import NAMES, RAW
from tests.support.engine import RunningEngine, start_engine

SECRET = b"only for its owner 5a1c9e"
_IMAGE = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}

# `{}` is the name, percent-encoded once (NAMES) or as it stands (RAW).
READS = (
    "/view?filename={}",
    "/view?filename={}&type=input&preview=webp",
    "/view?filename=a.png&subfolder={}",
    "/view?filename=secret.txt&type=temp&subfolder={}",
    "/view_metadata/checkpoints?filename={}",
    "/experiment/models/preview/checkpoints/0/{}",
    "/userdata/{}",
    "/userdata?dir={}",
    "/v2/userdata?path={}",
    "/workflow_templates/{}/a.json",
    "/workflow_templates/a/{}",
    "/extensions/{}",
    "/{}",
)
LOOKUPS = (
    "/view?filename=a.png&type={}",
    "/view?filename=a.png&channel={}&preview={}",
    "/view_metadata/{}?filename=a.safetensors",
    "/models/{}",
    "/experiment/models/{}",
    "/experiment/models/preview/checkpoints/{}/a.safetensors",
    "/experiment/models/preview/{}/0/a.safetensors",
    "/settings/{}",
    "/internal/files/{}",
    "/object_info/{}",
    "/history/{}",
    "/jobs/{}",
    "/global_subgraphs/{}",
    "/templates/{}",
)
CHANGES = (
    ("POST", "/userdata/{}"),
    ("POST", "/userdata/own.txt/move/{}?overwrite=false"),
    ("POST", "/userdata/{}/move/moved.txt"),
    ("DELETE", "/userdata/{}"),
    ("POST", "/settings/{}"),
    ("DELETE", "/queue/{}"),
    ("DELETE", "/history/{}"),
)


Request = tuple[str, str, bytes | None, str]


@dataclass
class Place:
    """An engine whose folders have links out of them, and what lies outside."""

    engine: RunningEngine
    base: Path
    threads: ThreadPoolExecutor
    own: threading.local

    def send(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        """The path goes as it is: a client's library would put it in order."""
        wire = getattr(self.own, "wire", None)
        if wire is None:
            wire = self.own.wire = http.client.HTTPConnection(self.engine.url.removeprefix("http://"), timeout=120)
        wire.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        answer = wire.getresponse()
        return answer.status, answer.read()

    def send_all(self, requests: list[Request]) -> list[tuple[Request, int, bytes]]:
        """Several at a time: the engine then works while the test reads."""
        answers = self.threads.map(lambda one: self.send(*one), requests)
        return [(request, *answer) for request, answer in zip(requests, answers, strict=True)]

    def outside(self) -> dict[str, str]:
        """What may not change: everything but the four folders that clients write to."""
        own = [self.base / name for name in ("output", "input", "temp", "user/default", "user/comfytui", "engine.log")]
        found = {}
        for folder, _, names in os.walk(self.base.parent):
            for name in names:
                path = Path(folder) / name
                if path.is_file() and not path.is_symlink() and not any(path.is_relative_to(one) for one in own):
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("hostile")
    base, away = top / "base", top / "away"
    away.mkdir()
    roots = [base / name for name in ("output", "input", "temp", "user/default", "models/checkpoints")]
    for folder in (top, base, base / "models", base / "user", away, top / "etc"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "secret.txt").write_bytes(SECRET)
        (folder / "secret.png").write_bytes(SECRET)
    header = json.dumps({"__metadata__": {"s": SECRET.decode()}}).encode()
    (base / "models/secret.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    engine = start_engine(base)  # first: it empties its temp folder
    for root in roots:
        root.mkdir(parents=True, exist_ok=True)
        (root / "linked").symlink_to(away)
        (root / "chain").symlink_to(root / "linked")
        (root / "link.txt").symlink_to(away / "secret.txt")
        (root / "link.png").symlink_to(away / "secret.png")
        (root / "loop").symlink_to(root / "loop")
        (root / "dangling").symlink_to(top / "nothing-here")
        os.mkfifo(root / "pipe")
    with ThreadPoolExecutor(8) as threads:
        yield Place(engine, base, threads, threading.local())
    engine.stop()


def encoded(name: str) -> str:
    return quote(name.encode("utf-8", "surrogatepass"), safe="")


def spellings() -> list[str]:
    return [*map(encoded, NAMES), *RAW]


def test_there_are_enough() -> None:
    assert len(NAMES) + len(RAW) > 300


def bad(answers: list[tuple[Request, int, bytes]]) -> list[object]:
    """Those that tell a secret, or blame themselves."""
    told = (SECRET, b"root:x:0", b"HOME=")
    return [
        (status, *request, body[:200])
        for request, status, body in answers
        if status >= 500 or any(one in body for one in told)
    ]


def requests(method: str, route: str, names: list[str], body: bytes | None = None) -> list[Request]:
    paths = [route.replace("{}", name) for name in names]
    return [
        (method, path, body, "application/json") for path in paths if len(path) < 7000
    ]  # longer ones never reach us


def test_nothing_outside_is_read(place: Place) -> None:
    names = spellings()
    asked = [one for route in READS for one in requests("GET", route, names)]
    # No files behind these: a look at some is enough.
    asked += [one for route in LOOKUPS for one in requests("GET", route, names[::5])]
    assert not (wrong := bad(place.send_all(asked))), wrong[:20]


def test_nothing_outside_is_written_moved_or_deleted(place: Place) -> None:
    before = place.outside()
    wrong = []
    for method, route in CHANGES:
        place.send("POST", "/userdata/own.txt", b"own")
        wrong += bad(place.send_all(requests(method, route, spellings(), b'"x"' if method == "POST" else None)))
    assert not wrong, wrong[:20]
    assert place.outside() == before


def form(filename: bytes, **fields: bytes) -> tuple[bytes, str]:
    """A multipart body as a program without manners makes it."""
    quoted = filename.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
    parts = [b'Content-Disposition: form-data; name="image"; filename="%s"\r\n\r\nnew' % quoted]
    parts += [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), text) for name, text in fields.items()
    ]
    body = b"".join(b"--edge\r\n%s\r\n" % part for part in parts) + b"--edge--\r\n"
    return body, "multipart/form-data; boundary=edge"


def test_uploads_stay_in_their_folder(place: Place) -> None:
    before = place.outside()
    asked: list[Request] = []
    for name in [*NAMES, *RAW]:
        text = name.encode("utf-8", "surrogatepass")
        reference = json.dumps({"filename": name, "type": "output"}).encode()
        folder = json.dumps({"filename": "secret.png", "type": "output", "subfolder": name}).encode()
        asked += [
            ("POST", "/upload/image", *form(text)),
            ("POST", "/upload/image", *form(b"a.png", subfolder=text, overwrite=b"true")),
            ("POST", "/upload/image", *form(text, type=b"temp", overwrite=b"true")),
            ("POST", "/upload/mask", *form(b"m.png", original_ref=reference)),
            ("POST", "/upload/mask", *form(b"m.png", original_ref=folder)),
        ]
    assert not (wrong := bad(place.send_all(asked))), wrong[:20]
    assert place.outside() == before
    made = [path.name for root in ("input", "temp") for path in (place.base / root).rglob("*")]
    assert "a.png" in made
    steering = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u2028\u2029\u202e\u2066"}
    assert not [name for name in made if set(name) & steering or (name.startswith(".upload-") and name != ".upload-x")]


def test_workflows_name_no_file_outside(place: Place) -> None:
    before = place.outside()
    asked: list[Request] = []
    for name in [*NAMES, *RAW]:
        reads = {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
            "3": {"class_type": "LoadLatent", "inputs": {"latent": name}},
            "4": {"class_type": "SaveLatent", "inputs": {"samples": ["3", 0], "filename_prefix": "x"}},
        }
        asked.append(("POST", "/prompt", json.dumps({"prompt": reads}).encode(), "application/json"))
    answers = place.send_all(asked)
    assert not (wrong := bad(answers)), wrong[:20]
    # The uploads before have made files of some of these names; what passes is one of them.
    passed = [json.loads(one[2])["prompt"]["1"]["inputs"]["image"] for one, status, _ in answers if status == 200]
    for name, kind in map(split_annotation, passed):
        path, root = place.base / kind / name.replace("\\", "/"), place.base / kind
        assert path.is_file()
        assert path.resolve().is_relative_to(root.resolve())
    assert place.outside() == before


def test_saved_files_stay_in_the_output_folder(place: Place) -> None:
    before = place.outside()
    ids = []
    for name in NAMES[::4]:
        save = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": name}}
        status, body = place.send("POST", "/prompt", json.dumps({"prompt": {"1": _IMAGE, "2": save}}).encode())
        assert status in (200, 400), body
        if status == 200:
            ids.append(json.loads(body)["prompt_id"])
    while json.loads(place.send("GET", "/prompt")[1])["exec_info"]["queue_remaining"]:
        time.sleep(0.05)  # it runs in another process
    ends = {json.loads(place.send("GET", f"/history/{one}")[1])[one]["status"]["status_str"] for one in ids}
    assert ends == {"success", "error"}
    assert place.outside() == before
    output = (place.base / "output").resolve()
    assert all(path.resolve().is_relative_to(output) for path in output.rglob("*.png") if not path.is_symlink())
