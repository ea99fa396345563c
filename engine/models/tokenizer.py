"""CLIP's byte-pair encoding, built from the published merge list in the package (no hub, no download)."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

VOCABULARY = Path(__file__).resolve().parent.parent / "data" / "clip" / "bpe_simple_vocab_16e6.txt.gz"
SIZE = 49408
START, END = 49406, 49407


class ClipTokenizer:
    """`encode(text)` gives the ids of a text, without start and end tokens."""

    def __init__(self) -> None:
        from transformers import CLIPTokenizer

        # CLIP writes each byte as a printable letter; the bytes that are none get letters above 255
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
        lines = gzip.decompress(VOCABULARY.read_bytes()).decode("utf-8").split("\n")
        # the first line is a comment; each merge is one more word, until the vocabulary is full
        merges = [tuple(line.split()) for line in lines[1 : 1 + SIZE - 2 * len(letters) - 2]]
        words = [*letters, *(c + "</w>" for c in letters), *("".join(m) for m in merges)]
        words += ["<|startoftext|>", "<|endoftext|>"]
        self._tokenizer: Any = CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=merges)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return ids


@cache
def clip_tokenizer() -> ClipTokenizer:
    """The one tokenizer of the process: building it takes a tenth of a second."""
    return ClipTokenizer()
