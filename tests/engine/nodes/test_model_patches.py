"""Patched models and sampling in pieces, on a small model: what changes, what stays, and what is left behind."""

import pytest
import torch

from engine.nodes import model_patches as patches
from engine.nodes import model_patches_attention as attention
from engine.nodes import model_patches_levels as levels
from engine.nodes import sampling_custom as custom
from engine.nodes import sampling_sigmas as sigmas
from engine.nodes.context import Interrupted
from tests.engine.nodes.support import Reports, context
from tests.engine.nodes.test_sampling import go, models

__all__ = ["models"]  # the fixture

CHANGES = [
    (patches.freeu_1, (1.3, 1.4, 0.9, 0.2)),
    (patches.freeu_2, (1.3, 1.4, 0.9, 0.2)),
    (patches.perturbed_attention, (3.0,)),
    (patches.rescale_cfg, (0.7,)),
    (patches.discrete, ("lcm", False)),
    (patches.discrete, ("v_prediction", True)),
    (patches.continuous_v, ("v_prediction", 500.0, 0.03)),
    (patches.norm, (0.9,)),
    (patches.zero_star_, ()),
    (patches.tcfg, ()),
    (patches.apg, (0.5, 5.0, -0.5)),
    (attention.self_attention, (1.0, 1.0, 0.5, 1.0)),
    (attention.cross_attention, (1.0, 1.0, 1.0, 0.5)),
    (levels.aura_flow, (1.73,)),
    (levels.flux, (1.15, 0.5, 1024, 1024)),
    (levels.continuous_edm, ("edm", 120.0, 0.002)),
]


@pytest.mark.parametrize(("change", "options"), CHANGES, ids=lambda v: getattr(v, "name", None))
def test_a_patch_changes_its_own_copy_alone(models, tmp_path, change, options):
    before = go(models, tmp_path)["samples"]
    patched = change.function(models[0], *options)[0]
    assert patched.network is models[0].network
    found = go((patched, *models[1:]), tmp_path)["samples"]
    assert torch.isfinite(found).all() and not torch.allclose(found, before, atol=1e-4)
    assert torch.equal(go(models, tmp_path)["samples"], before)


def test_an_interrupt_takes_network_patches_off(models, tmp_path):
    before = go(models, tmp_path)["samples"]
    patched = patches.freeu_2.function(models[0], 1.3, 1.4, 0.9, 0.2)[0]
    with pytest.raises(Interrupted):
        go((patched, *models[1:]), tmp_path, Reports(stop_at=2))
    assert torch.equal(go(models, tmp_path)["samples"], before)


def test_pieces_put_together_are_the_ksampler(models, tmp_path):
    model, positive, negative, _ = models
    guider = custom.cfg_guider.function(model, positive, negative, 3.0)[0]
    line = sigmas.basic.function(model, "normal", 4, 1.0)[0]
    found, last = custom.sampler_custom_advanced.function(
        custom.random_noise.function(7)[0],
        guider,
        custom.ksampler_select.function("euler")[0],
        line,
        {"samples": torch.zeros(1, 4, 8, 8)},
        context=context(tmp_path),
    )
    assert torch.equal(found["samples"], go(models, tmp_path)["samples"])
    assert torch.allclose(found["samples"], last["samples"], atol=1e-5)  # the last step ends at its x0


def test_sigmas_are_cut_and_turned():
    line = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0])
    high, low = sigmas.split.function(line, 2)
    assert high.tolist() == [4, 3, 2] and low.tolist() == [2, 1, 0]
    assert [len(part) for part in sigmas.split_denoise.function(line, 0.5)] == [3, 3]
    assert sigmas.flip.function(line)[0][0] > 0
    assert sigmas.manual.function("3, 1.5 0")[0].tolist() == [3.0, 1.5, 0.0]
