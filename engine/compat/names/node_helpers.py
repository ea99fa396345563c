"""`node_helpers` for packs: changed copies of conditioning."""

from __future__ import annotations

from typing import Any


def conditioning_set_values(
    conditioning: list[Any], values: dict[str, Any] | None = None, append: bool = False
) -> list[Any]:
    """A copy with these options; with `append`, lists grow by the new values."""
    found = []
    for tensor, old in conditioning:
        options = dict(old)
        for key, value in (values or {}).items():
            options[key] = [*options[key], *value] if append and options.get(key) is not None else value
        found.append([tensor, options])
    return found
