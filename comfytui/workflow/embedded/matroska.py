"""The texts of a Matroska or WebM film: its tags.

Source: RFC 8794 (EBML), RFC 9559 (Matroska), 5.1.8. Clusters, which hold pictures and sound, are stepped over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from comfytui.workflow.embedded.source import Source, Texts, damaged, decoded

SIGNATURE = b"\x1a\x45\xdf\xa3"
SEGMENT, CLUSTER, TAGS, TAG, SIMPLE = 0x18538067, 0x1F43B675, 0x1254C367, 0x7373, 0x67C8
NAME, TEXT = 0x45A3, 0x4487
MAX_NESTED = 8  # tags in tags


class Element(NamedTuple):
    """One element; its content lies from `start` to `end`."""

    id: int
    start: int
    end: int
    open: bool = False  # it did not say where it ends: a live stream


def texts(source: Source) -> Texts:
    """Keyword and text of each. Raises WorkflowError where the file ends in the middle."""
    for element in _elements(source, 0, source.size):
        if element.id == SEGMENT:
            for each in _elements(source, element.start, element.end):
                if each.id == TAGS:
                    yield from source.lenient(_tags(source, each, 0))


def _tags(source: Source, parent: Element, depth: int) -> Texts:
    name, text = "", None
    for each in _elements(source, parent.start, parent.end):
        if each.id in (TAG, SIMPLE):
            if depth < MAX_NESTED:
                yield from _tags(source, each, depth + 1)
        elif each.id == NAME:
            name = decoded(source.take(each.start, each.end - each.start, "the name of a tag"))
        elif each.id == TEXT:
            text = decoded(source.take(each.start, each.end - each.start, f"the tag {name[:40]}"))
    if name and text is not None:
        yield name, text


def _elements(source: Source, at: int, end: int) -> Iterator[Element]:
    while at < end:
        source.part(at)
        head = source.peek(at, 12)
        number, used = _number(head, at, 4, marked=True)
        size, more = _number(head[used:], at + used, 8, marked=False)
        start = at + used + more
        if size == (1 << 7 * more) - 1:  # all ones: not known
            yield Element(number, start, end, open=True)
            if number == SEGMENT:
                return
            # Its children are then read as if they were its brothers: what follows it cannot be told from them.
            at = start
            continue
        if start + size > end:
            raise damaged(f"ends in the middle of an element {number:x}", at)
        yield Element(number, start, start + size)
        at = start + size


def _number(data: bytes, at: int, longest: int, *, marked: bool) -> tuple[int, int]:
    """A number and how many bytes it takes; `marked` keeps the bit that tells the length, as ids do."""
    if not data:
        raise damaged("ends in the middle of an element", at)
    length = 9 - data[0].bit_length()
    if length > longest or len(data) < length:
        raise damaged("no element where one must be", at)
    found = int.from_bytes(data[:length], "big")
    return (found if marked else found & ((1 << 7 * length) - 1)), length
