"""Latents and pictures of ComfyUI, recorded for random weights, in which any slip shows as 1e-2 or more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.engine.rig import Rig

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity"
CASES = sorted(path.stem for path in (PARITY / "cases").glob("*.json"))
LATENT, ADAPTIVE, PICTURE = 1e-3, 2e-2, 0.5  # relative error; the same of dpm_adaptive; grey levels of 255

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CASES, reason="needs the recorded cases")]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    base = tmp_path_factory.mktemp("parity")
    made = Rig(base)
    checkpoint = made.checkpoints / "parity-mini.safetensors"
    subprocess.run([sys.executable, PARITY / "make_checkpoint.py", "sd15-mini", checkpoint], check=True)
    shutil.copy(PARITY / "parity_in.png", made.folders.input)
    yield made
    checkpoint.unlink()  # most of a gigabyte, which pytest would keep


def made_by(rig, outputs):
    """The arrays of a case's outputs under the names that the recordings use."""
    found = {}
    for ui in outputs.values():
        for i, entry in enumerate(ui.get("images", [])):
            folder = rig.folders.temp if entry["type"] == "temp" else rig.folders.output
            with Image.open(folder / entry["subfolder"] / entry["filename"]) as picture:
                found[f"image{i}"] = np.array(picture).astype(np.float32)
        for entry in ui.get("latents", []):
            path = rig.folders.output / entry["subfolder"] / entry["filename"]
            found["latent"] = load_file(path)["latent_tensor"].astype(np.float32)
    return found


@pytest.mark.parametrize("case", CASES)
def test_case(rig, case):
    prompt = json.loads((PARITY / "cases" / f"{case}.json").read_text())
    if missing := sorted({entry["class_type"] for entry in prompt.values()} - set(rig.executor.registry)):
        pytest.skip(f"there is no {', '.join(missing)} yet")
    status, message, outputs = rig.run(prompt)
    assert status == "success", message
    found = made_by(rig, outputs)
    for name, wanted in load_file(PARITY / "cases" / f"{case}.safetensors").items():
        assert found[name].shape == wanted.shape, name
        difference = found[name] - wanted.astype(np.float32)
        if name == "latent":
            error = np.linalg.norm(difference) / np.linalg.norm(wanted.astype(np.float32))
            assert error <= (ADAPTIVE if "adaptive" in case else LATENT), name
        else:
            assert np.abs(difference).mean() <= PICTURE, name
