"""The CLIP text encoder: its network, and the conditioning that a weighted prompt gives.

The network is written out here, because prompts may hold vectors in place of tokens (textual
inversions) and may stop at an earlier layer, and because its keys are then those of the checkpoint.
Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.files.safe import UnsafeNameError, inside
from engine.models.checkpoint import ModelFileError, Weights, open_weights
from engine.models.detect import CLIP, ClipShape
from engine.models.text import Token, chunk, tokenize
from engine.models.tokenizer import END, START, clip_tokenizer

log = logging.getLogger(__name__)


class _Attention(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(shape.width, shape.width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        b, n, w = x.shape
        q, k, v = (f(x).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        y: Tensor = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, w)
        return torch.as_tensor(self.out_proj(y))


class _Mlp(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(shape.width, shape.inner), nn.Linear(shape.inner, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc1(x)
        return torch.as_tensor(self.fc2(h * torch.sigmoid(1.702 * h)))  # CLIP's quick GELU


class _Layer(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.self_attn, self.mlp = _Attention(shape), _Mlp(shape)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + torch.as_tensor(self.mlp(self.layer_norm2(x)))


class _Embeddings(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.position_embedding = nn.Embedding(shape.positions, shape.width)


class _Encoder(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))


class ClipText(nn.Module):
    """CLIP's text transformer; its parameters have the checkpoint's names below `text_model.`."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings, self.encoder = _Embeddings(shape), _Encoder(shape)
        self.final_layer_norm = nn.LayerNorm(shape.width)

    def embed(self, ids: Tensor) -> Tensor:
        """Token vectors (…, width), without positions."""
        return torch.as_tensor(self.embeddings.token_embedding(ids))

    def forward(self, embedded: Tensor, skip: int = 0) -> tuple[Tensor, Tensor]:
        """Normed hidden states (B, T, width) `skip` layers before the last, and the same of the last layer."""
        states = [embedded + self.embeddings.position_embedding.weight[: embedded.shape[1]]]
        for layer in self.encoder.layers:
            states.append(layer(states[-1]))
        last = self.final_layer_norm(states[-1])
        return (self.final_layer_norm(states[-1 - skip]) if skip else last), last


