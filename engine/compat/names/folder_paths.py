"""`folder_paths` for packs: the engine's folders, and folders of models that a pack adds."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from engine.compat import runtime
from engine.files.folders import ALIASES, MODEL_EXTENSIONS, split_annotation
from engine.files.safe import inside

_folders = runtime.current().folders
supported_pt_extensions: set[str] = set(MODEL_EXTENSIONS)
base_path = str(_folders.base)
models_dir = str(_folders.base / "models")
output_directory, input_directory = str(_folders.output), str(_folders.input)
temp_directory, user_directory = str(_folders.temp), str(_folders.user)
# Live, as packs change it: kind → (folders, extensions).
folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {
    kind: ([str(root) for root in roots], set(MODEL_EXTENSIONS)) for kind, roots in _folders.models.items()
}
folder_names_and_paths["custom_nodes"] = (folder_names_and_paths["custom_nodes"][0], set())


def map_legacy(folder_name: str) -> str:
    return ALIASES.get(folder_name, folder_name)


def get_output_directory() -> str:
    return output_directory


def get_input_directory() -> str:
    return input_directory


def get_temp_directory() -> str:
    return temp_directory


def get_user_directory() -> str:
    return user_directory


def get_directory_by_type(type_name: str) -> str | None:
    return {"output": output_directory, "input": input_directory, "temp": temp_directory}.get(type_name)


def get_folder_paths(folder_name: str) -> list[str]:
    """A copy. Raises `KeyError` for an unknown kind."""
    return list(folder_names_and_paths[map_legacy(folder_name)][0])


def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
    paths, _ = folder_names_and_paths.setdefault(map_legacy(folder_name), ([], set()))
    if full_folder_path in paths:
        if not is_default:
            return
        paths.remove(full_folder_path)
    paths.insert(0 if is_default else len(paths), full_folder_path)


def filter_files_extensions(files: Any, extensions: Any) -> list[str]:
    """Sorted; no extensions means every file."""
    return sorted(name for name in files if not extensions or Path(name).suffix.lower() in extensions)


def recursive_search(directory: str, excluded_dir_names: Any = None) -> tuple[list[str], dict[str, float]]:
    """Names of files below, and folder → time of its last change."""
    excluded = set(excluded_dir_names or ())
    files, folders = [], {}
    if not Path(directory).is_dir():
        return [], {}
    for place, below, names in os.walk(directory, followlinks=True):
        below[:] = [name for name in below if name not in excluded]
        folders[place] = Path(place).stat().st_mtime
        files += [os.path.relpath(Path(place, name), directory) for name in names]
    return files, folders


def get_filename_list(folder_name: str) -> list[str]:
    paths, extensions = folder_names_and_paths[map_legacy(folder_name)]
    found: set[str] = set()
    for path in paths:
        found.update(filter_files_extensions(recursive_search(path, [".git"])[0], extensions))
    return sorted(found)


def get_full_path(folder_name: str, filename: str) -> str | None:
    """The first that exists. Raises `UnsafeNameError` for a name that leaves the folders."""
    for root in folder_names_and_paths.get(map_legacy(folder_name), ([], set()))[0]:
        path = inside(Path(root), filename, follow=True)
        if path.is_file():
            return str(path)
    return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    path = get_full_path(folder_name, filename)
    if path is None:
        raise FileNotFoundError(f"{filename} is in no folder of {folder_name}")
    return path


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """`"a.png [output]"` → its name and folder; None without a suffix."""
    bare, kind = split_annotation(name, "")
    return bare, get_directory_by_type(kind)


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    bare, folder = annotated_filepath(name)
    return str(inside(Path(folder or default_dir or input_directory), bare))


def exists_annotated_filepath(name: str) -> bool:
    return Path(get_annotated_filepath(name)).exists()


def filter_files_content_types(files: list[str], content_types: list[str]) -> list[str]:
    """Those of `files` that are `image`, `video`, `audio` or `model` by their extension."""
    import mimetypes

    return [name for name in files if (mimetypes.guess_type(name)[0] or "").partition("/")[0] in content_types]


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Folder, name, next free number, subfolder and the prefix. Raises `UnsafeNameError` outside of `output_dir`."""
    prefix = filename_prefix.replace("%width%", str(image_width)).replace("%height%", str(image_height))
    now = time.localtime()
    for word, value in (
        ("year", now.tm_year),
        ("month", now.tm_mon),
        ("day", now.tm_mday),
        ("hour", now.tm_hour),
        ("minute", now.tm_min),
        ("second", now.tm_sec),
    ):
        prefix = prefix.replace(f"%{word}%", str(value).zfill(2))
    path = inside(Path(output_dir), prefix)
    path.parent.mkdir(parents=True, exist_ok=True)
    numbered = re.compile(re.escape(path.name) + r"_(\d+)")
    used = [int(found[1]) for entry in path.parent.iterdir() if (found := numbered.match(entry.name))]
    subfolder = os.path.relpath(path.parent, output_dir)
    return str(path.parent), path.name, max(used, default=0) + 1, "" if subfolder == "." else subfolder, filename_prefix
