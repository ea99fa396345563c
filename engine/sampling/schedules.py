"""The schedules: which noise levels a number of steps goes through, from the largest to zero."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from engine.sampling.sigmas import Sigmas

# table, steps → falling sigmas with 0 at the end; most have steps + 1 entries, ddim_uniform and beta may have more or fewer
Schedule = Callable[[Sigmas, int], Tensor]


def _closed(levels: list[float] | Tensor) -> Tensor:
    """The levels with zero behind them."""
    return torch.cat([torch.as_tensor(levels, dtype=torch.float32), torch.zeros(1)])


def simple(sigmas: Sigmas, steps: int) -> Tensor:
    """Every n-th entry of the table, from the top."""
    stride = len(sigmas.table) / steps
    return _closed([float(sigmas.table[-(1 + int(i * stride))]) for i in range(steps)])


def normal(sigmas: Sigmas, steps: int) -> Tensor:
    """Even in training steps, both ends of the table included."""
    first, last = (float(sigmas.timestep(torch.tensor([s]))) for s in (sigmas.maximum, sigmas.minimum))
    if math.isclose(sigmas.minimum, 0, abs_tol=1e-5):  # a table that reaches zero needs none appended
        return sigmas.sigma(torch.linspace(first, last, steps + 1))
    return _closed(sigmas.sigma(torch.linspace(first, last, steps)))


def sgm_uniform(sigmas: Sigmas, steps: int) -> Tensor:
    """Even in training steps, with room left for a last step to zero."""
    first, last = (float(sigmas.timestep(torch.tensor([s]))) for s in (sigmas.maximum, sigmas.minimum))
    return _closed(sigmas.sigma(torch.linspace(first, last, steps + 1)[:-1]))


def karras(sigmas: Sigmas, steps: int, rho: float = 7.0) -> Tensor:
    """Even in σ^(1/ρ): Karras et al. 2022, equation 5."""
    low, high = sigmas.minimum ** (1 / rho), sigmas.maximum ** (1 / rho)
    return _closed((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)


def exponential(sigmas: Sigmas, steps: int) -> Tensor:
    """Even in log σ."""
    return _closed(torch.linspace(math.log(sigmas.maximum), math.log(sigmas.minimum), steps).exp())


def ddim_uniform(sigmas: Sigmas, steps: int) -> Tensor:
    """Whole strides through the table from its small end (Song et al. 2021); the number of steps may come out larger."""
    table = sigmas.table
    start: list[float] = [0.0]
    if math.isclose(float(table[1]), 0, abs_tol=1e-5):
        steps, start = steps + 1, []
    stride = max(len(table) // steps, 1)
    return torch.tensor([*start, *(float(table[i]) for i in range(1, len(table), stride))][::-1])


def beta(sigmas: Sigmas, steps: int, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Training steps at the quantiles of a Beta distribution: dense at both ends (Lee et al. 2024, arXiv:2407.12173)."""
    from scipy.special import betaincinv  # the quantile function of scipy.stats, without its slow import

    last = len(sigmas.table) - 1
    places = [round(float(betaincinv(alpha, beta, 1 - i / steps)) * last) for i in range(steps)]
    return _closed([float(sigmas.table[p]) for p in dict.fromkeys(places)])


def linear_quadratic(sigmas: Sigmas, steps: int, threshold: float = 0.025) -> Tensor:
    """Half of the steps even over the first `threshold` of the way, then quadratic (Polyak et al. 2024, Movie Gen)."""
    if steps == 1:
        return torch.tensor([sigmas.maximum, 0.0])
    n = steps // 2
    rest = steps - n
    excess = n - threshold * steps
    a = excess / (n * rest**2)
    b = threshold / n - 2 * excess / rest**2
    way = [i * threshold / n for i in range(n)] + [a * i**2 + b * i + a * n**2 for i in range(n, steps)] + [1.0]
    return torch.tensor([1 - w for w in way]) * sigmas.maximum


def kl_optimal(sigmas: Sigmas, steps: int) -> Tensor:
    """Even in arctan σ: Sabour et al. 2024, "Align Your Steps", the optimum for Gaussian data."""
    share = torch.linspace(0, 1, steps)
    return _closed(torch.tan(share * math.atan(sigmas.minimum) + (1 - share) * math.atan(sigmas.maximum)))


SCHEDULES: dict[str, Schedule] = {
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "karras": karras,
    "exponential": exponential,
    "ddim_uniform": ddim_uniform,
    "beta": beta,
    "normal": normal,
    "linear_quadratic": linear_quadratic,
    "kl_optimal": kl_optimal,
}
