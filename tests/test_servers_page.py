"""docs/servers.md is true: its examples are profiles, its tables what the program knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from comfytui.opening import target_of
from comfytui.settings.schema import Profile, Ssh, validate

PAGE = (Path(__file__).parents[1] / "docs" / "servers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)


def test_each_example_is_taken() -> None:
    assert len(EXAMPLES) >= 4
    found: dict[str, Profile] = {}
    for example in EXAMPLES:
        found |= validate(tomllib.loads(example)).servers
    assert {"box", "inner", "bearer", "basic", "header", "query", "lab"} <= set(found)
    for profile in found.values():
        assert target_of(profile).url.startswith(("http://", "https://"))
    inner = found["inner"].tunnel
    assert inner is not None
    assert (inner.destination, inner.port, inner.jump) == ("me@box", 2222, "gate.example.org")


def test_every_key_is_described() -> None:
    for model in (Profile, Ssh):
        for name in model.__struct_fields__:
            assert f"| `{name}` |" in PAGE
