"""All node definitions of a worker, by class name, and their description for `/object_info`."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from engine.files.folders import Folders
from engine.nodes.definition import NodeDefinition
from engine.nodes.origins import module_of

log = logging.getLogger(__name__)

# Each has its definitions in `NODES`; the order is that of `/object_info`.
MODULES = (
    "image",
    "loaders",
    "conditioning",
    "conditioning_hook_make",
    "conditioning_hooks",
    "conditioning_text",
    "conditioning_edit",
    "conditioning_area",
    "conditioning_video",
    "sampling",
    "sampling_custom",
    "sampling_sigmas",
    "model_patches",
    "model_patches_levels",
    "model_patches_attention",
    "latent",
    "latent_vae",
    "latent_empty",
    "latent_transform",
    "latent_math",
    "latent_batch",
    "primitives",
    "strings",
    "mask",
    "image_transform",
    "image_effects",
    "audio",
    "video",
)


class Registry(Mapping[str, NodeDefinition]):
    """Class name → definition; read-only after the start."""

    def __init__(self, definitions: Mapping[str, NodeDefinition]) -> None:
        self._definitions = dict(definitions)

    def __getitem__(self, name: str) -> NodeDefinition:
        return self._definitions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def describe(self, folders: Folders, name: str | None = None) -> bytes:
        """The JSON body of `/object_info`, or of `/object_info/{name}` (`{}` for an unknown class).

        A node whose choices cannot be listed is left out and logged: one unreadable folder must not hide the others.
        """
        wanted = self._definitions.values() if name is None else filter(None, [self._definitions.get(name)])
        described = {}
        for definition in wanted:
            try:
                described[definition.name] = definition.info(folders)
            except OSError as error:
                log.warning("%s is left out of the node list: %s", definition.name, error)
        return msgspec.json.encode(described)


def builtin() -> Registry:
    """The nodes that come with the engine."""
    modules = [importlib.import_module(f"engine.nodes.{name}") for name in MODULES]
    definitions = [definition for module in modules for definition in module.NODES]
    return Registry({each.name: replace(each, python_module=module_of(each.name)) for each in definitions})
