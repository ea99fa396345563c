"""Trains the UNet and the text encoder together, on latents that a formula gives (space.py).

    python -m demo_model.train_diffusion --minutes 90 --out DIR      (from tools/)

Epsilon prediction on SD's beta schedule, with offset noise: plain noise has almost no mean, so a
model trained on it reads the background's colour off the initial noise instead of the prompt.
Small pictures first, because their steps are cheap; the schedule follows the clock, not the steps.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from demo_model import networks
from demo_model.draw import render, sample
from demo_model.space import analytic_latent

OFFSET_NOISE = 0.35
UNCONDITIONAL = 0.1  # share of captions left empty, for classifier-free guidance
# (width, height, batch) of the pictures, with their share of the steps, early and late
EARLY = (((64, 64, 64), 0.8), ((96, 96, 32), 0.2))
LATE = (
    ((64, 64, 48), 0.05),
    ((96, 96, 24), 0.08),
    ((128, 128, 16), 0.76),
    ((192, 192, 8), 0.05),
    ((160, 160, 10), 0.02),
    ((128, 96, 20), 0.02),
    ((96, 128, 20), 0.02),
)


def alphas_cumprod() -> torch.Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


class Captions:
    """Token ids of captions, remembered: there are few different words and tokenizing costs more than drawing."""

    def __init__(self) -> None:
        self._tokenizer, self._known = networks.tokenizer(), {}

    def __call__(self, captions: list[str]) -> torch.Tensor:
        for c in captions:
            if c not in self._known:
                self._known[c] = self._tokenizer(c, padding="max_length", max_length=77, truncation=True)["input_ids"]
            if len(self._known) > 200_000:
                self._known.clear()
                return self(captions)
        return torch.tensor([self._known[c] for c in captions])


def batch(rng: random.Random, size: tuple[int, int, int]) -> tuple[torch.Tensor, list[str]]:
    """Pixels (B, 3, H, W) in [-1, 1] and their captions."""
    w, h, n = size
    scenes = [sample(rng) for _ in range(n)]
    pixels = np.stack([np.asarray(render(s, w, h)) for s in scenes])
    captions = ["" if rng.random() < UNCONDITIONAL else rng.choice(s.captions) for s in scenes]
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1, captions


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--minutes", type=float, default=90)
    args.add_argument("--out", type=Path, default=Path("demo-model"))
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--resume", action="store_true", help="start from the weights in --out")
    args.add_argument("--rate", type=float, default=1.2e-3)
    args.add_argument("--early", type=float, default=0.35, help="share of the time on small pictures")
    args.add_argument("--device", default="cpu")
    o = args.parse_args()
    torch.set_num_threads(o.threads)
    o.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(random.randrange(2**31))
    rng, captions = random.Random(), Captions()
    unet, text = networks.unet().to(o.device), networks.text_encoder().to(o.device)
    if o.resume:
        unet.load_state_dict(load_file(o.out / "unet.safetensors"))
        text.load_state_dict(load_file(o.out / "text.safetensors"))
    averaged = copy.deepcopy(unet), copy.deepcopy(text)
    bars = alphas_cumprod().to(o.device)
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=o.rate, weight_decay=1e-4, betas=(0.9, 0.99))
    start, step, running, saved = time.time(), 0, 0.0, time.time()
    while (done := (time.time() - start) / (o.minutes * 60)) < 1:
        rate = o.rate * min(1, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        stage = EARLY if done < o.early else LATE
        size = rng.choices([s for s, _ in stage], [p for _, p in stage])[0]
        pixels, words = batch(rng, size)
        z = analytic_latent(pixels).to(o.device)
        n = len(z)
        # half of the draws fall where shapes and places are decided; the last steps are almost an identity
        t = torch.where(torch.rand(n) < 0.5, torch.randint(300, 900, (n,)), torch.randint(0, 1000, (n,))).to(o.device)
        noise = torch.randn_like(z) + OFFSET_NOISE * torch.randn(n, 4, 1, 1, device=o.device)
        a = bars[t].view(-1, 1, 1, 1)
        hidden = text(captions(words).to(o.device)).last_hidden_state
        loss = F.mse_loss(unet(a.sqrt() * z + (1 - a).sqrt() * noise, t, hidden).sample, noise)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        decay = min(0.998, (step + 1) / (step + 20))
        with torch.no_grad():
            for mean, live in zip(averaged, (unet, text), strict=True):
                torch._foreach_lerp_(list(mean.parameters()), list(live.parameters()), 1 - decay)
        step += 1
        running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
        if step % 50 == 0:
            print(f"{time.time() - start:6.0f} s  step {step}  loss {running:.4f}  rate {rate:.2e}  {size}", flush=True)
        if time.time() - saved > 120:
            saved = time.time()
            save(averaged, o.out)
    save(averaged, o.out)
    print(f"{step} steps in {time.time() - start:.0f} s")


def save(networks_: tuple[torch.nn.Module, torch.nn.Module], out: Path) -> None:
    for name, network in zip(("unet", "text"), networks_, strict=True):
        part = out / f"{name}.safetensors.part"
        save_file({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}, part)
        part.replace(out / f"{name}.safetensors")


if __name__ == "__main__":
    main()
