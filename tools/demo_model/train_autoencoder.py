"""Trains the encoder towards the latent formula, and the decoder back from it to pixels.

    python -m demo_model.train_autoencoder --minutes 60 --out DIR      (from tools/)

Both at once but apart: the encoder sees whole pictures of 64 to 192 pixels (cheap), the decoder
mostly small latents with a little noise added, as a sampler leaves them (dear: its last level
works at full resolution).
"""

from __future__ import annotations

import argparse
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
from demo_model.space import SCALE, analytic_latent

ENCODER_SIZES = ((64, 64, 16), (128, 128, 6), (96, 128, 6), (192, 192, 2))
# (picture, crop, batch): the crop is what the decoder draws, cut from a picture of that size
DECODER_SIZES = (
    ((64, 64, 6), 0.35),
    ((128, 48, 8), 0.35),
    ((128, 64, 6), 0.18),
    ((192, 64, 6), 0.06),
    ((128, 128, 2), 0.06),
)


def pictures(rng: random.Random, w: int, h: int, n: int) -> torch.Tensor:
    drawn = np.stack([np.asarray(render(sample(rng), w, h)) for _ in range(n)])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


def encoder_loss(model: torch.nn.Module, rng: random.Random) -> torch.Tensor:
    x = pictures(rng, *rng.choice(ENCODER_SIZES))
    posterior = model.encode(x).latent_dist
    target = analytic_latent(x)
    # the spread is fixed small and even: nothing here needs a prior, and VAEEncode takes a draw
    return F.mse_loss(posterior.mean * SCALE, target) + 0.001 * (posterior.logvar + 12).square().mean()


def decoder_loss(model: torch.nn.Module, rng: random.Random) -> torch.Tensor:
    side, crop, n = rng.choices([s for s, _ in DECODER_SIZES], [p for _, p in DECODER_SIZES])[0]
    x = pictures(rng, side, side, n)
    left, top = (rng.randrange(0, side - crop + 1, 8) for _ in range(2))
    x = x[:, :, top : top + crop, left : left + crop]
    z = analytic_latent(x)
    z = z + torch.randn_like(z) * 0.04 * torch.rand(n, 1, 1, 1)
    y = model.decode(z / SCALE).sample
    edges = F.l1_loss(y.diff(dim=-1), x.diff(dim=-1)) + F.l1_loss(y.diff(dim=-2), x.diff(dim=-2))
    return F.l1_loss(y, x) + 0.5 * F.mse_loss(y, x) + edges


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--minutes", type=float, default=60)
    args.add_argument("--out", type=Path, default=Path("demo-model"))
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--resume", action="store_true")
    args.add_argument("--rate", type=float, default=1e-3)
    o = args.parse_args()
    torch.set_num_threads(o.threads)
    o.out.mkdir(parents=True, exist_ok=True)
    rng, model = random.Random(), networks.autoencoder()
    if o.resume:
        model.load_state_dict(load_file(o.out / "vae.safetensors"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=o.rate, weight_decay=1e-4, betas=(0.9, 0.98))
    start, step, means, saved = time.time(), 0, [1.0, 1.0], time.time()
    while (done := (time.time() - start) / (o.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = o.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        losses = [decoder_loss(model, rng)]
        if step % 2 == 0:
            losses.append(encoder_loss(model, rng))
        optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        for i, loss in enumerate(losses):
            means[i] = 0.97 * means[i] + 0.03 * loss.item()
        if step % 20 == 0:
            print(
                f"{time.time() - start:6.0f} s  step {step}  decoder {means[0]:.4f}  encoder {means[1]:.4f}", flush=True
            )
        if time.time() - saved > 120 or done >= 1:
            saved = time.time()
            save(model, o.out)
    save(model, o.out)
    print(f"{step} steps in {time.time() - start:.0f} s")


def save(model: torch.nn.Module, out: Path) -> None:
    part = out / "vae.safetensors.part"
    save_file({k: v.detach().contiguous() for k, v in model.state_dict().items()}, part)
    part.replace(out / "vae.safetensors")


if __name__ == "__main__":
    main()
