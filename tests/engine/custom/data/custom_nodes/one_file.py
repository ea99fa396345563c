class OneFile:
    CATEGORY = "packs"
    RETURN_TYPES = ("INT",)
    FUNCTION = "one"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    async def one(self):
        return (1,)


NODE_CLASS_MAPPINGS = {"OneFile": OneFile}
