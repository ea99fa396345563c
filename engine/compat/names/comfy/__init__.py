"""`comfy` for packs: only what they commonly ask for."""
