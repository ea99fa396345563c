"""`comfy.cli_args` for packs: the engine's own options under `args`, where the names agree."""

from __future__ import annotations

from engine.compat import runtime

args = runtime.current().options
