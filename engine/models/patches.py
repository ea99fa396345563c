"""Changes to a network that a model carries: applied for a run, taken back after it, whatever ends the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

# Given the network, a context in which it behaves differently.
NetworkPatch = Callable[[nn.Module], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class WeightPatch:
    """A parameter's new value: `delta(original) · strength` is added to `original · keep`."""

    key: str  # the parameter's name in the network
    delta: Callable[[Tensor], Tensor]
    strength: float = 1.0
    keep: float = 1.0


# network → the patches it has now, and the parameters they took the place of
_applied: WeakKeyDictionary[nn.Module, tuple[tuple[WeightPatch, ...], dict[str, nn.Parameter]]] = WeakKeyDictionary()
_lock = threading.Lock()


def apply_weights(network: nn.Module, patches: Sequence[WeightPatch]) -> None:
    """Give the network exactly these weight patches: those of another model are undone first, bit by bit.

    The originals are kept aside as they are and put back themselves, so nothing is added and subtracted
    again. Costs a second copy of the parameters that are patched. The same patches again cost nothing.
    Raises `KeyError` for a parameter that the network lacks, `ValueError` for a delta of another shape;
    the network is unpatched then.
    """
    wanted = tuple(patches)
    with _lock:
        now, originals = _applied.get(network, ((), {}))
        if len(now) == len(wanted) and all(a is b for a, b in zip(now, wanted, strict=True)):
            return
        for key, parameter in originals.items():
            _put(network, key, parameter)
        _applied.pop(network, None)
        if not wanted:
            return
        taken: dict[str, nn.Parameter] = {}
        values: dict[str, Tensor] = {}
        # outside of inference mode, so that the parameters stay ordinary ones
        with torch.inference_mode(False), torch.no_grad():
            for patch in wanted:
                original = taken.get(patch.key)
                if original is None:
                    original = taken[patch.key] = _get(network, patch.key)
                value = values.get(patch.key, original.detach().float())
                delta = patch.delta(value).to(value)
                if delta.shape != value.shape:
                    raise ValueError(
                        f"the patch of {patch.key} has the shape {tuple(delta.shape)}; the model has {tuple(value.shape)}"
                    )
                values[patch.key] = value * patch.keep + delta * patch.strength
            for key, value in values.items():
                _put(network, key, nn.Parameter(value.to(taken[key].dtype), requires_grad=False))
        _applied[network] = wanted, taken


def _get(network: nn.Module, key: str) -> nn.Parameter:
    try:
        return network.get_parameter(key)
    except AttributeError:
        raise KeyError(f"the model has no parameter {key}") from None


def _put(network: nn.Module, key: str, parameter: nn.Parameter) -> None:
    owner, _, name = key.rpartition(".")
    network.get_submodule(owner)._parameters[name] = parameter


@contextmanager
def patched(network: nn.Module, patches: Sequence[NetworkPatch]) -> Iterator[None]:
    """The network with these patches, in their order; without them again at the end, also after an error."""
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch(network))
        yield
