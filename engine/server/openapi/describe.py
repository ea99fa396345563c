"""The words in which a route is described: what it takes, what it answers, and the shapes of both.

A shape is a type that msgspec can turn into JSON Schema: mostly a struct, with `Meta` for what the type cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

JSON = "application/json"
FORM = "multipart/form-data"
BYTES = "application/octet-stream"

AnyObject = dict[str, Any]
Count = Annotated[int, Meta(ge=0)]
Milliseconds = Annotated[int, Meta(description="Milliseconds since 1970.")]
Seconds = Annotated[float, Meta(description="Seconds since 1970.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status means. Without a shape the body is empty; another medium than JSON is a string or bytes."""

    what: str
    shape: Any = None
    media: tuple[str, ...] = (JSON,)


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter: of the query unless it says otherwise."""

    name: str
    what: str
    shape: Any = str
    place: Literal["query", "path", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries."""

    what: str
    shape: Any
    media: tuple[str, ...] = (JSON,)
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `name` is what generators call it; `open_to_all` needs no token."""

    name: str
    what: str
    answers: Mapping[int, Answer]
    more: str = ""
    inputs: tuple[Input, ...] = ()
    body: Body | None = None
    open_to_all: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys of the document that begin with x-


Operations = Mapping[tuple[str, str], Operation]  # by method and path


class ErrorBody(Struct):
    """What went wrong."""

    type: Annotated[str, Meta(description="A word for programs.", examples=["invalid_request"])]
    message: Annotated[str, Meta(description="A sentence for people.")]
    details: Annotated[str, Meta(description="Which thing, and often what to do.")]
    extra_info: AnyObject


class Refusal(Struct):
    """A refused request, in the layout of `POST /prompt`."""

    error: ErrorBody
    node_errors: AnyObject


class Complaint(Struct):
    """A refusal in one sentence."""

    error: str


Text = Annotated[str, Meta(description="A sentence, or nothing.")]
Binary = Annotated[str, Meta(extra_json_schema={"format": "binary"})]

EMPTY = Answer("Done. There is no body.")
BAD = Answer("The request cannot be understood; the place of the error is in `details`.", Refusal)
ABSENT = Answer("There is no such thing. There is no body.")


def ok(what: str, shape: Any) -> dict[int, Answer]:
    """The one answer of a route that always succeeds."""
    return {200: Answer(what, shape)}


def in_path(name: str, what: str, shape: Any = str) -> Input:
    return Input(name, what, shape, place="path", required=True)
