"""The model folders and what lies in them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from engine.server.openapi.describe import ABSENT, Answer, Binary, Count, Operation, Operations, Seconds, in_path, ok

TITLE = "models"

Names = list[str]


class ModelFolder(Struct):
    """A kind of model."""

    name: str
    folders: Annotated[list[str], Meta(description="Where it is looked for.")]


class ModelFile(Struct):
    """A file of a kind."""

    name: Annotated[str, Meta(description="Relative to its folder.")]
    pathIndex: Annotated[int, Meta(ge=0, description="The number of its folder.")]  # noqa: N815 - the wire's name
    modified: Seconds
    created: Seconds
    size: Annotated[int, Meta(ge=0, description="Bytes.")]


_FOLDER = in_path("folder", "A kind of model.")

OPERATIONS: Operations = {
    ("GET", "/models"): Operation("listModelKinds", "Kinds of models", ok("Their names.", Names)),
    ("GET", "/models/{folder}"): Operation(
        "listModels", "Files of one kind", {**ok("Their names.", Names), 404: ABSENT}, inputs=(_FOLDER,)
    ),
    ("GET", "/embeddings"): Operation("listEmbeddings", "Textual inversions", ok("Names without ending.", Names)),
    ("GET", "/experiment/models"): Operation(
        "listModelFolders", "Kinds of models and their folders", ok("The kinds.", list[ModelFolder])
    ),
    ("GET", "/experiment/models/{folder}"): Operation(
        "listModelFiles",
        "Files of one kind with size and times",
        {**ok("The files.", list[ModelFile]), 404: ABSENT},
        inputs=(_FOLDER,),
    ),
    ("GET", "/experiment/models/preview/{folder}/{path_index}/{file}"): Operation(
        "previewModel",
        "The picture that lies beside a model",
        {200: Answer("At most 512 pixels long.", Binary, ("image/webp",)), 404: ABSENT},
        inputs=(
            _FOLDER,
            in_path("path_index", "`pathIndex` of the file.", Count),
            in_path("file", "`name` of the file; slashes may stand as they are."),
        ),
    ),
    ("GET", "/internal/folder_paths"): Operation(
        "getFolderPaths", "Where each kind is looked for", ok("Folders by kind.", dict[str, list[str]])
    ),
}
