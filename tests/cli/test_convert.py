"""`comfytui convert`, with a saved catalogue, with a server, and with what is wrong."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from comfytui.cli.diagnostics import Exit
from comfytui.workflow.convert import to_api, to_ui
from tests.support.replay import FakeComfy
from tests.workflow.convert.pages import INFO, Page, text_to_image

from .conftest import Call


@pytest.fixture
def info(tmp_path: Path) -> Path:
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(INFO))
    return path


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    path = tmp_path / "ui.json"
    path.write_text(json.dumps(text_to_image().saved))
    return path


def graph() -> dict[str, Any]:
    return to_api(text_to_image().saved, INFO).graph


def test_there_and_back_without_a_server(call: Call, info: Path, ui: Path, tmp_path: Path) -> None:
    done = call("convert", ui, "--object-info", info)
    assert (done.code, done.json) == (0, graph())
    assert done.err == ""
    done = call("convert", ui, "--object-info", info, "-o", "api.json")
    assert (done.code, done.lines) == (0, ["api.json"])
    assert json.loads((tmp_path / "api.json").read_text()) == graph()
    done = call("convert", "api.json", "--to", "ui", "--object-info", info)
    assert done.json == to_ui(graph(), INFO).workflow


def test_from_standard_input(call: Call, info: Path, ui: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ui.read_bytes())))
    assert call("convert", "-", "--object-info", info).json == graph()


def test_what_is_in_the_wanted_form_needs_nothing(call: Call, ui: Path, tmp_path: Path) -> None:
    assert call("convert", ui, "--to", "ui").json == text_to_image().saved
    both = {"prompt": graph(), "workflow": text_to_image().saved}
    (tmp_path / "both.json").write_text(json.dumps(both))
    assert call("convert", "both.json").json == graph()
    assert call("convert", "both.json", "--to", "ui").json == text_to_image().saved


def test_unknown_nodes_are_listed(call: Call, info: Path, tmp_path: Path) -> None:
    page = text_to_image().node(
        20, "Upscaler", [], {"image": (5, 0)}, title="Big", properties={"cnr_id": "up", "ver": "1"}
    )
    (tmp_path / "x.json").write_text(json.dumps(page.saved))
    done = call("convert", "x.json", "--object-info", info, "-o", "out.json")
    assert (done.code, done.out) == (Exit.LACKING, "")
    assert "- Upscaler (node 20 'Big', of up 1)" in done.err
    assert not (tmp_path / "out.json").exists()
    done = call("convert", "x.json", "--object-info", info, "--json")
    assert done.code == Exit.LACKING
    assert done.json["result"] is None
    assert done.json["missing"] == [
        {"class_type": "Upscaler", "node_id": "20", "title": "Big", "pack": "up", "version": "1"}
    ]


def test_remarks_go_to_stderr_or_into_the_json(call: Call, info: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(Page().node(1, "Sampler", [7, 20, 6.5, "euler", 0.9]).saved))
    done = call("convert", "x.json", "--object-info", info)
    assert done.json["1"]["inputs"]["steps"] == 20
    assert done.err.startswith("node 1 (Sampler): its values were read without a control")
    (warning,) = call("convert", "x.json", "--object-info", info, "--json").json["warnings"]
    assert warning["node_id"] == "1"


def test_a_file_is_replaced_only_if_asked(call: Call, info: Path, ui: Path, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("mine")
    done = call("convert", ui, "--object-info", info, "-o", "out.json")
    assert done.code == Exit.FILES
    assert "--overwrite" in done.err
    assert (tmp_path / "out.json").read_text() == "mine"
    assert call("convert", ui, "--object-info", info, "-o", "out.json", "--overwrite").code == 0
    (tmp_path / "out.json").write_text("")
    assert call("convert", ui, "--object-info", info, "-o", "out.json").code == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "holds no node classes"), ('{"a": 1}', "holds no node")],
)
def test_a_wrong_catalogue(call: Call, ui: Path, tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "info.json").write_text(content)
    done = call("convert", ui, "--object-info", "info.json")
    assert (done.code, done.out) == (Exit.USAGE, "")
    assert told in done.err


def test_a_damaged_workflow_is_refused_at_its_place(call: Call, info: Path, tmp_path: Path) -> None:
    saved = text_to_image().saved
    saved["nodes"].append({"id": 1, "type": "Load"})
    (tmp_path / "x.json").write_text(json.dumps(saved))
    done = call("convert", "x.json", "--object-info", info)
    assert (done.code, done.out) == (Exit.REFUSED, "")
    assert "x.json, node 1: two nodes have this id" in done.err


def test_with_a_server(call: Call, server: FakeComfy, workflow: Path) -> None:
    drawn = call("convert", workflow, "--to", "ui", "--server", server.url)
    assert drawn.code == 0
    workflow.with_name("drawn.json").write_text(drawn.out)
    back = call("convert", "drawn.json", "--server", server.url).json
    wanted = json.loads(workflow.read_text())
    assert {each: node["class_type"] for each, node in back.items()} == {
        each: node["class_type"] for each, node in wanted.items()
    }
    assert back["3"]["inputs"]["model"] == wanted["3"]["inputs"]["model"]


def test_one_catalogue_only(call: Call, info: Path, ui: Path) -> None:
    assert call("convert", ui, "--object-info", info, "--server", "x").code == Exit.USAGE


def test_run_takes_the_ui_form_and_embeds_it_with_the_values_of_each_run(
    call: Call, server: FakeComfy, workflow: Path
) -> None:
    drawn = call("convert", workflow, "--to", "ui", "--server", server.url).out
    workflow.with_name("drawn.json").write_text(drawn)
    assert call("run", "drawn.json", "--server", server.url, "--seed", 41, "--count", 2).code == 0
    for seed, asked in zip((41, 42), server.asked("POST", "/prompt"), strict=True):
        assert asked.body["prompt"]["3"]["inputs"]["seed"] == seed
        embedded = asked.body["extra_data"]["extra_pnginfo"]["workflow"]
        sampler = next(each for each in embedded["nodes"] if each["id"] == 3)
        assert sampler["widgets_values_named"]["seed"] == sampler["widgets_values"][0] == seed
