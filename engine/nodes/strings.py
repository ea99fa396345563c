"""Nodes that work on text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from engine.nodes.context import NodeContext
from engine.nodes.definition import Input, NodeDefinition, Output, node

T = TypeVar("T")
TICK = 0.05  # seconds between two looks at whether the user wants to stop
PATIENCE = 60.0  # seconds that a pattern may take: some take longer than the universe has, on a line of text

LINES = {"multiline": True}
FLAGS = (
    Input("case_insensitive", "BOOLEAN", {"default": True}),
    Input("multiline", "BOOLEAN", {"default": False}),
    Input("dotall", "BOOLEAN", {"default": False}),
)


def _text(name: str) -> Input:
    return Input(name, "STRING", LINES)


@node(
    "StringConcatenate",
    display_name="Concatenate",
    schema="v3",
    category="utils/string",
    inputs=[
        _text("string_a"),
        _text("string_b"),
        Input("delimiter", "STRING", {"default": "", "multiline": False}),
    ],
    outputs=[Output("STRING")],
)
def concatenate(string_a: str, string_b: str, delimiter: str) -> tuple[str]:
    return (f"{string_a}{delimiter}{string_b}",)


@node(
    "StringSubstring",
    display_name="Substring",
    schema="v3",
    category="utils/string",
    description="From one position to another; negative ones count from the end.",
    inputs=[_text("string"), Input("start", "INT"), Input("end", "INT")],
    outputs=[Output("STRING")],
)
def substring(string: str, start: int, end: int) -> tuple[str]:
    return (string[start:end],)


@node(
    "StringLength",
    display_name="Length",
    schema="v3",
    category="utils/string",
    inputs=[_text("string")],
    outputs=[Output("INT", "length")],
)
def length(string: str) -> tuple[int]:
    return (len(string),)


@node(
    "CaseConverter",
    display_name="Case Converter",
    schema="v3",
    category="utils/string",
    inputs=[_text("string"), Input("mode", ["UPPERCASE", "lowercase", "Capitalize", "Title Case"])],
    outputs=[Output("STRING")],
)
def convert_case(string: str, mode: str) -> tuple[str]:
    ways: dict[str, Callable[[str], str]] = {
        "UPPERCASE": str.upper,
        "lowercase": str.lower,
        "Capitalize": str.capitalize,
        "Title Case": str.title,
    }
    return (ways[mode](string),)


@node(
    "StringTrim",
    display_name="Trim",
    schema="v3",
    category="utils/string",
    inputs=[_text("string"), Input("mode", ["Both", "Left", "Right"])],
    outputs=[Output("STRING")],
)
def trim(string: str, mode: str) -> tuple[str]:
    ways: dict[str, Callable[[str], str]] = {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}
    return (ways[mode](string),)


@node(
    "StringReplace",
    display_name="Replace",
    schema="v3",
    category="utils/string",
    inputs=[_text("string"), _text("find"), _text("replace")],
    outputs=[Output("STRING")],
)
def replace_text(string: str, find: str, replace: str) -> tuple[str]:
    return (string.replace(find, replace),)


@node(
    "StringContains",
    display_name="Contains",
    schema="v3",
    category="utils/string",
    inputs=[_text("string"), _text("substring"), Input("case_sensitive", "BOOLEAN", {"default": True})],
    outputs=[Output("BOOLEAN", "contains")],
)
def contains(string: str, substring: str, case_sensitive: bool) -> tuple[bool]:
    if not case_sensitive:
        string, substring = string.lower(), substring.lower()
    return (substring in string,)


@node(
    "StringCompare",
    display_name="Compare",
    schema="v3",
    category="utils/string",
    inputs=[
        _text("string_a"),
        _text("string_b"),
        Input("mode", ["Starts With", "Ends With", "Equal"]),
        Input("case_sensitive", "BOOLEAN", {"default": True}),
    ],
    outputs=[Output("BOOLEAN")],
)
def compare(string_a: str, string_b: str, mode: str, case_sensitive: bool) -> tuple[bool]:
    if not case_sensitive:
        string_a, string_b = string_a.lower(), string_b.lower()
    ways: dict[str, Callable[[str, str], bool]] = {
        "Starts With": str.startswith,
        "Ends With": str.endswith,
        "Equal": str.__eq__,
    }
    return (ways[mode](string_a, string_b),)


@node(
    "RegexMatch",
    display_name="Regex Match",
    schema="v3",
    category="utils/string",
    description="Whether a regular expression is found anywhere in the text. One that cannot be read is not found.",
    inputs=[_text("string"), _text("regex_pattern"), *FLAGS],
    outputs=[Output("BOOLEAN", "matches")],
)
def regex_match(
    string: str, regex_pattern: str, case_insensitive: bool, multiline: bool, dotall: bool, context: NodeContext
) -> tuple[bool]:
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    if pattern is None:
        return (False,)
    return (_in_time(lambda: pattern.search(string, concurrent=True, timeout=PATIENCE) is not None, context),)


@node(
    "RegexExtract",
    display_name="Regex Extract",
    schema="v3",
    category="utils/string",
    description="The first match of a regular expression, or all of them, a line each; or what a group of it matched.",
    inputs=[
        _text("string"),
        _text("regex_pattern"),
        Input("mode", ["First Match", "All Matches", "First Group", "All Groups"]),
        *FLAGS,
        Input("group_index", "INT", {"default": 1, "min": 0, "max": 100}),
    ],
    outputs=[Output("STRING")],
)
def regex_extract(
    string: str,
    regex_pattern: str,
    mode: str,
    case_insensitive: bool,
    multiline: bool,
    dotall: bool,
    group_index: int,
    context: NodeContext,
) -> tuple[str]:
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    if pattern is None:
        return ("",)

    def found() -> list[str]:
        matches = pattern.finditer(string, concurrent=True, timeout=PATIENCE)
        if mode.endswith("Group") or mode.endswith("Groups"):
            group = group_index
        else:
            group = 1 if mode == "All Matches" and pattern.groups else 0  # as `findall` has it
        if mode.startswith("First"):
            matches = [match for match, _ in zip(matches, range(1), strict=False)]
        return [match.group(group) or "" for match in matches if group <= pattern.groups]

    return ("\n".join(_in_time(found, context)),)


@node(
    "RegexReplace",
    display_name="Regex Replace",
    schema="v3",
    category="utils/string",
    description="Puts another text wherever a regular expression matches; \\1 stands for what its first group matched.",
    inputs=[
        _text("string"),
        _text("regex_pattern"),
        _text("replace"),
        Input("case_insensitive", "BOOLEAN", {"default": True}, optional=True),
        Input("multiline", "BOOLEAN", {"default": False}, optional=True),
        Input(
            "dotall", "BOOLEAN", {"default": False, "tooltip": "A dot matches the end of a line too."}, optional=True
        ),
        Input(
            "count",
            "INT",
            {"default": 0, "min": 0, "max": 100, "tooltip": "How many matches to replace at most; 0: all."},
            optional=True,
        ),
    ],
    outputs=[Output("STRING")],
)
def regex_replace(
    string: str,
    regex_pattern: str,
    replace: str,
    context: NodeContext,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    count: int = 0,
) -> tuple[str]:
    import regex

    pattern = _compiled(regex_pattern, case_insensitive, multiline, dotall)
    try:
        return (_in_time(lambda: str(pattern.sub(replace, string, count, concurrent=True, timeout=PATIENCE)), context),)
    except (regex.error, IndexError) as error:
        raise ValueError(f"the replacement {replace!r} cannot be used: {error}") from error


def _compiled(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> Any:
    """Raises `ValueError` for a pattern that cannot be read."""
    import regex

    flags = regex.IGNORECASE * case_insensitive | regex.MULTILINE * multiline | regex.DOTALL * dotall
    try:
        return regex.compile(text, flags)
    except regex.error as error:
        raise ValueError(f"the regular expression {text!r} cannot be read: {error}") from error


def _pattern(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> Any | None:
    """None for a pattern that cannot be read: the nodes that only look then find nothing, as in ComfyUI."""
    try:
        return _compiled(text, case_insensitive, multiline, dotall)
    except ValueError:
        return None


def _in_time(work: Callable[[], T], context: NodeContext) -> T:
    """What `work` gives. A pattern that backtracks for ever ends with an error, and at once when the user stops.

    In a thread, because it cannot be stopped from within; after an interrupt it goes on for `PATIENCE` at most.
    """
    results: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run, name="regex", daemon=True)
    thread.start()
    while thread.is_alive():
        context.check()
        thread.join(TICK)
    if problems:
        if isinstance(problems[0], TimeoutError):
            raise TimeoutError(
                f"the regular expression took longer than {PATIENCE:g} seconds; simplify it (alternatives that begin alike within a repetition, as in (a|aa)+, take for ever)"
            ) from problems[0]
        raise problems[0]
    return results[0]


NODES: tuple[NodeDefinition, ...] = (
    concatenate,
    substring,
    length,
    convert_case,
    trim,
    replace_text,
    contains,
    compare,
    regex_match,
    regex_extract,
    regex_replace,
)
