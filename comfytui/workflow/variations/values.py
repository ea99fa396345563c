"""The values of one input that is swept: a range, a list in one line, or a list."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from comfytui.workflow.errors import WorkflowError

MAX_JOBS = 1_000_000  # of one job file: more is a slip of the hand, and would fill memory before a queue
MAX_TEXT = 1 << 20  # characters of one value
# Digits are bounded, so that no text makes a number that takes long to compute with; seeds have 20.
_NUMBER = r"([+-]?(?:\d{1,20}(?:\.\d{0,12})?|\.\d{1,12}))"
_RANGE = re.compile(rf"\s*{_NUMBER}\s*\.\.\s*{_NUMBER}(?:\s*\.\.\s*{_NUMBER})?\s*")
FORMS = "Write a range (1..10, 0.1..0.5..0.1), a list (a,b,c), or several values"


def values(spec: Any) -> tuple[Any, ...]:
    """What `1..10`, `1..10..2`, `0.1..0.5..0.1`, `a,b,"c, d"` or a list stands for: at least one value.

    Both ends of a range belong to it if the steps meet them; it counts down if the first is the larger. A range of
    whole numbers has whole numbers, others have floats as they are written: 0.3, and not 0.30000000000000004. Raises
    WorkflowError.
    """
    if isinstance(spec, str):
        if len(spec) > MAX_TEXT:
            raise WorkflowError(f"a text of {len(spec):,} characters is too long", fix=FORMS)
        found = _RANGE.fullmatch(spec)
        return _range(*found.groups()) if found else _listed(spec)
    if isinstance(spec, (list, tuple)):
        if not spec:
            raise WorkflowError("an empty list has no values", fix=FORMS)
        for index, value in enumerate(spec):
            if not plain(value):
                raise WorkflowError(f"value {index + 1} is {kind_of(value)}", fix="Give texts, numbers, true or false")
        return tuple(spec)
    if not plain(spec):
        raise WorkflowError(f"is {kind_of(spec)}", fix=FORMS)
    return (spec,)


def plain(value: Any) -> bool:
    """Whether an input can have it: text, a number, true or false."""
    return isinstance(value, (str, int, float))


def kind_of(value: Any) -> str:
    """What a value is, for an error."""
    if value is None:
        return "empty"
    kinds = {dict: "a table", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _range(first: str, last: str, step: str | None) -> tuple[Any, ...]:
    low, high = Decimal(first), Decimal(last)
    whole = "." not in first + last + (step or "")
    if step is None and not whole:
        raise WorkflowError(f"the range {first}..{last} has no step", fix=f"Write {first}..{last}..0.1")
    width = abs(Decimal(step)) if step is not None else Decimal(1)
    if not width:
        raise WorkflowError("a range with step 0 has no end", fix="Give another step, or leave it out")
    count = int(abs(high - low) // width) + 1
    if count > MAX_JOBS:
        raise WorkflowError(f"the range {first}..{last} has {count:,} values, and {MAX_JOBS:,} jobs are the most")
    if high < low:
        width = -width
    convert: Any = int if whole else float
    return tuple(convert(low + width * index) for index in range(count))


def _listed(text: str) -> tuple[str, ...]:
    """Comma-separated texts; quotes keep commas, as in CSV."""
    try:
        rows: Sequence[list[str]] = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise WorkflowError(f"{text[:60]!r} cannot be read as a list: {error}", fix=FORMS) from error
    found = tuple(value.strip() for value in rows[0]) if rows else ()
    if not found or not all(found):
        raise WorkflowError(f"{text[:60]!r} has an empty value", fix=FORMS)
    return found
