"""What is typed into the search of Nodes: words that are ranked, and words such as is:custom that only let pass.

Pure. A search is one pass over texts that were lowered when the catalogue came; 5,000 nodes take a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from comfytui.tui.fuzzy import MIN_SPREAD, spread, words_of

if TYPE_CHECKING:
    from comfytui.tui.node_index import Node

TAKES, MAKES = "takes:", "makes:"  # words of a query that ask for a type
IS, FROM = "is:", "from:"  # for a badge, and for the package

FLAGS: Final[Mapping[str, Callable[[Node], bool]]] = {
    "custom": lambda node: bool(node.package),
    "core": lambda node: not node.package,
    "deprecated": lambda node: node.deprecated,
    "experimental": lambda node: node.experimental,
    "api": lambda node: node.api,
    "output": lambda node: node.is_output,
}


class Query(msgspec.Struct, frozen=True):
    """A search, taken apart. `wrong` says what in it was not understood, and what would be; nothing matches then."""

    words: tuple[str, ...] = ()  # lowered
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    flags: tuple[tuple[str, bool], ...] = ()  # name, wanted; False: -is:deprecated
    packages: tuple[tuple[str, bool], ...] = ()
    wrong: str = ""

    def lets_pass(self, node: Node) -> bool:
        """Whether a node has the badges and the package that are wanted."""
        return all(FLAGS[name](node) is wanted for name, wanted in self.flags) and all(
            _is_from(node, name) is wanted for name, wanted in self.packages
        )


def parse(text: str) -> Query:
    """Take a search apart. Never raises: while one types, half a word is no mistake."""
    words: list[str] = []
    takes: list[str] = []
    makes: list[str] = []
    flags: list[tuple[str, bool]] = []
    packages: list[tuple[str, bool]] = []
    wrong = ""
    for typed in text.split():
        word = typed.lower()
        wanted = not (word.startswith("-") and word[1:].startswith((IS, FROM)))
        word = word if wanted else word[1:]
        if word.startswith(IS):
            # Half a word stands for what begins so; nothing yet, for everything.
            name = next((flag for flag in FLAGS if flag.startswith(word[len(IS) :])), None)
            if name is None:
                wrong = f"{typed} is nothing to ask for: {', '.join(IS + flag for flag in FLAGS)}"
            elif word != IS:
                flags.append((name, wanted))
        elif word.startswith(FROM):
            if word != FROM:
                packages.append((word[len(FROM) :], wanted))
        elif word.startswith(TAKES):
            takes.append(typed[len(TAKES) :])
        elif word.startswith(MAKES):
            makes.append(typed[len(MAKES) :])
        else:
            words.append(word)
    return Query(tuple(words), tuple(takes), tuple(makes), tuple(flags), tuple(packages), wrong)


class Key:
    """A node's texts in the form in which they are searched, lowered once."""

    __slots__ = ("all", "category", "description", "initials", "malus", "name", "title", "words")

    def __init__(self, node: Node) -> None:
        self.name = node.name.lower()
        self.title = node.title.lower()
        own = words_of(node.name)
        self.words = " " + " ".join(dict.fromkeys((*own, *words_of(node.title))))  # " w" in it: a word begins with w
        self.initials = "".join(part[0] for part in own)
        self.category = f"{node.category} {node.package}".lower()
        self.description = node.description.lower()
        self.malus = len(self.title) / 200 + node.deprecated * 15
        self.all = "\n".join((self.name, self.title, self.initials, self.category, self.description))

    def score(self, words: Iterable[str]) -> float | None:
        """How well all the words match; None if one does not."""
        total = 0.0
        for word in words:
            best = self._one(word)
            if best == 0:
                return None
            total += best
        return total - self.malus

    def _one(self, word: str) -> float:
        name, title = self.name, self.title
        if word not in self.all:  # nearly every node, with nearly every word
            if len(word) < MIN_SPREAD:
                return 0
            if letters := spread(word, name):
                return 20 + 15 * len(word) / letters
            return 16 + 12 * len(word) / letters if (letters := spread(word, title)) else 0
        if word == name:
            return 150
        if word == title:
            return 120
        if len(word) > 1 and word == self.initials:
            return 90
        if name.startswith(word) or title.startswith(word):
            return 85
        if " " + word in self.words:
            return 70
        if word in name or word in title:
            return 60
        if len(word) > 1 and self.initials.startswith(word):
            return 55
        if word in self.category:
            return 40
        if len(word) >= MIN_SPREAD and (letters := spread(word, name)):
            return 20 + 15 * len(word) / letters
        return 15 if word in self.description else 0


def _is_from(node: Node, package: str) -> bool:
    return package in (node.package.lower() or "core")
