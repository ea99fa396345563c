"""Which workflow files are listed, and in what order: the filter's words and keys, and three orders.

Pure. `node:KSampler` (`node:ksam*` for what begins so) and `model:flux` ask for what a workflow uses; all other words may stand anywhere in its texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from comfytui.tui.fuzzy import score
from comfytui.tui.library import Entry

NODE, MODEL, IN = "node:", "model:", "in:"


class Order(StrEnum):
    """How the list is sorted."""

    RECENT = "recent"  # those used last first, then as they lie in their folders
    NAME = "name"
    DATE = "date"  # changed last first


def matches(entry: Entry, query: str) -> bool:
    """Whether an entry has every word of a query. A file that was not read yet matches by its name alone."""
    return all(_has(entry, word) for word in query.lower().split())


def ordered(entries: Iterable[Entry], order: Order, recent: Sequence[str]) -> list[Entry]:
    """`recent`: keys of entries, those used last first."""
    listed = list(entries)
    if order is Order.NAME:
        return sorted(listed, key=lambda entry: (entry.name.lower(), entry.key))
    if order is Order.DATE:
        return sorted(listed, key=lambda entry: (-entry.stamp[0], entry.name.lower()))
    places: Mapping[str, int] = {key: place for place, key in enumerate(recent)}
    # Stable: the rest stay as they lie, but what cannot be used comes last.
    return sorted(listed, key=lambda entry: (bool(entry.error) and not entry.form, places.get(entry.key, len(places))))


def _has(entry: Entry, word: str) -> bool:
    if word.startswith(NODE):
        wanted = word[len(NODE) :]
        if wanted.endswith("*"):
            return any(name.lower().startswith(wanted[:-1]) for name in entry.classes)
        return any(name.lower() == wanted for name in entry.classes)  # KSampler is not KSamplerAdvanced
    if word.startswith(MODEL):
        return any(word[len(MODEL) :] in name.lower() for name in entry.models)
    if word.startswith(IN):
        return word[len(IN) :] in entry.group.lower()
    facts = entry.facts
    texts = (entry.name, entry.group, facts.positive, facts.model, *facts.loras, *entry.classes)
    return any(word in text.lower() for text in texts) or score(word, entry.name) > 0
