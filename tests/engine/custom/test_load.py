"""Packs of other people, loaded by a real engine and run through its API."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.custom.load import find
from engine.options import Options
from tests.support.engine import RunningEngine, start_engine

PACKS = Path(__file__).parent / "data" / "custom_nodes"
_PATIENCE = 120.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    base = tmp_path_factory.mktemp("packs")
    shutil.copytree(PACKS, base / "custom_nodes")
    models = base / "models" / "tensor_pack"
    models.mkdir(parents=True)
    (models / "mine.safetensors").write_bytes(b"")
    engine = start_engine(base)
    engine.get("/object_info")  # answered when the worker is ready
    yield engine
    engine.stop()


def run(engine: RunningEngine, nodes: dict[str, Any]) -> dict[str, Any]:
    """The history entry of a prompt, once it is there."""
    prompt_id = str(uuid.uuid4())
    status, body = engine.call("POST", "/prompt", {"prompt": nodes, "prompt_id": prompt_id})
    assert status == 200, body
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        found: dict[str, Any] = json.loads(engine.get(f"/history/{prompt_id}")[1])
        if prompt_id in found:
            return dict(found[prompt_id])
        time.sleep(0.02)  # bounded by the loop; another process finishes the prompt
    raise AssertionError("the prompt did not end")


def said(engine: RunningEngine, nodes: dict[str, Any]) -> list[str]:
    entry = run(engine, nodes)
    assert entry["status"]["status_str"] == "success", entry["status"]
    return [shown["said"][0] for shown in entry["outputs"].values()]


def show(source: str) -> dict[str, Any]:
    return {"class_type": "PackShow", "inputs": {"anything": [source, 0]}}


def test_a_tensor_node_runs_with_its_own_folder_and_start_script(packed: RunningEngine) -> None:
    fill = {"class_type": "PackFill", "inputs": {"value": 0.25, "file": "mine.safetensors"}}
    entry = run(packed, {"1": fill, "2": show("1")})
    assert entry["outputs"]["2"]["said"] == ["0.25", "yes"]


def test_lists_lazy_inputs_and_async_nodes(packed: RunningEngine) -> None:
    nodes = {
        "1": {"class_type": "PackNumbers", "inputs": {"count": 5}},
        "2": {"class_type": "PackAdd", "inputs": {"values": ["1", 0]}},
        "3": {"class_type": "PackFails", "inputs": {}},
        "4": {"class_type": "PackEither", "inputs": {"first": True, "a": ["2", 0], "b": ["3", 0]}},
        "5": show("4"),
    }
    assert said(packed, nodes) == ["10"]
    assert said(packed, {"1": {"class_type": "OneFile", "inputs": {}}, "2": show("1")}) == ["1"]


def test_two_packs_with_a_helper_of_one_name_keep_their_own(packed: RunningEngine) -> None:
    for pack in "ab":
        assert said(packed, {"1": {"class_type": f"HelperName_{pack}", "inputs": {}}, "2": show("1")}) == [pack]


def test_a_node_of_a_pack_is_described_like_any_other(packed: RunningEngine) -> None:
    info = json.loads(packed.get("/object_info/PackFill")[1])["PackFill"]
    assert info["python_module"] == "custom_nodes.tensor-pack"
    assert info["display_name"] == "Fill (pack)"
    assert info["output_name"] == ["picture"]
    assert info["input"]["required"]["file"] == [["none", "mine.safetensors"]]
    assert info["input"]["hidden"] == {"unique_id": "UNIQUE_ID"}


def test_packs_that_fail_are_told_with_their_reason_and_the_others_load(packed: RunningEngine) -> None:
    failed = json.loads(packed.get("/system_stats")[1])["system"]["custom_nodes_failed"]
    assert set(failed) == {"broken", "quits", "needs", "names"}
    assert "this pack is broken" in failed["broken"]
    assert "exit 3" in failed["quits"]
    assert "install what the pack needs" in failed["needs"]
    assert "no_such_library_anywhere" in failed["needs"]
    assert "no_such_name" in failed["names"]
    assert "does not answer" in failed["names"]


def test_flags_choose_packs() -> None:
    assert "away" not in "".join(find([PACKS], Options()))
    assert find([PACKS], Options(disable_all_custom_nodes=True)) == {}
    only = Options(disable_all_custom_nodes=True, whitelist_custom_nodes=("one_file", "broken"))
    assert list(find([PACKS], only)) == ["broken", "one_file"]


def test_a_packs_scripts_are_served_and_nothing_else_of_it(packed: RunningEngine) -> None:
    script = "/extensions/tensor-pack/sub/pack.js"
    assert script in json.loads(packed.get("/extensions")[1])
    assert packed.get(script) == (200, b"export const pack = 1;\n")
    assert packed.get("/extensions/tensor-pack/../work.py")[0] == 404
    assert packed.get("/extensions/tensor-pack/%2e%2e/work.py")[0] == 404


def test_the_packs_of_the_parity_cases_load(tmp_path: Path) -> None:
    pack = Path(__file__).parents[4] / "shared" / "parity" / "custom_nodes" / "parity_nodes.py"
    if not pack.is_file():
        pytest.skip("the parity cases are not here")
    from engine.compat import runtime
    from engine.custom.load import load
    from engine.files.folders import Folders

    options = Options(base_directory=str(tmp_path))
    runtime.begin(runtime.Runtime(options, Folders.from_options(options)))
    loaded = load({"parity_nodes": pack}, ())
    assert loaded.failures == {}
    assert loaded.definitions["ParityConditioning"].outputs[0].type == "CONDITIONING"


def test_a_pack_that_never_finishes_is_left_and_the_next_one_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.compat import runtime
    from engine.custom import load
    from engine.files.folders import Folders

    waits, good = tmp_path / "a_waits.py", tmp_path / "b_good.py"
    waits.write_text("import threading\nthreading.Event().wait(60)\n")
    good.write_text((PACKS / "one_file.py").read_text())
    monkeypatch.setattr(load, "PATIENCE", 1.0)
    options = Options(base_directory=str(tmp_path))
    runtime.begin(runtime.Runtime(options, Folders.from_options(options)))
    loaded = load.load({"a_waits": waits, "b_good": good}, ())
    assert set(loaded.failures) == {"a_waits"}
    assert "not imported within" in loaded.failures["a_waits"]
    assert set(loaded.definitions) == {"OneFile"}
