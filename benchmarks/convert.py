"""From the browser's form of a workflow to the server's and back, against decoding the same files; agreement with the front end.

On the official templates where their package is installed (or unpacked where COMFYTUI_TEMPLATES says), else on the recorded cases.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.result import Result, interleaved
from comfytui.workflow.convert import MissingNodesError, to_api, to_ui
from tests.workflow.convert import recorded
from tests.workflow.convert.pages import INFO, text_to_image

ROUNDS = 5


def _files() -> tuple[str, dict[str, dict[str, Any]], dict[str, Any]]:
    """(what they are, the workflows, the catalogue they are for)"""
    cases = {name: recorded.workflow(name) for name in recorded.cases()}
    if not cases:
        return "made up", {"txt2img": text_to_image().saved}, INFO
    found = dict(recorded.templates())
    return ("official templates", found, recorded.object_info()) if found else ("cases", cases, recorded.object_info())


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def run() -> Iterator[Result]:
    kind, files, info = _files()
    graphs: dict[str, dict[str, Any]] = {}
    missing = 0
    for name, workflow in files.items():
        try:
            graphs[name] = to_api(workflow, info).graph
        except MissingNodesError:
            missing += 1
    texts = [json.dumps(workflow) for workflow in files.values()]
    drawn = [json.dumps(graph) for graph in graphs.values()]

    def convert_all() -> None:
        for workflow in files.values():
            with contextlib.suppress(MissingNodesError):
                to_api(workflow, info)

    def draw_all() -> None:
        for graph in graphs.values():
            to_ui(graph, info)

    made, decoded, back, redecoded = interleaved(
        ROUNDS,
        lambda: _timed(convert_all),
        lambda: _timed(lambda: [json.loads(text) for text in texts]),
        lambda: _timed(draw_all),
        lambda: _timed(lambda: [json.loads(text) for text in drawn]),
    )
    count = len(files)
    yield Result(f"UI → API, {count} {kind}", count / made, "/s", count / decoded, "json.loads", "more than 0.3 x")
    yield Result(f"API → UI, {len(graphs)} of them", len(graphs) / back, "/s", len(graphs) / redecoded, "json.loads")
    yield Result("of these: converted", len(graphs), f"of {count}")
    yield Result("of these: with a list of missing nodes", missing, f"of {count}")
    cases = recorded.cases()
    if cases:
        same = 0
        for name in cases:
            found = to_api(recorded.workflow(name), info).graph
            same += recorded.nodes(found, info) == recorded.nodes(recorded.expected(name), info)
        yield Result("agreement with the front end", same, f"of {len(cases)}", target="all but one, which is better")
