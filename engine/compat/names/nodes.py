"""`nodes` for packs: the classes of all packs, by name, as they load."""

from __future__ import annotations

from engine.compat import runtime

MAX_RESOLUTION = 16384
NODE_CLASS_MAPPINGS = runtime.current().classes
NODE_DISPLAY_NAME_MAPPINGS = runtime.current().display_names
