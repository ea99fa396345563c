"""Pictures that ComfyUI made of a picture, without any model: the same, but for single roundings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.engine.rig import Rig
from tests.engine.test_parity import PARITY, made_by

CASES = [path.stem for path in sorted((PARITY / "cases").glob("*.json")) if "CheckpointLoader" not in path.read_text()]


@pytest.mark.skipif(not CASES, reason="needs the recorded cases")
@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_that_of_comfyui(tmp_path: Path, case: str) -> None:
    rig = Rig(tmp_path)
    shutil.copy(PARITY / "parity_in.png", rig.folders.input)
    status, message, outputs = rig.run(json.loads((PARITY / "cases" / f"{case}.json").read_text()))
    assert status == "success", message
    found = made_by(rig, outputs)
    for name, wanted in load_file(PARITY / "cases" / f"{case}.safetensors").items():
        assert found[name].shape == wanted.shape, name
        difference = np.abs(found[name] - wanted.astype(np.float32))
        assert difference.max() <= 1 and difference.mean() <= 0.02, name  # one level, where a rounding tips
