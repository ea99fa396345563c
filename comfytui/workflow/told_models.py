"""The models that a workflow tells where to get: name, folder, address and hash, and the command that would fetch one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from comfytui.workflow.errors import WorkflowError

MAX_MODELS = 1000
MAX_SHEETS = 2000
MAX_URL = 2000
_PART = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff<>:\"|?*\\/]{1,200}")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".json", ".yaml", ".txt")


class ToldModel(msgspec.Struct, frozen=True):
    """One model that a workflow names. All text is checked: `name` and `directory` stay within the models' folder.

    `url` is empty if the workflow tells none that can be used, and `refused` says why.
    """

    name: str  # may have folders: sdxl/base.safetensors
    directory: str = ""  # of the server's models: checkpoints, loras, …
    url: str = ""
    sha256: str = ""
    node_ids: tuple[str, ...] = ()
    refused: str = ""

    @property
    def path(self) -> str:
        """Below the server's folder of models."""
        return f"{self.directory}/{self.name}" if self.directory else self.name


def told_models(workflow: Mapping[str, Any] | None) -> list[ToldModel]:
    """All that a workflow in UI form tells, each once, in its order. Never raises; what is no model is left out."""
    found: dict[tuple[str, str], ToldModel] = {}
    for node_id, entry in _entries(workflow):
        model = _model(entry)
        if model is None:
            continue
        key = (model.directory, model.name)
        known = found.get(key)
        if known is None:
            if len(found) >= MAX_MODELS:
                break
            known = model
        elif not known.url and model.url:
            known = msgspec.structs.replace(model, node_ids=known.node_ids)
        ids = (node_id,) if node_id and node_id not in known.node_ids else ()
        found[key] = msgspec.structs.replace(known, node_ids=(*known.node_ids, *ids))
    return list(found.values())


def told_of(name: str, models: Iterable[ToldModel]) -> ToldModel | None:
    """What is told of a file that a node names, in whatever folder it is there."""
    tail = _tail(name)
    alike = [each for each in models if _tail(each.name) == tail]
    return next((each for each in alike if each.name == name), alike[0] if alike else None)


def fetch_command(model: ToldModel, models: str = "models", folders: Collection[str] | None = None) -> str:
    """The shell command that fetches a model into a server's folder `models`, goes on where it stopped, checks the hash.

    `folders` are those that the server has (as `/models` tells them), if they are known. Every part is quoted. Raises
    WorkflowError if the workflow tells no address or no folder that can be used.
    """
    place = f"model {model.name}"
    if not model.url:
        raise WorkflowError(
            model.refused or "the workflow does not tell where to get it", place=place, fix="Search it by name"
        )
    if not model.directory:
        raise WorkflowError("the workflow does not tell its folder", place=place, fix="Fetch it by hand")
    if folders is not None and model.directory.partition("/")[0] not in folders:
        raise WorkflowError(f"the server has no folder {model.directory!r}", place=place, fix="Fetch it by hand")
    path = f"{models.rstrip('/') or '.'}/{model.path}"
    folder = path.rpartition("/")[0]
    quoted = shlex.quote(path)
    # No name is ever an option: it stands behind the folder, and addresses begin with https. So do redirects.
    parts = [
        f"mkdir -p -- {shlex.quote(folder)}",
        f"curl --fail --proto =https -L -C - -o {quoted} {shlex.quote(model.url)}",
    ]
    if model.sha256:
        parts.append(f"printf '%s  %s\\n' {model.sha256} {quoted} | sha256sum -c -")
    return " && ".join(parts)


def _entries(workflow: Any) -> Iterator[tuple[str, Any]]:
    """(node id, entry) of all lists of models: the workflow's own, and those of nodes, also within subgraphs."""
    if not isinstance(workflow, Mapping):
        return
    for entry in _list(workflow.get("models")):
        yield "", entry
    definitions = workflow.get("definitions")
    inner = _list(definitions.get("subgraphs")) if isinstance(definitions, Mapping) else []
    for sheet in [workflow, *inner[:MAX_SHEETS]]:
        for node in _list(sheet.get("nodes")) if isinstance(sheet, Mapping) else []:
            properties = node.get("properties") if isinstance(node, Mapping) else None
            for entry in _list(properties.get("models")) if isinstance(properties, Mapping) else []:
                yield str(node.get("id", ""))[:200], entry


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _model(entry: Any) -> ToldModel | None:
    if not isinstance(entry, Mapping):
        return None
    name, directory = _path(entry.get("name")), _path(entry.get("directory"))
    if not name or not name.lower().endswith(ENDINGS):
        return None
    url, refused = _url(entry.get("url"))
    text = entry.get("hash")
    kind = str(entry.get("hash_type", "sha256")).lower().replace("-", "")
    sha256 = text.lower() if kind == "sha256" and isinstance(text, str) and _HASH.fullmatch(text) else ""
    return ToldModel(name, directory, url, sha256, (), refused)


def _path(value: Any) -> str:
    """A path that stays where it is put; empty if it is none."""
    if not isinstance(value, str) or len(value) > 400:
        return ""
    parts = value.replace("\\", "/").split("/")
    if all(_PART.fullmatch(each) and each.strip(". ") and each[0] not in "-~" for each in parts):
        return "/".join(parts)
    return ""


def _url(value: Any) -> tuple[str, str]:
    """An address that can be fetched, or why there is none."""
    if not isinstance(value, str) or not value.strip():
        return "", ""
    text = value.strip()
    if len(text) > MAX_URL or not text.isascii() or not text.isprintable() or " " in text:
        return "", "its address holds what no address may"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "", "its address is none"
    if parts.scheme.lower() != "https":
        return "", f"its address is not https: {text[:80]}"
    if not parts.hostname or "@" in parts.netloc or port == 0:
        return "", f"its address is none to fetch from: {text[:80]}"
    if parts.hostname == "huggingface.co" and "/blob/" in parts.path:  # the page about the file
        text = text.replace("/blob/", "/resolve/", 1)
    return text, ""


def _tail(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].lower()
