"""Where the engine's files are: output, input, temp and user folders, and the folders of models."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.files.safe import UnsafeNameError, clean, inside
from engine.options import Options, default_base

MODEL_EXTENSIONS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"})
# Folder types in the order clients get them.
FOLDER_TYPES = (
    "checkpoints",
    "configs",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "latent_upscale_models",
    "custom_nodes",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
)
ALIASES = {"unet": "diffusion_models", "clip": "text_encoders"}
# Kinds that live in more folders than the one of their name: an older layout is still read.
_PLACES = {
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("unet", "diffusion_models"),
    "controlnet": ("controlnet", "t2i_adapter"),
}
# Models that nodes save next to the pictures are offered for loading.
_SAVED_MODELS = {
    "checkpoints": "checkpoints",
    "loras": "loras",
    "vae": "vae",
    "text_encoders": "clip",
    "diffusion_models": "diffusion_models",
}
_OTHER_EXTENSIONS = {"configs": frozenset({".yaml"}), "diffusers": frozenset({""}), "custom_nodes": frozenset({""})}
_ANNOTATION = re.compile(r"\s*\[(input|output|temp)\]$")

SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "data" / "models"
MAX_LISTED = 20_000  # files of one kind; a list that is longer helps nobody and would be tens of megabytes
MAX_DEPTH = 12


class ModelNotFoundError(FileNotFoundError):
    """No folder of this kind holds the file; the message names both."""


class FolderError(Exception):
    """A folder or a paths file is unusable; the message names it and the fix."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Absolute paths, decided once at the start; both processes hold the same value."""

    base: Path
    output: Path
    input: Path
    temp: Path
    user: Path
    models: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # folder type → roots, first wins

    @classmethod
    def from_options(cls, options: Options) -> Folders:
        """Decide every folder. Nothing is created: see `create`. Raises `FolderError` for a bad paths file."""
        base = _absolute(options.base_directory) or default_base()
        output = _absolute(options.output_directory) or base / "output"
        temp = _absolute(options.temp_directory) or base
        models = _default_models(base, output)
        for name in options.extra_model_paths_config:
            _add_extra_paths(models, Path(name).expanduser().absolute())
        # The shipped demo model comes last, so that any file of the same name wins.
        models["checkpoints"].append(SHIPPED_MODELS / "checkpoints")
        return cls(
            base=base,
            output=output,
            input=_absolute(options.input_directory) or base / "input",
            temp=temp / "temp",
            user=_absolute(options.user_directory) or base / "user",
            models={kind: tuple(dict.fromkeys(roots)) for kind, roots in models.items()},
        )

    def create(self) -> None:
        """Make the folders that the engine writes to. Raises `FolderError` where one cannot be written."""
        for path in (self.output, self.input, self.temp, self.user):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise FolderError(f"cannot make the folder {path}: {error.strerror}; choose another one") from error
            if not os.access(path, os.W_OK | os.X_OK):
                raise FolderError(f"the folder {path} cannot be written; change its rights or choose another one")

    def roots(self, kind: str) -> tuple[Path, ...]:
        """Folders of a kind of models (`unet` and `clip` are aliases). Raises `KeyError` for an unknown kind."""
        return tuple(self.models[ALIASES.get(kind, kind)])

    def knows(self, kind: str) -> bool:
        return ALIASES.get(kind, kind) in self.models

    def by_type(self, kind: str) -> Path:
        """The folder of `output`, `input` or `temp` files. Raises `KeyError`."""
        return {"output": self.output, "input": self.input, "temp": self.temp}[kind]

    def list_models(self, kind: str) -> list[str]:
        """Names below the folders of `kind`, sorted, each once; links are followed, at most `MAX_LISTED`."""
        extensions = _OTHER_EXTENSIONS.get(kind, MODEL_EXTENSIONS)
        if "" in extensions:
            return []  # kinds whose entries are folders, not files
        found: set[str] = set()
        for root in self.roots(kind):
            for name in _walk(root):
                if Path(name).suffix.lower() in extensions:
                    found.add(name)
                    if len(found) >= MAX_LISTED:
                        return sorted(found)
        return sorted(found)

    def find_model(self, kind: str, name: str) -> Path:
        """The first file called `name` in the folders of `kind`. Raises `ModelNotFoundError` or `UnsafeNameError`."""
        for root in self.roots(kind):
            path = inside(root, name, follow=True)
            if path.is_file():
                return path
        places = ", ".join(str(root) for root in self.roots(kind))
        raise ModelNotFoundError(f"{name} is not in {kind} ({places})")

    def annotated_input(self, value: str, default: str = "input") -> Path:
        """The path of a file named by a workflow: `a.png`, `sub/a.png`, `a.png [output]`.

        The file need not exist. Raises `UnsafeNameError` for a name that leaves its folder.
        """
        name, kind = split_annotation(value, default)
        if not clean(name):
            raise UnsafeNameError("the file name is empty")
        return inside(self.by_type(kind), name)

    def input_files(self) -> list[str]:
        """Names of the files at the top of the input folder, sorted; at most `MAX_LISTED`."""
        try:
            with os.scandir(self.input) as entries:
                names = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        return sorted(names)[:MAX_LISTED]


