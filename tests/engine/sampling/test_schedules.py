import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sampling.run import SamplingError, between, sigmas_for
from engine.sampling.schedules import SCHEDULES
from engine.sampling.sigmas import stable_diffusion_sigmas

TABLE = stable_diffusion_sigmas()


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=25, deadline=None)
@given(steps=st.integers(1, 200))
def test_every_schedule_falls_from_noise_to_zero(name, steps):
    levels = SCHEDULES[name](TABLE, steps)
    assert torch.isfinite(levels).all()
    assert levels[-1] == 0
    assert (levels.diff() < 0).all()
    assert levels[0] <= TABLE.maximum * (1 + 1e-5)
    if name not in ("ddim_uniform", "beta"):  # these two may come out with another number of steps
        assert len(levels) == steps + 1


@pytest.mark.parametrize("name", ["simple", "normal", "karras", "exponential", "sgm_uniform", "kl_optimal"])
def test_most_schedules_begin_at_the_top(name):
    assert math.isclose(float(SCHEDULES[name](TABLE, 20)[0]), TABLE.maximum, rel_tol=1e-5)


def test_karras_is_even_in_the_seventh_root():
    roots = SCHEDULES["karras"](TABLE, 12)[:-1].double() ** (1 / 7)
    assert torch.allclose(roots.diff(), roots.diff()[0], rtol=1e-3)


def test_exponential_is_even_in_the_logarithm():
    logs = SCHEDULES["exponential"](TABLE, 12)[:-1].double().log()
    assert torch.allclose(logs.diff(), logs.diff()[0], rtol=1e-4)


def test_kl_optimal_is_even_in_the_arctangent():
    angles = SCHEDULES["kl_optimal"](TABLE, 12)[:-1].double().atan()
    assert torch.allclose(angles.diff(), angles.diff()[0], rtol=1e-3)


def test_a_lower_denoise_takes_the_end_of_a_longer_schedule():
    short = sigmas_for(TABLE, 10, "normal", "euler", denoise=0.5)
    assert len(short) == 11
    assert torch.equal(short, SCHEDULES["normal"](TABLE, 20)[-11:])


def test_no_denoise_leaves_nothing_to_do():
    assert len(sigmas_for(TABLE, 10, "normal", "euler", denoise=0.0)) == 0


def test_second_order_samplers_skip_the_last_but_one_level():
    levels = sigmas_for(TABLE, 10, "karras", "dpm_2")
    whole = SCHEDULES["karras"](TABLE, 11)
    assert torch.equal(levels, torch.cat([whole[:-2], whole[-1:]]))


def test_an_unknown_name_is_refused_with_the_list():
    with pytest.raises(SamplingError, match=r"no sampler 'eulr'.*euler_ancestral"):
        sigmas_for(TABLE, 10, "normal", "eulr")
    with pytest.raises(SamplingError, match=r"no scheduler 'norml'.*karras"):
        sigmas_for(TABLE, 10, "norml", "euler")


LEVELS = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0])


def test_a_run_that_stops_early_ends_without_noise_unless_told_otherwise():
    assert between(LEVELS, 0, 2, to_zero=True).tolist() == [4, 3, 0]
    assert between(LEVELS, 0, 2, to_zero=False).tolist() == [4, 3, 2]
    assert LEVELS.tolist() == [4, 3, 2, 1, 0]


def test_a_run_that_starts_late_skips_levels_and_may_have_none_left():
    assert between(LEVELS, 2, 10000, to_zero=True).tolist() == [2, 1, 0]
    assert len(between(LEVELS, 4, None, to_zero=True)) == 0
