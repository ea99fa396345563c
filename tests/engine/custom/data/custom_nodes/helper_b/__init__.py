import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import shared_helper


class Name:
    CATEGORY = "packs"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "name"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def name(self):
        return (shared_helper.NAME,)


NODE_CLASS_MAPPINGS = {"HelperName_b": Name}