@dataclass(frozen=True, slots=True)
class Clip:
    """A text encoder as nodes pass it around (type `CLIP`); copies share the network."""

    network: ClipText
    device: torch.device
    embeddings: Sequence[Path] = ()  # folders of textual inversions
    layer: int = -1  # -1: the last one; -2: the one before ("clip skip 2")
    allow_pickle: bool = False  # whether embeddings in pickled files are read
    warnings: dict[str, None] = field(default_factory=dict, repr=False)  # names already warned of

    def with_layer(self, layer: int) -> Clip:
        """The same encoder, stopping at `layer` (−1 is the last). More layers than there are count as the last."""
        return replace(self, layer=layer if -self.network.shape.layers <= layer <= -1 else -1)

    def encode(self, prompt: str) -> tuple[Tensor, Tensor]:
        """Hidden states (1, 77·chunks, width) and the pooled vector (1, width), float32 on the CPU.

        A weight w moves a token's state z to (z − z_empty)·w + z_empty, where z_empty is what the empty
        prompt has in that place.
        """
        tokenizer = clip_tokenizer()
        runs = tokenize(prompt, tokenizer.encode, self._inversion)
        chunks = chunk(runs, Token(START), Token(END), Token(END), self.network.shape.positions - 2)
        weighted = any(token.weight != 1.0 for c in chunks for token in c)
        if weighted:
            chunks.append(chunk([], Token(START), Token(END), Token(END), self.network.shape.positions - 2)[0])
        with torch.inference_mode():
            z, last = self.network(self._embed(chunks), skip=-1 - self.layer)
            ends = [
                next(i for i, token in enumerate(c) if isinstance(token.value, int) and token.value == END)
                for c in chunks
            ]
            pooled = last[0:1, ends[0]]
            if weighted:
                w = torch.tensor([[token.weight for token in c] for c in chunks[:-1]], dtype=z.dtype, device=z.device)[
                    ..., None
                ]
                empty = z[-1:]
                # tokens of weight 1 are left as they are, not moved forth and back by rounding
                z = torch.where(w == 1.0, z[:-1], (z[:-1] - empty) * w + empty)
            # ordinary tensors leave here: those made in inference mode may not be changed by anybody
            return z.reshape(1, -1, z.shape[-1]).float().cpu().clone(), pooled.float().cpu().clone()

    def _embed(self, chunks: Sequence[Sequence[Token]]) -> Tensor:
        ids = torch.tensor(
            [[t.value if isinstance(t.value, int) else 0 for t in c] for c in chunks], device=self.device
        )
        embedded = self.network.embed(ids)
        for i, c in enumerate(chunks):
            for j, token in enumerate(c):
                if isinstance(token.value, Tensor):
                    embedded[i, j] = token.value.to(embedded)
        return embedded

    def _inversion(self, name: str) -> Sequence[Tensor] | None:
        """The vectors of a textual inversion; None (with one warning) where there is none that fits."""
        suffixes = (".safetensors", ".pt", ".bin") if self.allow_pickle else (".safetensors",)
        for folder in self.embeddings:
            for candidate in (name, *(name + suffix for suffix in suffixes)):
                try:
                    path = inside(folder, candidate, follow=True)
                except UnsafeNameError:
                    continue  # a prompt is foreign text; such a name is no embedding's
                if path.suffix in suffixes and path.is_file():
                    return self._fitting(path)
        name = name.strip(",")  # tried with and without the comma that may follow it
        self._warn(name, f"there is no embedding {name[:80]!r}; it is left out of the prompt")
        return None

    def _fitting(self, path: Path) -> Sequence[Tensor] | None:
        weights = open_weights(path, allow_pickle=self.allow_pickle)
        width = self.network.shape.width
        for key, shape in weights.shapes.items():
            if shape and shape[-1] == width and len(shape) <= 2:
                return list(weights.read({key: key}, torch.float32)[key].reshape(-1, width))
        self._warn(
            path.name,
            f"the embedding {path.name} has no vectors {width} wide, as this text encoder needs; it is left out",
        )
        return None

    def _warn(self, name: str, message: str) -> None:
        if name not in self.warnings:
            self.warnings[name] = None
            log.warning(message)


def load_clip(
    weights: Weights,
    shape: ClipShape,
    device: torch.device,
    embeddings: Sequence[Path] = (),
    prefix: str = CLIP,
    dtype: torch.dtype = torch.float16,
    *,
    allow_pickle: bool = False,
) -> Clip:
    """The text encoder of a checkpoint, in float32 with its weights rounded to `dtype`.

    ComfyUI keeps text encoders in float16 and computes in float32; without the same rounding, pictures
    of checkpoints stored in float32 differ by a few thousandths. Raises `ModelFileError`.
    """
    if shape.vocabulary <= END:
        raise ModelFileError(
            f"{weights.path.name} has a vocabulary of {shape.vocabulary} words; CLIP's {END + 1} were expected"
        )
    names = {prefix + k: k for k in weights.under(prefix) if not k.endswith("position_ids")}
    state = {k: v.float() for k, v in weights.read(names, dtype).items()}
    with torch.device("meta"):
        network = ClipText(shape)
    _check(network.state_dict(), state, weights)
    network.load_state_dict(state, assign=True)
    return Clip(network.requires_grad_(False).eval().to(device), device, tuple(embeddings), allow_pickle=allow_pickle)


def _check(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], weights: Weights) -> None:
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found or key not in wanted or found[key].shape != wanted[key].shape:
            there = tuple(found[key].shape) if key in found else "nothing"
            expected = tuple(wanted[key].shape) if key in wanted else "nothing"
            raise ModelFileError(
                f"{weights.path.name} does not fit a CLIP text encoder: at {key} expected {expected}, found {there}"
            )
