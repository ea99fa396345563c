"""Samplers against data whose denoiser is known: a Gaussian, where the ODE has an exact solution."""

import json
from pathlib import Path

import pytest
import torch

from engine.sampling.denoiser import Denoiser, Inpaint, nothing
from engine.sampling.guidance import Cond
from engine.sampling.noise import NoiseSource
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULES
from engine.sampling.sigmas import stable_diffusion_sigmas

MEAN, SPREAD = 1.5, 0.5  # of the data
CONTEXT = Cond(torch.zeros(1, 1, 1))
OBJECT_INFO = Path(__file__).parents[4] / "shared" / "recordings" / "object_info.json"
NOISY = {n for n in SAMPLERS if any(k in n for k in ("ancestral", "sde", "ddpm", "lcm", "seeds", "sa_solver"))}
# of the rest, those that solve the ODE; CFG++ does too where both sides of the guidance agree
DETERMINISTIC = sorted(set(SAMPLERS) - NOISY)


def gaussian(x, sigma, context):
    """E[x0 | x] for data of this mean and spread."""
    s = sigma.view(-1, 1, 1, 1)
    return (x * SPREAD**2 + MEAN * s**2) / (SPREAD**2 + s**2)


def exact(x, start, end):
    """Where the ODE takes x: distances from the mean shrink with the total spread."""
    return MEAN + (x - MEAN) * ((SPREAD**2 + end**2) / (SPREAD**2 + start**2)) ** 0.5


def denoiser(cfg=3.0, **extra):
    return Denoiser(gaussian, (CONTEXT,), (CONTEXT,), cfg, **extra)


def run(name, levels, seed=1, callback=nothing, n=64):
    unit = torch.randn(1, 4, n, n, generator=torch.Generator().manual_seed(seed), dtype=levels.dtype)
    x = MEAN + unit * (levels[0] ** 2 + SPREAD**2).sqrt()
    with torch.inference_mode():
        return x, SAMPLERS[name].sample(denoiser(), x, levels, NoiseSource(seed), callback)


def error(name, steps):
    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), steps)[
        :-1
    ].double()  # not to zero, where every method is exact
    x, found = run(name, levels, n=8)
    return float((found - exact(x, levels[0], levels[-1])).abs().mean())


@pytest.mark.skipif(not OBJECT_INFO.exists(), reason="needs the recordings")
def test_all_samplers_and_schedulers_of_comfyui_in_its_order():
    info = json.loads(OBJECT_INFO.read_text())["KSampler"]["input"]["required"]
    assert list(SAMPLERS) == info["sampler_name"][0]
    assert list(SCHEDULES) == info["scheduler"][0]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_the_data_from_noise(name):
    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), 40)
    _, found = run(name, levels)
    assert torch.isfinite(found).all()
    assert abs(float(found.mean()) - MEAN) < 0.05
    # lcm jumps to x0 at every step, which keeps only the last draw's spread
    assert 0.3 * SPREAD < float(found.std()) < 1.3 * SPREAD or name == "lcm"


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_deterministic_samplers_converge_to_the_solution(name):
    if name == "dpm_adaptive":  # its steps are its own
        assert error(name, 10) < 0.02
        return
    coarse, fine = error(name, 16), error(name, 64)
    assert fine < 0.03
    assert fine < coarse / 2.5


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("euler", 1),
        ("heun", 2),
        ("dpm_2", 2),
        ("dpmpp_2m", 2),
        ("lms", 3),
        ("deis", 2),
        ("res_multistep", 2),
        ("uni_pc", 2),
    ],
)
def test_the_error_falls_with_the_method_s_order(name, order):
    coarse, fine = error(name, 32), error(name, 128)
    assert fine < coarse / 4 ** (order - 0.5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_gives_the_same_picture_and_only_random_samplers_notice_another(name):
    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), 6)
    x = torch.randn(1, 4, 8, 8) * levels[0]

    def go(seed):
        return SAMPLERS[name].sample(denoiser(), x, levels, NoiseSource(seed), nothing)

    first = go(5)
    assert torch.equal(first, go(5))
    assert torch.equal(first, go(6)) == (name not in NOISY)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_tells_its_steps_in_order_and_within_the_total(name):
    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), 7)
    steps = []
    run(name, levels, callback=lambda i, x0: steps.append(i), n=4)
    assert steps
    assert steps == sorted(steps)
    assert steps[0] >= 0
    assert steps[-1] <= 6


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_is_enough_for_none_to_fail(name):
    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), 1)
    _, found = run(name, levels, n=4)
    assert torch.isfinite(found).all()


def test_guidance_of_one_asks_the_network_for_the_positive_side_alone():
    sizes = []

    def model(x, sigma, context):
        sizes.append(len(x))
        return x

    for cfg in (1.0, 2.0):
        Denoiser(model, (CONTEXT,), (CONTEXT,), cfg)(torch.zeros(1, 4, 2, 2), torch.tensor(1.0))
    assert sizes == [1, 2]


def test_guidance_moves_away_from_the_negative_side_which_comes_first():
    def model(x, sigma, context):
        return context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x)

    positive, negative = Cond(torch.full((1, 1, 1), 2.0)), Cond(torch.full((1, 1, 1), 1.0))
    found = Denoiser(model, (positive,), (negative,), 7.5)(torch.zeros(1, 4, 2, 2), torch.tensor(1.0))
    assert torch.allclose(found, torch.tensor(1 + 7.5))


def test_inpainting_returns_what_is_kept_and_shows_the_network_its_noise():
    seen = []

    def model(x, sigma, context):
        seen.append(x)
        return torch.zeros_like(x)

    mask = torch.zeros(1, 1, 2, 2)
    mask[..., 0] = 1
    latent, noise = torch.full((1, 4, 2, 2), 5.0), torch.ones(1, 4, 2, 2)
    found = Denoiser(model, (CONTEXT,), (CONTEXT,), 1.0, Inpaint(mask, latent, noise))(
        torch.zeros(1, 4, 2, 2), torch.tensor(3.0)
    )
    assert found[0, 0].tolist() == [[0, 5], [0, 5]]
    assert seen[0][0, 0].tolist() == [[0, 8], [0, 8]]


def test_a_wish_to_stop_ends_the_run_before_the_next_call():
    calls = []

    class StopError(Exception):
        pass

    def check():
        if len(calls) == 2:
            raise StopError

    def model(x, sigma, context):
        calls.append(1)
        return x

    levels = SCHEDULES["karras"](stable_diffusion_sigmas(), 10)
    with pytest.raises(StopError):
        SAMPLERS["heun"].sample(
            Denoiser(model, (CONTEXT,), (CONTEXT,), 1.0, check=check),
            torch.zeros(1, 4, 2, 2),
            levels,
            NoiseSource(0),
            nothing,
        )
    assert len(calls) == 2
