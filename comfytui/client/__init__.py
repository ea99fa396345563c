"""The protocol: everything that is said to a ComfyUI server and everything it answers."""

from __future__ import annotations

import sys
from typing import Any, cast

# httpx looks for a command line of its own while it is imported, and with it for all of Rich: a third of the start of every
# command of ours. None makes that one import fail, for which httpx is prepared.
cast("dict[str, Any]", sys.modules).setdefault("httpx._main", None)
