"""What can be done about a job that failed, told from how the server named the failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.graph import Graph, inputs
from comfytui.workflow.inputs import near


class Remedies(msgspec.Struct, frozen=True):
    """What kind of failure it is, in two or three words, and what to try, most promising first."""

    kind: str
    steps: tuple[str, ...]


# Texts of PyTorch, CUDA, ROCm, MPS and of the operating system; the class alone is not enough, for
# wrappers raise their own.
_MEMORY = re.compile(
    r"out ?of ?memory|OutOfMemory|can't allocate memory|cannot allocate memory|Allocation on device"
    r"|MPS backend out|not enough memory|CUBLAS_STATUS_ALLOC_FAILED|MemoryError",
    re.I,
)
_FULL = re.compile(r"no space left on device|Errno 28|disk quota", re.I)
_DAMAGED = re.compile(
    r"HeaderTooLarge|HeaderTooSmall|InvalidHeader|MetadataIncompleteBuffer|header too (large|small)|invalid load key"
    r"|PytorchStreamReader|unexpected EOF|incomplete metadata|not a safetensors",
    re.I,
)
_PICKLE = re.compile(r"weights_only|--allow-pickle|pickle", re.I)
_SHAPES = re.compile(
    r"mat1 and mat2 shapes|size mismatch|expected input\[.*\] to have \d+ channels|must match the size of tensor"
    r"|shape .* is invalid for input|Sizes of tensors must match",
    re.I,
)
_ABSENT = re.compile(
    r"FileNotFound|no such file|not found|does not exist|Invalid image file|Model in folder|Value not in list", re.I
)
_NODE = re.compile(r"node (?P<name>[\w.+ -]+?) does not exist|missing_node_type|Cannot import|not be installed", re.I)
_DIED = re.compile(r"worker (process )?(died|ended|was killed|stopped)|SIGSEGV|SIGKILL|SIGABRT", re.I)
MODEL_FILE = re.compile(r"\.(?:safetensors|sft|ckpt|pt|pth|bin|gguf)$", re.I)
_FILE = re.compile(r"[\w][\w .()+\[\]-]*\.(?:safetensors|sft|ckpt|pt|pth|bin|gguf|png|jpe?g|webp|mp4)", re.I)


def remedies(
    message: str,
    exception_type: str = "",
    *,
    node_type: str = "",
    node_inputs: Mapping[str, Any] | None = None,
    graph: Graph | None = None,
    object_info: ObjectInfo | None = None,
) -> Remedies | None:
    """What to try, or None where nothing better is known than the message itself.

    `node_inputs` are those the server says the node had; `graph` and `object_info` make the advice name
    this workflow's own numbers and this server's own files.
    """
    said = f"{exception_type} {message}"
    if _DIED.search(said):
        return Remedies("the engine's worker died", tuple(_died(said)))
    if _MEMORY.search(said):
        return Remedies("out of memory", tuple(_memory(node_type, graph or {})))
    if _FULL.search(said):
        return Remedies(
            "disk full", ("Free some space on the server's disk (output, temp and input folders), then run it again.",)
        )
    if match := _NODE.search(message):
        return Remedies("missing node type", tuple(_missing_node(match["name"] or node_type, object_info)))
    if _DAMAGED.search(said):
        return Remedies("damaged file", tuple(_damaged(message, node_inputs or {})))
    if _PICKLE.search(said):
        return Remedies(
            "pickled weights",
            ("Use the same model as .safetensors: a pickled file can run code when it is loaded.",),
        )
    if _ABSENT.search(said) and (names := _files(message, node_inputs or {})):
        return Remedies("missing file", tuple(_missing_files(names, object_info)))
    if _SHAPES.search(said):
        return Remedies(
            "parts that do not fit",
            (
                "A part is of another model family: a LoRA, ControlNet, VAE or text encoder must be made for the "
                "family of the checkpoint (SD 1.5, SDXL, Flux …).",
                "Compare the names of the models in the workflow's inputs.",
            ),
        )
    return None


def _memory(node_type: str, graph: Graph) -> Iterator[str]:
    sizes = list(_sizes(graph))
    if sizes:
        width, height, batch = max(sizes, key=lambda size: size[0] * size[1] * size[2])
        smaller = f"{_multiple(width * 3 / 4)}×{_multiple(height * 3 / 4)}"
        yield f"Make the picture smaller: {smaller} takes about half the memory of {width}×{height}."
        if batch > 1:
            yield f"A batch of {batch} takes {batch} times the memory: use batch 1 and queue it {batch} times."
    else:
        yield "Make the picture, the batch or the number of frames smaller."
    if "VAE" in node_type and "Tiled" not in node_type:
        yield f"Use {node_type.split('(', maxsplit=1)[0].strip()} in its tiled form: the VAE is what ran out."
    yield "Unload the server's models, then run the job again."
    yield "See what else holds the GPU's memory on that box (nvidia-smi); a model in fp8 takes half of fp16."


def _sizes(graph: Graph) -> Iterator[tuple[int, int, int]]:
    for node_id in graph:
        given = inputs(graph, node_id)
        width, height, batch = (given.get(name) for name in ("width", "height", "batch_size"))
        if isinstance(width, int) and isinstance(height, int) and not isinstance(width, bool) and width > 0 < height:
            yield width, height, batch if isinstance(batch, int) and batch > 0 else 1


def _multiple(value: float, of: int = 64) -> int:
    return max(of, int(value) // of * of)


def _died(said: str) -> Iterator[str]:
    yield "The engine has started a new worker: run the job again."
    if "SIGKILL" in said:
        yield "The system kills what takes too much memory: a smaller picture or batch may pass."
    yield "The server's log holds what the worker wrote last."


def _missing_node(name: str, object_info: ObjectInfo | None) -> Iterator[str]:
    if object_info and name and (close := near(name, object_info, cutoff=0.7)):
        yield f"This server has {' and '.join(close)}."
    yield f"Install the custom nodes that hold {name or 'it'} on the server (ComfyUI-Manager finds them by name), restart it."
    yield "Or send the job to a server that has them."


def _damaged(message: str, given: Mapping[str, Any]) -> Iterator[str]:
    names = _files(message, given)
    which = names[0] if names else "the file"
    yield f"{which} is damaged or incomplete: compare its size with the source, and download it again."
    yield "A file of a few hundred bytes is a Git LFS pointer and not the model."


def _missing_files(names: list[str], object_info: ObjectInfo | None) -> Iterator[str]:
    have = set(_choices(object_info)) if object_info else set()
    for name in names[:3]:
        if close := near(name, have, cutoff=0.6):
            yield f"{name} is not there; near: {', '.join(close)}."
        else:
            yield f"{name} is not on the server: put it into the folder of its kind below models/ or input/."
    yield "Then reload the nodes: the server tells its files with them."


def _choices(object_info: ObjectInfo) -> Iterator[str]:
    """Every file name that any node offers."""
    for name in object_info:
        for declared in catalog.declared(object_info, name).values():
            yield from (choice for choice in declared.choices if isinstance(choice, str) and _FILE.search(choice))


def _files(message: str, given: Mapping[str, Any]) -> list[str]:
    """File names that the message or the node's inputs name, once each, those of the message first."""
    texts: Iterable[str] = [
        message.partition(" not in [")[0],  # what follows is what the server has
        *(value for value in given.values() if isinstance(value, str) and len(value) < 300),
    ]
    found: dict[str, None] = {}
    for text in texts:
        found.update(dict.fromkeys(match.group().strip() for match in _FILE.finditer(text[:4000])))
    return list(found)
