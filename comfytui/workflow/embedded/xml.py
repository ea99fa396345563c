"""The texts of XML: an XMP packet of a picture, and the `<metadata>` of an SVG.

What declares entities is refused before it is parsed: a kilobyte of them can unpack to gigabytes.
Source: XMP specification part 1 (ISO 16684-1), 7; SVG 2, 5.10.
"""

from __future__ import annotations

import re
from itertools import islice
from xml.etree import ElementTree

from comfytui.workflow.embedded.source import MAX_TEXT, Source, Texts, damaged, decoded

NAMES = frozenset({"prompt", "workflow", "parameters", "usercomment", "comment", "description"})
MAX_FOUND = 20
MAX_ELEMENTS = 200_000  # each takes some 200 bytes of memory
_DECLARES = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.I)
_SVG_TYPE = re.compile(r"<!DOCTYPE\s+svg[^\[>]*>", re.I)  # names the standard's own, and declares nothing


def xmp(text: str, at: int) -> Texts:
    """The elements and attributes of an XMP packet that have a name we know. Raises WorkflowError."""
    found = 0
    for element in _parsed(text, at).iter():
        for name in (*element.attrib, element.tag):
            plain = _plain(name)
            if plain.lower() in NAMES:
                value = element.attrib[name] if name in element.attrib else "".join(element.itertext())
                yield plain, value.strip()
                found += 1
                if found >= MAX_FOUND:  # elements that hold one another would be read again and again
                    return


def svg(source: Source) -> Texts:
    """What an SVG has in its metadata elements, which ComfyUI fills with one JSON object. Raises WorkflowError."""
    text = decoded(source.take(0, source.size, "the file"))
    found = (each for each in _parsed(_SVG_TYPE.sub("", text, count=1), 0).iter() if _plain(each.tag) == "metadata")
    for element in islice(found, MAX_FOUND):
        yield "metadata", "".join(element.itertext()).strip()


def _plain(name: str) -> str:
    """Without its namespace."""
    return name.rpartition("}")[2]


def _parsed(text: str, at: int) -> ElementTree.Element:
    text = text.strip("\0\ufeff \r\n\t")
    if len(text) > MAX_TEXT or text.count("<") > MAX_ELEMENTS:
        raise damaged("its XML is too large", at)
    if _DECLARES.search(text):
        raise damaged("its XML declares entities, which are not read", at)
    try:
        return ElementTree.fromstring(text)  # noqa: S314 -- no entities, see above
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise damaged(f"its XML is damaged: {error}", at) from error
