"""What a user may write for a workflow: files, standard input, and what the connected server has; nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.address import Local, Ran, Served, Stdin, UserWorkflow, address, is_remote
from comfytui.workflow.errors import WorkflowError

SERVER = "http://gpu:8188"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("-", Stdin()),
        ("a/b.json", Local(Path("a/b.json"))),
        ("~/w.json", Local(Path("~/w.json").expanduser())),
        ("history/x.json", Local(Path("history/x.json"))),
        ("http://gpu:8188/view?filename=a%20b.png&subfolder=x/y&type=temp", Served("a b.png", "x/y", "temp")),
        ("http://GPU:8188/api/view?filename=a.png&rand=0.5", Served("a.png")),
        ("http:/gpu:8188/view?filename=a.png", Served("a.png")),
        ("http://gpu:8188/history/0a-b1", Ran("0a-b1")),
        ("http://gpu:8188/api/jobs/0a-b1", Ran("0a-b1")),
        ("http://gpu:8188/userdata/workflows%2Fmine%2Fa.json", UserWorkflow("mine/a.json")),
        ("server:output/a.png", Served("a.png")),
        ("server:input/sub/a.png", Served("a.png", "sub", "input")),
        ("server:history/0a-b1", Ran("0a-b1")),
        ("server:workflows/my/a.json", UserWorkflow("my/a.json")),
    ],
)
def test_what_is_meant(text: str, meant: object) -> None:
    assert address(text, SERVER) == meant


def test_a_server_behind_a_prefix_and_other_names_of_this_machine() -> None:
    assert address("https://host/comfy/view?filename=a.png", "https://host:443/comfy/") == Served("a.png")
    assert address("http://localhost:8188/view?filename=a.png", "http://127.0.0.1:8188") == Served("a.png")
    with pytest.raises(WorkflowError, match="not below /comfy/"):
        address("https://host/other/view?filename=a.png", "https://host/comfy")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://evil:8188/view?filename=a.png", "is on evil:8188, and the connected server is gpu:8188"),
        ("https://gpu:8188/view?filename=a.png", "Connect to that one"),
        ("http://gpu:8188@evil/view?filename=a.png", "is on evil"),
        ("http://gpu:99999/view?filename=a.png", "no address"),
        ("http://gpu:8188/view?filename=../../etc/passwd", "names no file"),
        ("http://gpu:8188/view?filename=a.png&subfolder=..%2F..", "names no file"),
        ("http://gpu:8188/view?filename=a.png&type=models", "has no folder 'models'"),
        ("http://gpu:8188/view", "names no file"),
        ("http://gpu:8188/", "no workflow of the server"),
        ("http://gpu:8188/history/..%2Fqueue", "names no job"),
        ("server:output/../x.png", "names no file"),
        ("server:workflows/../settings.json", "names no workflow"),
        ("server:elsewhere/x", "no workflow of the server"),
        ("server:", "no workflow of the server"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(WorkflowError, match=says):
        address(text, SERVER)


def test_without_a_server_there_is_nothing_of_it() -> None:
    with pytest.raises(WorkflowError, match="no server is connected"):
        address("http://gpu:8188/view?filename=a.png")


@given(st.text(max_size=60) | st.text(alphabet="server:/output.htpgu8@?&=%2F", max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = address(text, SERVER)
    except WorkflowError:
        return
    assert isinstance(found, Local | Stdin) or is_remote(text)
    if isinstance(found, Served):
        assert ".." not in (found.filename, *found.subfolder.split("/"))
