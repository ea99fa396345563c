"""`comfy_execution` for packs: only what they commonly ask for."""
