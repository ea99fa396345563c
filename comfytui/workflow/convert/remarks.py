"""What a conversion has to tell beside its result: remarks, and the nodes that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from comfytui.workflow.errors import WorkflowError


class Remark(msgspec.Struct, frozen=True):
    """One thing a user should know about a node. `node_id` is the one in the API graph, as `12:7`."""

    text: str
    node_id: str = ""
    title: str = ""

    def __str__(self) -> str:
        return f"node {self.node_id} ({self.title}): {self.text}" if self.node_id else self.text


class MissingNode(msgspec.Struct, frozen=True):
    """A node whose class the server does not know. `pack` and `version` are what the workflow tells of its origin."""

    class_type: str
    node_id: str
    title: str
    pack: str = ""  # id in the registry, or owner/repository
    version: str = ""

    def __str__(self) -> str:
        named = f" {self.title!r}" if self.title and self.title != self.class_type else ""
        origin = " ".join(part for part in (self.pack, self.version) if part)
        return f"{self.class_type} (node {self.node_id}{named}{f', of {origin}' if origin else ''})"


class MissingNodesError(WorkflowError):
    """The workflow needs node classes that the server does not have. `missing` lists every such node."""

    def __init__(self, missing: Sequence[MissingNode], *, name: str = "") -> None:
        self.missing = tuple(missing)
        classes = list(dict.fromkeys(each.class_type for each in self.missing))
        packs = list(dict.fromkeys(each.pack for each in self.missing if each.pack and each.pack != "comfy-core"))
        listed = ", ".join(str(each) for each in self.missing[:12])
        more = f", and {len(self.missing) - 12} more" if len(self.missing) > 12 else ""
        problem = f"{len(classes)} node {'class is' if len(classes) == 1 else 'classes are'} unknown: {listed}{more}"
        fix = f"Install {', '.join(packs[:8])}" if packs else "Install the custom nodes they belong to"
        if any(each.pack == "comfy-core" for each in self.missing):
            fix = "Update ComfyUI" + (f", and install {', '.join(packs[:8])}" if packs else "")
        super().__init__(problem, name=name, fix=fix)

    def named(self, name: str) -> MissingNodesError:
        """The same error, with the document's name."""
        return MissingNodesError(self.missing, name=name)
