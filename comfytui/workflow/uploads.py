"""Which pictures, films and sounds of this disk a run needs on the server: named by its inputs, lying beside the workflow."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec

from comfytui.workflow import catalog
from comfytui.workflow.carried import InputFile, input_files
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.graph import Graph, class_type, inputs

MAX_BYTES = 100 << 20  # what servers take at most, unless told otherwise
BESIDE = ("", "input", "inputs")  # folders beside a workflow in which people keep what it reads
# Only what a node can load: a workflow from elsewhere must not carry any other file of this disk away.
MEDIA = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".exr",
        ".hdr",
        ".mp4",
        ".mov",
        ".webm",
        ".mkv",
        ".avi",
        ".m4v",
        ".wav",
        ".mp3",
        ".flac",
        ".ogg",
        ".opus",
        ".m4a",
        ".aac",
        ".glb",
        ".gltf",
        ".obj",
        ".ply",
        ".stl",
        ".fbx",
        ".latent",
    ]
)


class Upload(msgspec.Struct, frozen=True):
    """An input that the server has no file for. `path` is the file here, None if there is none either."""

    node_id: str
    input: str
    value: str  # as the workflow has it
    path: Path | None = None
    size: int = 0  # bytes
    refused: str = ""  # why a file that is there cannot be sent


def uploads(graph: Graph, object_info: ObjectInfo, folder: Path) -> list[Upload]:
    """The inputs that name a file which the server does not list, with the file in `folder` (the workflow's own) if any.

    Only media files that lie below the folder are taken, whatever path the workflow names. Looks at the disk, which
    blocks; never raises for what a graph or a disk can hold.
    """
    found: list[Upload] = []
    for file in input_files(graph, object_info):
        value = inputs(graph, file.node_id)[file.input]
        spec = catalog.declared(object_info, class_type(graph, file.node_id))[file.input]
        if file.type == "input" and value not in spec.choices and file.filename:
            found.append(_local(file, value, folder))
    return found


def _local(file: InputFile, value: str, folder: Path) -> Upload:
    nothing = Upload(file.node_id, file.input, value)
    for beside in BESIDE:
        for name in dict.fromkeys(
            (f"{file.subfolder}/{file.filename}" if file.subfolder else file.filename, file.filename)
        ):
            try:
                top = folder.resolve()
                path = (top / beside / name).resolve()
                if not path.is_relative_to(top):  # by .., by a link, by being absolute
                    continue
                status = path.stat()
            except (OSError, ValueError, RuntimeError):  # not there, no name, a circle of links
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            refused = ""
            if path.suffix.lower() not in MEDIA:
                refused = f"{path.suffix or 'a file without an ending'} is no picture, film or sound"
            elif status.st_size > MAX_BYTES:
                refused = f"{status.st_size >> 20} MiB, and servers take {MAX_BYTES >> 20}"
            return msgspec.structs.replace(nothing, path=path, size=status.st_size, refused=refused)
    return nothing
