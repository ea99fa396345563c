"""Requests that schemathesis makes up from the OpenAPI document, sent to the real engine.

Nothing may answer 5xx, and every answer has a status, a content type and a shape that the document names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import checks as everything  # noqa: E402 - only where it is installed
from schemathesis.specs.openapi import checks  # noqa: E402

from engine.options import parse  # noqa: E402
from engine.server import app  # noqa: E402
from engine.server.openapi import document  # noqa: E402
from tests.support.engine import RunningEngine, start_engine  # noqa: E402

# Not those that ask for a refusal of whatever the document does not allow: clients written for ComfyUI send more
# than it says, and are answered.
CHECKS = (
    everything.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
BOUNDS = {
    "deadline": None,  # the first request may wait for the worker
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],  # a failure is told as it was sent: shrinking takes minutes here
    "database": None,
}


def closed(made: dict[str, Any]) -> dict[str, Any]:
    """The document with closed answers: a key that nobody described is a failure here, though clients must bear it."""
    asked = {"PromptRequest", "GraphNode", "InterruptRequest", "FreeRequest", "Removal", "CancelRequest"}
    asked |= {"NewUser", "Subscription", "Login", "ImageUpload", "MaskUpload"}
    for name, schema in made["components"]["schemas"].items():
        if schema.get("type") == "object" and "properties" in schema and name not in asked:
            schema["additionalProperties"] = False
    return made


def described() -> dict[str, Any]:
    application = web.Application()
    app.add_routes(application, parse([]))
    return closed(document.make(application.router))


schema = schemathesis.openapi.from_dict(described())


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """An engine of its own: what is made up clears queues, and fills folders."""
    running = start_engine(tmp_path_factory.mktemp("schemathesis"))
    try:
        assert running.get("/object_info/KSampler")[0] == 200
        prompt = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}}
        prompt["2"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
        # An entry in the history: without one the shapes of half the answers are never seen.
        assert running.call("POST", "/prompt", {"prompt": prompt, "prompt_id": "0"})[0] == 200
        yield running
    finally:
        running.stop()


@schema.parametrize()
@settings(max_examples=5, **BOUNDS)
def test_what_is_made_up_is_answered(case: Any, tried: RunningEngine) -> None:
    case.call_and_validate(base_url=tried.url, checks=CHECKS, timeout=60)


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=150, **BOUNDS)
def test_much_that_is_made_up_is_answered(case: Any, tried: RunningEngine) -> None:
    case.call_and_validate(base_url=tried.url, checks=CHECKS, timeout=60)
