"""What a node was given in secret stays out of the error that everybody reads."""

import logging

import pytest

from tests.engine.graph.graphs import Events
from tests.engine.rig import Rig


def test_a_key_that_a_node_says_in_its_error_is_taken_out(tmp_path, monkeypatch, caplog: pytest.LogCaptureFixture):
    rig = Rig(tmp_path)

    def fail(*_, **__):
        raise RuntimeError("the service refused sk-very-secret")

    monkeypatch.setattr("engine.nodes.pixels.to_bytes", fail)
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "sk-very-secret"}},
    }
    verdict = rig.validator.validate(prompt, None)
    events = Events()
    with caplog.at_level(logging.DEBUG):
        rig.executor.run("p", prompt, verdict.outputs, events, extra_data={"api_key_comfy_org": "sk-very-secret"})
    (error,) = events.of("execution_error")
    assert error["exception_message"] == "the service refused …\n"
    assert "sk-very-secret" not in str(error) + caplog.text
