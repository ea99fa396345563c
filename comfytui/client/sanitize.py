"""The one place where foreign text is cleaned before anything of ours may show, log or compare it.

A server, a picture's metadata or a file name can hold anything: escape sequences that move the cursor or set the
clipboard, bidirectional overrides that make `gpj.exe` read `exe.jpg`, line separators that break a table, a megabyte in
one line. The rules, for every string that comes in:

* whole ANSI escape sequences are removed (they are somebody's colours);
* every other control character (C0, DEL, C1), bidirectional control, invisible format character, lone surrogate and
  non-character becomes `�`: visible, so that two different names never look the same by accident;
* a line of text keeps no line breaks or tabs (they become a space); a block keeps `\\n` and `\\t` and turns every other
  line break into `\\n`;
* what is longer than its bound is cut and ends in `…`.

Letters of every script, combining marks, emoji with their joiners and variation selectors stay as they are.

Markup is not escaped here: `[red]` is good text in a prompt, and escaping it would show wrong brackets where no markup
is read. The rule is instead that foreign text is never given to anything that interprets markup: screens build
`textual.content.Content(text)` or `rich.text.Text(text)`, never f-strings that are parsed for tags.

Cleaning is idempotent, and returns the very same object when there was nothing to clean, so that keeping both the clean
and the raw form of a document costs nothing in the usual case.
"""

from __future__ import annotations

import math
import re
from typing import Any

MAX_LINE = 500  # a name, a title, a status: nothing that is drawn in one row needs more
MAX_BLOCK = 20_000  # a prompt, a message, a traceback line; longer ones are data that nobody reads in a terminal
MAX_DEPTH = 40
MAX_ITEMS = 2_000_000  # values in one document; a full install's object_info has some 300,000

BAD = "\N{REPLACEMENT CHARACTER}"
CUT = "…"

# CSI, then OSC/DCS/SOS/PM/APC strings up to their terminator (bounded: an unterminated one must not eat the text),
# then the two- and three-byte sequences. C1 forms (0x9b, 0x9d, 0x90 …) are read as terminals do.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]{1,4}[0-~]"
    r"|\x1b[0-~]"
)
_BREAKS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_FORBIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, all but \t and \n
    "\xad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    "\u200b\u200e\u200f"  # zero-width space, directional marks (200c and 200d join emoji and scripts: they stay)
    "\u2028-\u202e"  # line and paragraph separators, bidirectional embeddings and overrides
    "\u2060-\u206f"  # word joiner, invisible operators, bidirectional isolates, deprecated format characters
    "\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotation
    "\ufdd0-\ufdef\ufffe\uffff"  # non-characters
    "\ud800-\udfff"  # lone surrogates: they cannot even be written out
    "]"
)
_SPACES = re.compile(r"[\t\n]")


def line(text: str, limit: int = MAX_LINE) -> str:
    """A clean single line of at most `limit` characters."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text  # nearly every string; the patterns below cost some microseconds
    return _same(text, _SPACES.sub(" ", _clean(_bound(text, limit))), limit)


def block(text: str, limit: int = MAX_BLOCK) -> str:
    """Clean text that may have several lines, of at most `limit` characters."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _same(text, _clean(_bound(text, limit)), limit)


def key(text: str) -> str:
    """A clean key of an object, or an id: a line, longer than any that is meant to be one."""
    return line(text, 1000)


def json_value(value: Any, *, depth: int = MAX_DEPTH, items: int = MAX_ITEMS) -> Any:
    """A decoded JSON value with every string and key in it cleaned as a block.

    Beyond `depth` levels or `items` values the rest is replaced by `…`. Returns `value` itself if all of it was clean.
    Two keys that become equal keep the first value. NaN and infinities become None.
    """
    return _Cleaner(items).value(value, depth)


class _Cleaner:
    """Walks one document and counts what it has seen."""

    def __init__(self, items: int) -> None:
        self.left = items

    def value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return block(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else None  # ComfyUI writes NaN; no JSON of ours may
        if isinstance(value, int):
            return value if value.bit_length() <= 256 else CUT  # writing out huge ones takes quadratic time
        if not isinstance(value, dict | list | tuple):
            return value
        if depth <= 0 or self.left <= 0:
            return CUT
        self.left -= len(value)
        return self.mapping(value, depth) if isinstance(value, dict) else self.sequence(value, depth)

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        changed = False
        result: dict[str, Any] = {}
        for name, item in value.items():
            clean_name = key(name if isinstance(name, str) else str(name))
            clean_item = self.value(item, depth - 1)
            changed = changed or clean_name is not name or clean_item is not item
            result.setdefault(clean_name, clean_item)
        return result if changed else value

    def sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        result = [self.value(item, depth - 1) for item in value]
        if all(new is old for new, old in zip(result, value, strict=True)):
            return value
        return result


def _bound(text: str, limit: int) -> str:
    """Cut before the expensive patterns run: escape sequences are longer than what remains of them, hence the margin."""
    return text if len(text) <= 4 * limit + 8192 else text[: 4 * limit + 8192]


def _clean(text: str) -> str:
    if "\x1b" in text or not text.isascii():
        text = _ESCAPES.sub("", text)
    return _FORBIDDEN.sub(BAD, _BREAKS.sub("\n", text))


def _same(original: str, cleaned: str, limit: int) -> str:
    """`original` if cleaning changed nothing (identity tells callers so), else the cleaned text within its bound."""
    if cleaned == original and len(original) <= limit:
        return original
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + CUT
