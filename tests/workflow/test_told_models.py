"""Where a workflow tells to get its models: told once, checked, and fetched by a command that nothing can break out of."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.told_models import ToldModel, fetch_command, told_models, told_of

from .graphs import ROOT

HASH = "ab" * 32
FLUX = {
    "name": "flux.safetensors",
    "url": "https://huggingface.co/a/b/blob/main/flux.safetensors",
    "hash": HASH.upper(),
    "hash_type": "SHA256",
    "directory": "diffusion_models",
}


def page(*models: Any, inner: Any = ()) -> dict[str, Any]:
    return {
        "nodes": [
            {"id": 7, "type": "UNETLoader", "properties": {"models": list(models)}},
            {"id": 8, "properties": None},
        ],
        "definitions": {"subgraphs": [{"nodes": [{"id": 3, "properties": {"models": list(inner)}}]}]},
        "links": [],
    }


def test_each_model_once_with_all_that_is_told() -> None:
    bare = {"name": "flux.safetensors", "directory": "diffusion_models"}
    (found,) = told_models({**page(FLUX, inner=[FLUX]), "models": [bare]})
    assert found == ToldModel(
        "flux.safetensors",
        "diffusion_models",
        "https://huggingface.co/a/b/resolve/main/flux.safetensors",
        HASH,
        ("7", "3"),
    )
    assert told_of("sub/FLUX.safetensors", [found]) is found and told_of("other.safetensors", [found]) is None


def test_the_command_goes_on_checks_and_quotes() -> None:
    (found,) = told_models(page({**FLUX, "name": "my flux's.safetensors"}))
    command = fetch_command(found, "/srv/my models", {"diffusion_models"})
    assert shlex.split(command) == [
        *("mkdir", "-p", "--", "/srv/my models/diffusion_models", "&&"),
        *("curl", "--fail", "--proto", "=https", "-L", "-C", "-", "-o", "/srv/my models/diffusion_models/my flux's.safetensors"),
        *("https://huggingface.co/a/b/resolve/main/flux.safetensors", "&&"),
        *("printf", "%s  %s\\n", HASH, "/srv/my models/diffusion_models/my flux's.safetensors", "|", "sha256sum", "-c", "-"),
    ]  # fmt: skip
    with pytest.raises(WorkflowError, match="no folder 'diffusion_models'"):
        fetch_command(found, folders={"loras"})


@pytest.mark.parametrize(
    "url",
    [
        "http://h/f",
        "file:///etc/passwd",
        "https://user:pw@h/f",
        "https://h/a b",
        "https://",
        "https://h:x/",
        "ftp://h/f",
        "https://h/\n",
    ],
)
def test_addresses_that_are_not_fetched(url: str) -> None:
    (found,) = told_models(page({**FLUX, "url": url}))
    if url == "https://h/\n":
        assert found.url == "https://h/"
        return
    assert found.url == "" and found.refused
    with pytest.raises(WorkflowError, match="address"):
        fetch_command(found)


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/etc/x.safetensors", "a/../../x.ckpt", "-o.ckpt", "C:\\x.ckpt", "x.sh", "\u202ex.ckpt", ""],
)
def test_names_that_lead_elsewhere_are_left_out(name: str) -> None:
    assert told_models(page({**FLUX, "name": name})) == []
    (found,) = told_models(page({**FLUX, "directory": name or ".."}))
    assert found.directory in ("", "x.sh")


anything = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["https://h/x", "a.safetensors", "loras", "../x.ckpt"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "url", "hash", "hash_type", "directory", "models", "nodes", "properties"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
texts = st.text(max_size=30) | st.text(alphabet="a;$`'\"|&\\ \n/.-~$()", max_size=20)
entries = st.fixed_dictionaries(
    {"name": texts.map(lambda text: f"{text}.safetensors")},
    optional={"url": texts.map(lambda text: f"https://h/{text}"), "directory": texts, "hash": texts},
)


@given(st.lists(entries | anything, max_size=4), anything)
def test_whatever_a_workflow_tells_the_command_does_one_thing(models: list[Any], rest: Any) -> None:
    told_models(rest)
    for model in told_models({**page(*models), "models": rest}):
        assert ".." not in model.path.split("/") and not model.path.startswith("/")
        try:
            command = fetch_command(model, "models")
        except WorkflowError:
            continue
        words = shlex.split(command)
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        operators = [word for word in lexer if set(word) <= set("();<>|&")]
        assert operators in (["&&"], ["&&", "&&", "|"])
        output = words[words.index("-o") + 1]
        assert Path("models").resolve() in Path(output).resolve().parents
        assert urlsplit(words[words.index("-o") + 2]).scheme == "https"
        assert "\n" not in command


def test_the_official_templates_tell_theirs() -> None:
    folder = ROOT.parent / "shared" / "graph-to-prompt" / "workflows"
    if not folder.is_dir():
        pytest.skip("no templates here")
    count = 0
    for path in folder.glob("*.json"):
        for model in told_models(json.loads(path.read_text())):
            count += 1
            assert model.url and model.directory, path.name
            fetch_command(model)
    assert count > 20
