"""A small catalogue of node classes, and a way to write down workflows as a browser saves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INT = {"default": 1, "min": 0, "max": 100}
SUBGRAPH = "11111111-2222-3333-4444-55555555555{}"


def _class(
    required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, output: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    return {
        "input": {"required": dict(required), "optional": dict(optional or {})},
        "input_order": {"required": list(required), "optional": list(optional or {})},
        "output": list(output),
        "output_name": list(output),
        "python_module": "nodes",
        **more,
    }


INFO: dict[str, Any] = {
    "Loader": _class({"ckpt_name": [["a.safetensors", "b.safetensors"]]}, output=("MODEL", "CLIP", "VAE")),
    "Encode": _class({"text": ["STRING", {"multiline": True}], "clip": ["CLIP"]}, output=("CONDITIONING",)),
    "Empty": _class(
        {"width": ["INT", {**INT, "max": 4096}], "height": ["INT", {**INT, "max": 4096}]}, output=("LATENT",)
    ),
    "Sampler": _class(
        {
            "model": ["MODEL"],
            "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}],
            "steps": ["INT", INT],
            "cfg": ["FLOAT", {"default": 8.0}],
            "sampler_name": [["euler", "dpmpp_2m"]],
            "positive": ["CONDITIONING"],
            "latent": ["LATENT"],
        },
        {"denoise": ["FLOAT", {"default": 1.0}]},
        ("LATENT",),
    ),
    "Decode": _class({"samples": ["LATENT"], "vae": ["VAE"]}, output=("IMAGE",)),
    "Save": _class({"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "out"}]}, output_node=True),
    "Load": _class(
        {"image": [["a.png"], {"image_upload": True}]}, {"scale": ["FLOAT", {"default": 1.0}]}, ("IMAGE", "MASK")
    ),
    "Invert": _class({"image": ["IMAGE"], "strength": ["FLOAT", {"default": 0.5}]}, output=("IMAGE",)),
    "Mix": _class({"mask": ["MASK"], "one": ["IMAGE"], "two": ["IMAGE"]}, output=("IMAGE", "MASK")),
    "Number": _class({"value": ["INT", {"default": 0, "control_after_generate": True}]}, output=("INT",)),
    "Show": _class({"source": ["*"]}, output_node=True, display_name="Show Anything"),
    "Resize": _class(
        {
            "input": ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "t", "allowed_types": "IMAGE,MASK"}}],
            "how": [
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
                        {
                            "key": "to",
                            "inputs": {
                                "required": {
                                    "width": ["INT", INT],
                                    "fit": [
                                        "COMFY_DYNAMICCOMBO_V3",
                                        {
                                            "options": [
                                                {"key": "crop", "inputs": {"required": {"edge": ["INT", INT]}}},
                                                {"key": "none", "inputs": {"required": {}}},
                                            ]
                                        },
                                    ],
                                }
                            },
                        },
                        {"key": "match", "inputs": {"required": {"like": ["IMAGE", {}]}}},
                    ]
                },
            ],
            "method": ["COMBO", {"options": ["area", "lanczos"]}],
        },
        output=("COMFY_MATCHTYPE_V3",),
    ),
    "Batch": _class(
        {
            "images": [
                "COMFY_AUTOGROW_V3",
                {"template": {"input": {"required": {"image": ["IMAGE", {}]}}, "prefix": "image"}},
            ]
        },
        output=("IMAGE",),
    ),
    "Pick": _class(
        {"choice": ["COMBO", {"options": ["x", "y", "z"], "control_after_generate": True}], "n": ["INT", INT]},
        output=("INT",),
    ),
    "Curved": _class({"curve": ["CURVE", {}], "sizes": ["STRING", {}]}, output_node=True),
    "Forced": _class({"value": ["FLOAT", {"forceInput": True}], "k": ["INT", INT]}, output=("FLOAT",)),
    "Packed": _class(
        {"rate": ["INT", INT], "format": [["mp4", "webm"]]}, output_node=True, python_module="custom_nodes.vhs"
    ),
}


class Page:
    """A workflow under construction: `node` adds one, and `saved` is what a browser would have written.

    Sources in `links` are (node id, slot); -10 is the input node of a subgraph.
    """

    def __init__(self, *, objects: bool = False) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []
        self.objects = objects

    def node(
        self,
        node_id: int | str,
        kind: str,
        values: Any = None,
        links: Mapping[str, tuple[int | str, int] | None] | None = None,
        **more: Any,
    ) -> Page:
        """Types of sockets are those of the catalogue; `types` overrides or adds some, `widgets` names typed inputs."""
        declared = INFO.get(kind, {"input": {}, "output": []})
        specs = {name: spec for section in declared["input"].values() for name, spec in section.items()}
        types = {**{name: spec[0] for name, spec in specs.items()}, **more.pop("types", {})}
        widgets = more.pop("widgets", ())
        outputs = more.pop("outputs", declared["output"])
        inputs = []
        for index, (name, source) in enumerate((links or {}).items()):
            kind_of = types.get(name, "*")
            found: dict[str, Any] = {
                "name": name,
                "type": kind_of if isinstance(kind_of, str) else "COMBO",
                "link": None,
            }
            if name in widgets:
                found["widget"] = {"name": name}
            if source is not None:
                found["link"] = self.link(source, node_id, index, found["type"])
            inputs.append(found)
        made = {
            "id": node_id,
            "type": kind,
            "mode": 0,
            "inputs": inputs,
            "outputs": [{"name": each, "type": each, "links": None} for each in outputs],
            "properties": {},
            **more,
        }
        if values is not None:
            made["widgets_values"] = values
        self.nodes.append(made)
        return self

    def link(self, source: tuple[int | str, int], target: int | str, slot: int, kind: str = "*") -> int:
        number = len(self.links) + 1
        self.links.append([number, source[0], source[1], target, slot, kind])
        return number

    @property
    def saved(self) -> dict[str, Any]:
        return {"nodes": self.nodes, "links": self._links(), "version": 1 if self.objects else 0.4, "extra": {}}

    def with_subgraphs(self, *definitions: dict[str, Any]) -> dict[str, Any]:
        return {**self.saved, "definitions": {"subgraphs": list(definitions)}}

    def subgraph(
        self, number: int, inputs: Mapping[str, str], outputs: Mapping[str, tuple[int | str, int]], name: str = "Sub"
    ) -> dict[str, Any]:
        """This page as the inside of a subgraph. `inputs` are name → type; links from (-10, index) begin at them."""
        ports = []
        for index, (each, kind) in enumerate(inputs.items()):
            ids = [link[0] for link in self.links if link[1] == -10 and link[2] == index]
            ports.append({"id": f"in{index}", "name": each, "type": kind, "linkIds": ids})
        ends = []
        for index, (each, source) in enumerate(outputs.items()):
            ends.append({"id": f"out{index}", "name": each, "type": "*", "linkIds": [self.link(source, -20, index)]})
        return {
            "id": SUBGRAPH.format(number),
            "name": name,
            "inputNode": {"id": -10},
            "outputNode": {"id": -20},
            "inputs": ports,
            "outputs": ends,
            "nodes": self.nodes,
            "links": self._links(True),
            "widgets": [],
        }

    def _links(self, objects: bool = False) -> list[Any]:
        if not (objects or self.objects):
            return self.links
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        return [dict(zip(keys, link, strict=True)) for link in self.links]


def text_to_image() -> Page:
    """Loader, prompt, size, sampler, decoder, save: the shape of most workflows."""
    return (
        Page()
        .node(1, "Loader", ["a.safetensors"])
        .node(2, "Encode", ["a cat"], {"clip": (1, 1)}, title="Positive")
        .node(3, "Empty", [64, 32])
        .node(
            4, "Sampler", [7, "randomize", 20, 6.5, "euler", 0.9],
            {"model": (1, 0), "positive": (2, 0), "latent": (3, 0)},
        )
        .node(5, "Decode", None, {"samples": (4, 0), "vae": (1, 2)})
        .node(6, "Save", ["pic"], {"images": (5, 0)})
    )  # fmt: skip
