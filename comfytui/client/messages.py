"""What a server says, as structs: every answer and every event, cleaned and tolerant of what is missing or new."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from comfytui.client.errors import NodeProblems


class Submitted(msgspec.Struct, frozen=True):
    """The answer to a submitted prompt. `node_errors` may hold problems even so: those outputs were dropped."""

    prompt_id: str
    number: float = 0.0
    node_errors: Mapping[str, NodeProblems] = {}
