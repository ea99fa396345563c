"""The samplers by ComfyUI's names, with what sets some of them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from engine.sampling import cfg_pp, dpm_solver, euler, multistep, stochastic
from engine.sampling.denoiser import Callback, Denoiser
from engine.sampling.noise import NoiseSource

Sampler = Callable[[Denoiser, Tensor, Tensor, NoiseSource, Callback], Tensor]


@dataclass(frozen=True, slots=True)
class Entry:
    """A sampler and its habits."""

    sample: Sampler
    skip_penultimate: bool = False  # one step more is scheduled, and the last but one sigma left out
    fresh_inpaint_noise: bool = False  # what inpainting keeps gets noise of its own (seed + 1), not the initial one


# In the order of ComfyUI's list, which is what clients show.
SAMPLERS: dict[str, Entry] = {
    "euler": Entry(euler.euler),
    "euler_cfg_pp": Entry(cfg_pp.euler_cfg_pp),
    "euler_ancestral": Entry(euler.euler_ancestral),
    "euler_ancestral_cfg_pp": Entry(cfg_pp.euler_ancestral_cfg_pp),
    "heun": Entry(euler.heun),
    "heunpp2": Entry(euler.heunpp2),
    "exp_heun_2_x0": Entry(stochastic.exp_heun_2_x0),
    "exp_heun_2_x0_sde": Entry(stochastic.exp_heun_2_x0_sde),
    "dpm_2": Entry(euler.dpm_2, skip_penultimate=True),
    "dpm_2_ancestral": Entry(euler.dpm_2_ancestral, skip_penultimate=True),
    "lms": Entry(euler.lms),
    "dpm_fast": Entry(dpm_solver.dpm_fast),
    "dpm_adaptive": Entry(dpm_solver.dpm_adaptive),
    "dpmpp_2s_ancestral": Entry(dpm_solver.dpmpp_2s_ancestral),
    "dpmpp_2s_ancestral_cfg_pp": Entry(cfg_pp.dpmpp_2s_ancestral_cfg_pp),
    "dpmpp_sde": Entry(dpm_solver.dpmpp_sde),
    "dpmpp_sde_gpu": Entry(dpm_solver.dpmpp_sde_gpu),
    "dpmpp_2m": Entry(dpm_solver.dpmpp_2m),
    "dpmpp_2m_cfg_pp": Entry(cfg_pp.dpmpp_2m_cfg_pp),
    "dpmpp_2m_sde": Entry(dpm_solver.dpmpp_2m_sde),
    "dpmpp_2m_sde_gpu": Entry(dpm_solver.dpmpp_2m_sde_gpu),
    "dpmpp_2m_sde_heun": Entry(dpm_solver.dpmpp_2m_sde_heun),
    "dpmpp_2m_sde_heun_gpu": Entry(dpm_solver.dpmpp_2m_sde_heun_gpu),
    "dpmpp_3m_sde": Entry(dpm_solver.dpmpp_3m_sde),
    "dpmpp_3m_sde_gpu": Entry(dpm_solver.dpmpp_3m_sde_gpu),
    "ddpm": Entry(stochastic.ddpm),
    "lcm": Entry(stochastic.lcm),
    "ipndm": Entry(multistep.ipndm),
    "ipndm_v": Entry(multistep.ipndm_v),
    "deis": Entry(multistep.deis),
    "res_multistep": Entry(multistep.res_multistep),
    "res_multistep_cfg_pp": Entry(multistep.res_multistep_cfg_pp),
    "res_multistep_ancestral": Entry(multistep.res_multistep_ancestral),
    "res_multistep_ancestral_cfg_pp": Entry(multistep.res_multistep_ancestral_cfg_pp),
    "gradient_estimation": Entry(multistep.gradient_estimation),
    "gradient_estimation_cfg_pp": Entry(multistep.gradient_estimation_cfg_pp),
    "er_sde": Entry(stochastic.er_sde),
    "seeds_2": Entry(stochastic.seeds_2),
    "seeds_3": Entry(stochastic.seeds_3),
    "sa_solver": Entry(stochastic.sa_solver),
    "sa_solver_pece": Entry(stochastic.sa_solver_pece),
    "ddim": Entry(euler.euler, fresh_inpaint_noise=True),
    "uni_pc": Entry(multistep.uni_pc, skip_penultimate=True),
    "uni_pc_bh2": Entry(multistep.uni_pc_bh2, skip_penultimate=True),
}
