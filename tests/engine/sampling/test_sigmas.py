import math

import torch

from engine.sampling.sigmas import from_alphas, stable_diffusion_sigmas


def test_the_table_is_that_of_stable_diffusion_in_double_precision():
    sigmas = stable_diffusion_sigmas()
    assert len(sigmas.table) == 1000
    assert abs(sigmas.maximum - 14.6146402) < 2e-6  # float32 arithmetic gives 14.6146488
    assert abs(sigmas.minimum - 0.0291675) < 1e-6
    assert (sigmas.table.diff() > 0).all()


def test_the_table_follows_the_forward_process():
    bars = torch.tensor([0.5, 0.2, 0.1], dtype=torch.float64)
    assert torch.allclose(from_alphas(bars).table, torch.tensor([1.0, 2.0, 3.0]))


def test_steps_and_sigmas_are_each_others_inverse():
    sigmas = stable_diffusion_sigmas()
    steps = torch.tensor([0.0, 1.0, 400.0, 998.0, 999.0])
    assert torch.equal(sigmas.timestep(sigmas.sigma(steps)), steps)


def test_between_two_steps_the_sigma_is_their_geometric_mean():
    sigmas = stable_diffusion_sigmas()
    between = float(sigmas.sigma(torch.tensor(10.5)))
    assert math.isclose(between, math.sqrt(float(sigmas.table[10] * sigmas.table[11])), rel_tol=1e-6)


def test_percents_run_from_all_noise_to_none():
    sigmas = stable_diffusion_sigmas()
    assert sigmas.at_percent(0) > sigmas.maximum
    assert sigmas.at_percent(1) == 0
    assert sigmas.at_percent(0.2) > sigmas.at_percent(0.8) > 0
