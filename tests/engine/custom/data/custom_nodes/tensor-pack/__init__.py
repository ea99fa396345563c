import os

import comfy.model_management
import comfy.samplers
import comfy.utils
import folder_paths
import torch
from comfy.comfy_types import IO, ComfyNodeABC

from .work import invert

folder_paths.add_model_folder_path("tensor_pack", os.path.join(folder_paths.models_dir, "tensor_pack"))


class Any(str):
    def __ne__(self, other):
        return False


class Fill:
    CATEGORY = "packs"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("picture",)
    FUNCTION = "fill"
    DESCRIPTION = "One colour."

    @classmethod
    def INPUT_TYPES(cls):
        files = folder_paths.get_filename_list("tensor_pack")
        return {
            "required": {"value": ("FLOAT", {"default": 0.5, "min": 0, "max": 1}), "file": (["none", *files],)},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def fill(self, value, file, unique_id):
        bar = comfy.utils.ProgressBar(2)
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update(1)
        picture = invert(torch.full((1, 8, 8, 3), 1.0 - value, device=comfy.model_management.get_torch_device()))
        bar.update(1)
        return (picture,)


class Numbers(ComfyNodeABC):
    CATEGORY = "packs"
    RETURN_TYPES = ("INT",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "numbers"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": (IO.INT, {"default": 3})}}

    def numbers(self, count):
        return (list(range(count)),)


class Add:
    CATEGORY = "packs"
    RETURN_TYPES = ("INT",)
    INPUT_IS_LIST = True
    FUNCTION = "add"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"values": ("INT", {"forceInput": True})}}

    def add(self, values):
        return (sum(values),)


class Either:
    CATEGORY = "packs"
    RETURN_TYPES = (Any("*"),)
    FUNCTION = "either"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"first": ("BOOLEAN", {"default": True})},
            "optional": {"a": (Any("*"), {"lazy": True}), "b": (Any("*"), {"lazy": True})},
        }

    def check_lazy_status(self, first, a=None, b=None):
        return ["a"] if first else ["b"]

    def either(self, first, a=None, b=None):
        return (a if first else b,)


class Fails:
    CATEGORY = "packs"
    RETURN_TYPES = ("INT",)
    FUNCTION = "fail"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    async def fail(self):
        raise RuntimeError("this branch was not to run")


class Show:
    CATEGORY = "packs"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"anything": (Any("*"),)}}

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True if input_types["anything"] != "MODEL" else "a model cannot be shown"

    def show(self, anything):
        said = round(float(anything.mean()), 3) if isinstance(anything, torch.Tensor) else anything
        return {"ui": {"said": [str(said), os.environ.get("TENSOR_PACK_STARTED", "no")]}}


WEB_DIRECTORY = "./web"
assert "euler" in comfy.samplers.KSampler.SAMPLERS

NODE_CLASS_MAPPINGS = {
    "PackFill": Fill,
    "PackNumbers": Numbers,
    "PackAdd": Add,
    "PackEither": Either,
    "PackFails": Fails,
    "PackShow": Show,
}
NODE_DISPLAY_NAME_MAPPINGS = {"PackFill": "Fill (pack)"}
