"""Measures what the demo model draws: shape, colour and background of pictures against their prompts.

    python -m demo_model.evaluate http://127.0.0.1:8188 [--prompts 240] [--sheet sheet.png]      (from tools/)

The pictures come from a running engine through its API, as a user's would. A picture is right where
all three are; no network judges, only geometry and colour distance, so the figure is reproducible.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import time
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from demo_model.draw import COLOURS, SHAPES, held_out, outline

CHECKPOINT = "comfytui-demo.safetensors"


@dataclass(frozen=True)
class Seen:
    """What a picture shows, as far as it can be told."""

    shape: str
    colour: str
    ground: str


def _nearest(rgb: np.ndarray) -> str:
    return min(COLOURS, key=lambda name: float(((rgb - np.array(COLOURS[name], float)) ** 2).sum()))


def _fit(mask: np.ndarray, side: int = 40) -> np.ndarray:
    """The mask's bounding box, padded to a square and scaled to `side`."""
    ys, xs = np.where(mask)
    box = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    n = max(box.shape)
    square = np.zeros((n, n), bool)
    y, x = (n - box.shape[0]) // 2, (n - box.shape[1]) // 2
    square[y : y + box.shape[0], x : x + box.shape[1]] = box
    return np.asarray(Image.fromarray(square.astype(np.uint8) * 255).resize((side, side))) > 127


def _template(shape: str) -> np.ndarray:
    picture = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(picture)
    draw.polygon(outline(shape, 128, 128, 110), fill=255)
    if shape == "ring":
        draw.polygon(outline("circle", 128, 128, 110 * 0.52), fill=0)
    return _fit(np.asarray(picture) > 127)


TEMPLATES = {shape: _template(shape) for shape in SHAPES}


def look(picture: Image.Image) -> Seen:
    """Name the background (the frame's median), the largest thing on it, its colour and its shape."""
    pixels = np.asarray(picture.convert("RGB"), float)
    edge = max(3, pixels.shape[0] // 24)
    frame = np.concatenate(
        [
            pixels[:edge].reshape(-1, 3),
            pixels[-edge:].reshape(-1, 3),
            pixels[:, :edge].reshape(-1, 3),
            pixels[:, -edge:].reshape(-1, 3),
        ]
    )
    back = np.median(frame, 0)
    labels, n = ndimage.label(np.sqrt(((pixels - back) ** 2).sum(-1)) > 55)
    if not n:
        return Seen("nothing", "nothing", _nearest(back))
    largest = labels == 1 + int(np.argmax(ndimage.sum_labels(np.ones_like(labels), labels, range(1, n + 1))))
    inner = ndimage.binary_erosion(largest, iterations=2)
    colour = _nearest(np.median(pixels[inner if inner.any() else largest], 0))
    fitted = _fit(largest)
    shape = max(SHAPES, key=lambda s: (fitted & TEMPLATES[s]).sum() / (fitted | TEMPLATES[s]).sum())
    return Seen(shape, colour, _nearest(back))


def workflow(text: str, seed: int, width: int, height: int, steps: int, cfg: float) -> dict[str, object]:
    def node(kind: str, **inputs: object) -> dict[str, object]:
        return {"class_type": kind, "inputs": inputs}

    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "2": node("CLIPTextEncode", clip=["1", 1], text=text),
        "3": node("CLIPTextEncode", clip=["1", 1], text=""),
        "4": node("EmptyLatentImage", width=width, height=height, batch_size=1),
        "5": node(
            "KSampler",
            model=["1", 0],
            positive=["2", 0],
            negative=["3", 0],
            latent_image=["4", 0],
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("PreviewImage", images=["6", 0]),
    }


def picture(base: str, graph: dict[str, object]) -> Image.Image:
    """Submit, wait, fetch."""
    body = json.dumps({"prompt": graph, "prompt_id": str(uuid.uuid4())}).encode()
    request = urllib.request.Request(f"{base}/prompt", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        prompt_id = json.load(reply)["prompt_id"]
    while True:
        with urllib.request.urlopen(f"{base}/history/{prompt_id}", timeout=30) as reply:
            entry = json.load(reply).get(prompt_id)
        if entry:
            break
        time.sleep(0.02)
    if entry["status"]["status_str"] != "success":
        raise SystemExit(f"the engine failed: {entry['status']['messages'][-1]}")
    image = entry["outputs"]["7"]["images"][0]
    with urllib.request.urlopen(f"{base}/view?{urllib.parse.urlencode(image)}", timeout=30) as reply:
        return Image.open(io.BytesIO(reply.read())).convert("RGB")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("server")
    args.add_argument("--prompts", type=int, default=240, help="half of them combinations that training never saw")
    args.add_argument("--size", type=int, nargs=2, default=(128, 128))
    args.add_argument("--steps", type=int, default=20)
    args.add_argument("--cfg", type=float, default=6.0)
    args.add_argument("--sheet", type=Path, help="write the pictures here, side by side")
    o = args.parse_args()
    rng = random.Random(2026)
    combinations = [c for c in itertools.product(SHAPES, COLOURS, COLOURS) if c[1] != c[2]]
    rng.shuffle(combinations)
    shown: list[tuple[Image.Image, bool]] = []
    for kind, unseen in (("seen", False), ("unseen", True)):
        right: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        chosen = [c for c in combinations if held_out(*c) == unseen][: o.prompts // 2]
        for i, (shape, colour, ground) in enumerate(chosen):
            text = f"a{'n' if colour[0] in 'aeiou' else ''} {colour} {shape} on a{'n' if ground[0] in 'aeiou' else ''} {ground} background"
            result = picture(o.server, workflow(text, 1000 + i, *o.size, o.steps, o.cfg))
            seen = look(result)
            verdict = {
                "shape": seen.shape == shape,
                "colour": seen.colour == colour,
                "background": seen.ground == ground,
            }
            right.update(k for k, ok in verdict.items() if ok)
            right["all three"] += all(verdict.values())
            if not all(verdict.values()):
                wrong[f"{text} -> {seen.colour} {seen.shape} on {seen.ground}"] += 1
            shown.append((result, all(verdict.values())))
        n = len(chosen)
        print(
            f"{kind:7s} {n} prompts: "
            + ", ".join(f"{k} {right[k] / n:.1%}" for k in ("shape", "colour", "background", "all three"))
        )
        for line in list(wrong)[:12]:
            print("   ", line)
    if o.sheet:
        w, h = o.size
        columns = 16
        sheet = Image.new("RGB", (columns * (w + 4), -(-len(shown) // columns) * (h + 4)), "grey")
        for i, (image, good) in enumerate(shown):
            at = (i % columns * (w + 4), i // columns * (h + 4))
            if not good:
                sheet.paste((255, 0, 0), (at[0], at[1], at[0] + w + 4, at[1] + h + 4))
            sheet.paste(image, (at[0] + 2, at[1] + 2))
        sheet.save(o.sheet)


if __name__ == "__main__":
    main()
