"""Pictures and other files that go in and come out."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import (
    ABSENT,
    BYTES,
    FORM,
    Answer,
    AnyObject,
    Binary,
    Body,
    Complaint,
    Input,
    Operation,
    Operations,
    in_path,
    ok,
)

TITLE = "files"

Kind = Literal["input", "output", "temp"]


class Stored(Struct):
    """Where an upload lies. `LoadImage` takes `name`, or `subfolder/name`."""

    name: Annotated[str, Meta(description="Another one than was sent if that was taken by another picture.")]
    subfolder: str
    type: Kind


class ImageUpload(Struct):
    """A form with a file."""

    image: Annotated[Binary, Meta(description="The file, with its name.")]
    type: Kind | UnsetType = UNSET
    subfolder: Annotated[str, Meta(description="Below the folder of that type; it is made.")] | UnsetType = UNSET
    overwrite: Annotated[str, Meta(description="`true` or `1` replaces a file of the name.")] | UnsetType = UNSET


class MaskUpload(ImageUpload):
    """A form with a picture whose alpha is put on another one."""

    original_ref: Annotated[
        str, Meta(description="JSON with `filename`, and perhaps `subfolder` and `type`, of the other one.")
    ] = ""


_MEDIA = ("image/png", "image/jpeg", "image/webp", "video/*", "audio/*", BYTES)
_FOLDER = in_path("folder", "A kind of model, as in `/models`.")
_STORED = {**ok("Where it lies.", Stored), 400: Answer("The form is not one, has no file, or a name that leads out.")}

OPERATIONS: Operations = {
    ("GET", "/view"): Operation(
        "view",
        "A file of the input, output or temp folder",
        {
            200: Answer("The file, or what was made of it.", Binary, _MEDIA),
            206: Answer("The bytes that `Range` asks for, of a file sent as it is.", Binary, _MEDIA),
            400: Answer("The name is empty, has `..` in it, or the type is unknown; the body may say more."),
            403: Answer("The subfolder leads out; or see the 403 of every route."),
            404: ABSENT,
            416: Answer("The file has no such bytes."),
        },
        more="Pages, scripts and drawings that a browser would run are sent as plain bytes to be saved.",
        inputs=(
            Input("filename", "Without folders; without it the answer is 404.", required=True),
            Input("type", "Which folder; `output` without it.", Kind),
            Input("subfolder", "Below that folder."),
            Input("preview", "`webp` or `jpeg`, perhaps with `;` and a quality up to 100. The size is kept."),
            Input(
                "channel", "`rgb` without, `a` only the alpha, as PNG without metadata.", Literal["rgba", "rgb", "a"]
            ),
        ),
    ),
    ("GET", "/view_metadata/{folder}"): Operation(
        "viewMetadata",
        "What a safetensors file says of itself",
        {**ok("Its `__metadata__`.", AnyObject), 404: Answer("There is no such file, or it says nothing.")},
        inputs=(_FOLDER, Input("filename", "A name of `/models/{folder}`.", required=True)),
    ),
    ("POST", "/upload/image"): Operation(
        "uploadImage",
        "Put a file into the input folder",
        _STORED,
        more="Equal files are stored once. A name that is taken by another file gets a number.",
        body=Body("The file.", ImageUpload, (FORM,)),
    ),
    ("POST", "/upload/mask"): Operation(
        "uploadMask",
        "Put a picture's alpha on another picture",
        _STORED,
        more="Where the other picture is not there or may not be read, the answer is the same and nothing is written.",
        body=Body("The mask and what it belongs to.", MaskUpload, (FORM,)),
    ),
    ("GET", "/internal/files/{kind}"): Operation(
        "listFiles",
        "Names at the top of a folder, newest first",
        {**ok("The names.", list[str]), 400: Answer("There is no such folder.", Complaint)},
        inputs=(in_path("kind", "Which folder.", Kind),),
    ),
}
