"""The catalog of nodes as clients get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.files.folders import Folders
from engine.nodes.definition import Input, NodeDefinition
from engine.nodes.registry import Registry, builtin
from engine.options import Options

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recordings" / "object_info.json"
FOLDERS = Folders.from_options(Options(base_directory="/nonexistent"))


def unreadable(_: Folders) -> list[str]:
    raise PermissionError("no way in")


def test_one_or_all_or_none() -> None:
    registry = Registry({name: NodeDefinition(name, print) for name in ("A", "B")})
    assert list(json.loads(registry.describe(FOLDERS))) == ["A", "B"]
    assert list(json.loads(registry.describe(FOLDERS, "B"))) == ["B"]
    assert registry.describe(FOLDERS, "C") == b"{}"


def test_a_folder_that_cannot_be_read_hides_its_node_only(caplog: pytest.LogCaptureFixture) -> None:
    bad = NodeDefinition("Bad", print, (Input("file", unreadable),))
    registry = Registry({"Bad": bad, "Good": NodeDefinition("Good", print)})
    assert list(json.loads(registry.describe(FOLDERS))) == ["Good"]
    assert "no way in" in caplog.text


def test_every_function_takes_the_inputs_it_declares() -> None:
    import inspect

    for definition in builtin().values():
        parameters = inspect.signature(definition.function).parameters
        declared = {item.name for item in definition.inputs} | set(definition.hidden)
        assert declared <= set(parameters), definition.name
        needed = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
        optional = {item.name for item in definition.inputs if item.optional}
        assert needed - {"context"} <= declared - optional, definition.name


def without_words(definition: NodeDefinition, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without the sentences, which are our own, and without the names of files, which are the server's."""
    found: dict[str, Any] = json.loads(json.dumps(entry))
    for words in ("description", "output_tooltips", "python_module"):
        found.pop(words, None)
    files = {item.name for item in definition.inputs if callable(item.type)}
    for section in found["input"].values():
        for name, spec in section.items():
            if isinstance(spec, list) and len(spec) > 1:
                spec[1].pop("tooltip", None)
                if name in files and "options" in spec[1]:
                    spec[1]["options"] = "files"
            if name in files and isinstance(spec[0], list):
                spec[0] = "files"
            if isinstance(spec, list) and spec[1:] == [{}]:
                del spec[1]
    return found


@pytest.mark.skipif(not RECORDED.exists(), reason="needs the recordings")
@pytest.mark.parametrize("definition", builtin().values(), ids=lambda definition: definition.name)
def test_an_entry_is_that_of_the_recorded_server(definition: NodeDefinition) -> None:
    """Names, order, types, defaults, bounds, choices and flags: what workflows that others made depend on."""
    recorded = json.loads(RECORDED.read_text())
    if definition.name not in recorded:
        pytest.skip("not a node of the recorded server")
    ours = without_words(definition, definition.info(FOLDERS))
    theirs = without_words(definition, recorded[definition.name])
    assert ours == theirs
    for section, names in theirs["input_order"].items():
        assert list(ours["input"][section]) == names
