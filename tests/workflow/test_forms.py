"""What is embedded beside a changed graph, and in which form a workflow is written."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from comfytui.workflow.convert import to_api, to_ui
from comfytui.workflow.document import Document, parse
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.forms import embedded, form_of, to_write
from comfytui.workflow.runnable import runnable

from .convert.pages import INFO, text_to_image


def document(**more: Any) -> Document:
    found = parse(json.dumps({**text_to_image().saved, **more}).encode(), "mine.json")
    return runnable(found, INFO).document


def changed(found: Document, steps: int = 33) -> dict[str, Any]:
    graph = copy.deepcopy(found.graph)
    graph["4"]["inputs"]["steps"] = steps
    return graph


def test_a_document_in_the_ui_form_becomes_runnable_and_keeps_it() -> None:
    found = document()
    assert found.graph["4"]["inputs"]["steps"] == 20
    assert found.workflow == text_to_image().saved
    assert runnable(found, INFO).document is found


def test_an_error_of_the_conversion_names_the_file() -> None:
    found = parse(json.dumps({**text_to_image().saved, "links": 7}).encode(), "mine.json")
    with pytest.raises(WorkflowError, match=r"mine\.json, links: "):
        runnable(found, INFO)


def test_the_embedded_workflow_holds_what_ran() -> None:
    found = document()
    workflow = embedded(found, changed(found), INFO)
    assert workflow is not None
    assert to_api(workflow, INFO).graph == changed(found)
    assert embedded(found, found.graph, None) is found.workflow
    assert embedded(found, changed(found), None) is None
    assert embedded(Document("x", found.graph), changed(found), INFO) is None


def test_a_wrong_workflow_is_not_embedded() -> None:
    found = document()
    graph = copy.deepcopy(found.graph)
    graph["4"]["inputs"]["latent"] = ["5", 0]
    assert embedded(found, graph, INFO) is None


@pytest.mark.parametrize(
    ("name", "source", "form"),
    [
        ("x.json", "ui", "ui"), ("x.json", "api", "api"), ("x.json", "picture", "api"),
        ("x.API.json", "ui", "api"), ("x.ui.json", "history", "ui"),
    ],
)  # fmt: skip
def test_the_form_of_a_file(name: str, source: str, form: str) -> None:
    assert form_of(name, Document("x", {}, None, source)) == form


def test_what_is_written_keeps_what_nobody_here_knows() -> None:
    found = document(mystery={"x": [1]}, groups=[{"title": "G"}])
    written = to_write("new.json", found, changed(found), INFO)
    assert written["mystery"] == {"x": [1]}
    assert written["groups"] == [{"title": "G"}]
    assert to_api(written, INFO).graph == changed(found)
    assert to_write("new.api.json", found, changed(found), INFO) == changed(found)


def test_a_graph_is_drawn_if_the_name_asks_for_it() -> None:
    graph = document().graph
    assert to_write("new.ui.json", Document("x", graph), graph, INFO) == to_ui(graph, INFO).workflow


def test_what_cannot_be_written_says_how_it_can() -> None:
    found = document()
    graph = copy.deepcopy(found.graph)
    graph["4"]["inputs"]["latent"] = ["5", 0]
    with pytest.raises(WorkflowError, match=r"no place for what was changed: latent of node 4\. .*\.api\.json"):
        to_write("new.json", found, graph, INFO)
    with pytest.raises(WorkflowError, match=r"not known yet\. .*\.api\.json"):
        to_write("new.ui.json", Document("x", graph), graph, None)