def split_annotation(value: str, default: str = "input") -> tuple[str, str]:
    """`"a.png [output]"` → `("a.png", "output")`; without a suffix the folder is `default`."""
    match = _ANNOTATION.search(value)
    return (value[: match.start()], match[1]) if match else (value, default)


def _absolute(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _default_models(base: Path, output: Path) -> dict[str, list[Path]]:
    models: dict[str, list[Path]] = {}
    for kind in FOLDER_TYPES:
        if kind == "custom_nodes":
            models[kind] = [base / kind]
            continue
        models[kind] = [base / "models" / name for name in _PLACES.get(kind, (kind,))]
        if saved := _SAVED_MODELS.get(kind):
            models[kind].append(output / saved)
    return models


def _add_extra_paths(models: dict[str, list[Path]], file: Path) -> None:
    """Add the folders of a YAML file: groups of `{base_path?, is_default?, kind: paths on lines}`."""
    import yaml  # only here: few starts need it, and it costs 20 ms

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FolderError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FolderError(f"{file} is not YAML: {error}") from error
    if document is None:
        return
    if not isinstance(document, dict):
        raise FolderError(f"{file}: the top level must be groups of folders, not {type(document).__name__}")
    for group, entries in document.items():
        if entries is None:
            continue
        if not isinstance(entries, dict):
            raise FolderError(f"{file}: {group} must hold folders (kind: path), not {type(entries).__name__}")
        _add_group(models, file, str(group), entries)


def _add_group(models: dict[str, list[Path]], file: Path, group: str, entries: dict[Any, Any]) -> None:
    start = file.parent
    if base := entries.get("base_path"):
        start = file.parent / Path(os.path.expandvars(str(base))).expanduser()
    first = bool(entries.get("is_default", False))
    for key, value in entries.items():
        if key in ("base_path", "is_default") or value is None:
            continue
        if not isinstance(value, str | list):
            raise FolderError(f"{file}: {group}.{key} must be a path, not {type(value).__name__}")
        kind = ALIASES.get(str(key), str(key))
        lines = value.split("\n") if isinstance(value, str) else [str(line) for line in value]
        roots = models.setdefault(kind, [])
        new = [start / Path(os.path.expandvars(line.strip())).expanduser() for line in lines if line.strip()]
        roots[:] = [*new, *roots] if first else [*roots, *new]


def _walk(root: Path) -> Iterator[str]:
    """Names of all files below, `/` between the parts; links are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    stack = [(root, "", 0)]
    while stack:
        folder, prefix, depth = stack.pop()
        try:
            state = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # absent or unreadable: such a folder holds no models
        if (state.st_dev, state.st_ino) in seen:
            continue  # a link back to a folder above
        seen.add((state.st_dev, state.st_ino))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if depth < MAX_DEPTH:
                    stack.append((Path(entry.path), f"{prefix}{entry.name}/", depth + 1))
            elif entry.is_file():
                yield prefix + entry.name
