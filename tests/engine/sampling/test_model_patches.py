"""What a model carries: weight patches undone bit by bit, network patches taken off after errors, and its parametrization."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from engine.models.patches import WeightPatch, apply_weights, patched
from engine.models.patches_unet import low_frequencies
from engine.sampling.denoiser import Denoiser
from engine.sampling.guidance import Cond
from engine.sampling.hooks import NO_HOOKS
from engine.sampling.methods import rescale
from engine.sampling.parametrization import Parametrization, Prediction, flow_sigmas, strided, zero_terminal_snr
from engine.sampling.sigmas import from_alphas, stable_diffusion_sigmas


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))


def one(value):
    return WeightPatch("0.weight", lambda original: torch.full_like(original, value), 0.1)


def test_weight_patches_are_applied_once_and_undone_bit_by_bit():
    net = network()
    before = net[0].weight
    kept = before.detach().clone()
    patches = (one(1.0), one(2.0))
    apply_weights(net, patches)
    changed = net[0].weight
    assert torch.allclose(changed, kept + 0.3)
    apply_weights(net, patches)
    assert net[0].weight is changed
    apply_weights(net, (one(1.0),))
    assert torch.allclose(net[0].weight, kept + 0.1)
    apply_weights(net, ())
    assert net[0].weight is before and torch.equal(before, kept)


def test_a_weight_patch_that_does_not_fit_leaves_the_network_as_it_was():
    net = network()
    before = net[0].weight
    with pytest.raises(ValueError, match=r"0\.weight"):
        apply_weights(net, (WeightPatch("0.weight", lambda w: w[:1]),))
    with pytest.raises(KeyError, match=r"no\.such"):
        apply_weights(net, (one(1.0), WeightPatch("no.such", lambda w: w)))
    assert net[0].weight is before


def test_network_patches_are_taken_off_after_an_error():
    log = []

    @contextmanager
    def patch(net):
        log.append("on")
        try:
            yield
        finally:
            log.append("off")

    with pytest.raises(RuntimeError), patched(network(), (patch, patch)):
        raise RuntimeError
    assert log == ["on", "on", "off", "off"]


@pytest.mark.parametrize("kind", [Prediction.EPS, Prediction.V, Prediction.FLOW, Prediction.X0])
def test_the_true_answer_gives_back_the_data(kind):
    sigmas = flow_sigmas(3.0) if kind is Prediction.FLOW else stable_diffusion_sigmas()
    form = Parametrization(sigmas, kind)
    data, noise, sigma = torch.randn(2, 4, 3, 8, 8), torch.randn(2, 4, 3, 8, 8), torch.tensor(0.7)
    x = form.noised(data, noise, sigma)
    root = (sigma**2 + 1).sqrt()
    v = (noise - sigma * data) / root
    y = {Prediction.EPS: noise, Prediction.V: v, Prediction.FLOW: noise - data, Prediction.X0: data}[kind]
    assert torch.allclose(form.x0(x, y, sigma.expand(2)), data, atol=1e-5)


def test_zero_terminal_snr_ends_in_noise_and_keeps_its_first_level():
    alphas = 1 / (stable_diffusion_sigmas().table.double() ** 2 + 1)
    table = from_alphas(zero_terminal_snr(alphas)).table
    assert table[-1] > 4000 and torch.isclose(table[0], stable_diffusion_sigmas().table[0])


def test_a_distilled_table_tells_the_steps_it_was_distilled_on():
    few = strided(stable_diffusion_sigmas())
    assert len(few.table) == 50
    assert few.timestep(few.table[[0, 49]]).tolist() == [19.0, 999.0]
    assert torch.allclose(few.sigma(torch.tensor([999.0])), few.table[-1:])


def test_hooks_act_in_their_order_and_an_idle_rescale_is_plain_guidance():
    conds = [(Cond(torch.full((1, 1, 1), float(v))),) for v in (1, 0)]

    def model(x, sigma, context):
        context = context[..., None]
        return x * 0.1 * (1 + context) + context * torch.linspace(0, 1, x[0].numel()).view_as(x[:1])

    x, sigma = torch.randn(1, 4, 4, 4), torch.tensor(2.0)
    plain = Denoiser(model, *conds, 4.0)(x, sigma)
    assert torch.allclose(
        Denoiser(model, *conds, 4.0, hooks=NO_HOOKS.adding(cfg=rescale(0.0)))(x, sigma), plain, atol=1e-5
    )
    hooks = NO_HOOKS.adding(post=(lambda m, a: m + 1,)).adding(post=(lambda m, a: m * 2,))
    assert torch.allclose(Denoiser(model, *conds, 4.0, hooks=hooks)(x, sigma), (plain + 1) * 2, atol=1e-5)


def test_low_frequencies_at_one_change_nothing():
    x = torch.randn(1, 2, 8, 6)
    assert torch.allclose(low_frequencies(x, 1.0), x, atol=1e-5)
