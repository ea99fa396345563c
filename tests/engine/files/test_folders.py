from pathlib import Path

import pytest

from engine.files.folders import (
    FOLDER_TYPES,
    SHIPPED_MODELS,
    FolderError,
    Folders,
    ModelNotFoundError,
    split_annotation,
)
from engine.files.safe import UnsafeNameError
from engine.options import parse


def folders(base: Path, *flags: str) -> Folders:
    return Folders.from_options(parse(["--base-directory", str(base), *flags]))


def test_kinds_come_in_the_order_that_clients_know(tmp_path: Path) -> None:
    assert tuple(folders(tmp_path).models) == FOLDER_TYPES
    assert FOLDER_TYPES[0] == "checkpoints"
    assert FOLDER_TYPES[-1] == "audio_encoders"


def test_folders_can_be_chosen_one_by_one(tmp_path: Path) -> None:
    found = folders(tmp_path, "--output-directory", "/o", "--temp-directory", "/t", "--input-directory", "/i")
    assert (found.output, found.temp, found.input, found.user) == (
        Path("/o"),
        Path("/t/temp"),
        Path("/i"),
        tmp_path / "user",
    )
    assert Path("/o/checkpoints") in found.roots("checkpoints")


def test_without_a_base_the_data_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Folders.from_options(parse([])).base == tmp_path / "comfytui"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Folders.from_options(parse([])).base == tmp_path / ".local/share/comfytui"


def test_models_are_listed_below_links_sorted_and_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "models/loras", tmp_path / "elsewhere"
    for path in (
        root / "b.safetensors",
        root / "sub/a.pt",
        root / "notes.txt",
        root / ".hidden.pt",
        elsewhere / "c.sft",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)  # a ring must end
    found = folders(tmp_path)
    assert found.list_models("loras") == ["b.safetensors", "linked/c.sft", "sub/a.pt"]
    assert found.find_model("loras", "linked/c.sft").is_file()
    (tmp_path / "output/loras").mkdir(parents=True)
    (tmp_path / "output/loras/b.safetensors").touch()
    assert found.list_models("loras").count("b.safetensors") == 1
    assert found.find_model("loras", "b.safetensors") == root / "b.safetensors"


def test_aliases_and_unknown_kinds(tmp_path: Path) -> None:
    found = folders(tmp_path)
    assert found.roots("unet") == found.roots("diffusion_models")
    assert found.roots("clip") == found.roots("text_encoders")
    with pytest.raises(KeyError):
        found.roots("nope")


def test_the_shipped_model_is_the_last_place_looked_at(tmp_path: Path) -> None:
    assert folders(tmp_path).roots("checkpoints")[-1] == SHIPPED_MODELS / "checkpoints"


def test_a_missing_model_is_named_with_its_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"x\.safetensors is not in loras .*models/loras"):
        folders(tmp_path).find_model("loras", "x.safetensors")
    with pytest.raises(UnsafeNameError):
        folders(tmp_path).find_model("loras", "../../etc/passwd")


def test_extra_paths_append_unless_they_are_the_default(tmp_path: Path) -> None:
    config = tmp_path / "extra.yaml"
    config.write_text(
        "a:\n  base_path: /data\n  loras: l\n  clip: |\n    c1\n    c2\n"
        "b:\n  is_default: true\n  loras: /first\n  brand_new: n\nempty:\n"
    )
    found = folders(tmp_path, "--extra-model-paths-config", str(config))
    assert found.roots("loras")[0] == Path("/first")
    assert found.roots("loras")[-1] == Path("/data/l")
    assert found.roots("text_encoders")[-2:] == (Path("/data/c1"), Path("/data/c2"))
    assert found.roots("brand_new") == (tmp_path / "n",)


@pytest.mark.parametrize("text", ["- a\n", "a: [1\n", "a: text\n", "a:\n  loras: 3\n"])
def test_a_bad_paths_file_is_named(tmp_path: Path, text: str) -> None:
    config = tmp_path / "extra.yaml"
    config.write_text(text)
    with pytest.raises(FolderError, match=r"extra\.yaml"):
        folders(tmp_path, "--extra-model-paths-config", str(config))


def test_annotated_inputs(tmp_path: Path) -> None:
    found = folders(tmp_path)
    assert found.annotated_input("a.png") == tmp_path / "input/a.png"
    assert found.annotated_input("sub/a.png [output]") == tmp_path / "output/sub/a.png"
    assert found.annotated_input("a.png [temp]") == tmp_path / "temp/a.png"
    assert split_annotation("a [b].png") == ("a [b].png", "input")
    for bad in ("../a.png", "", " [output]", "/etc/passwd [input]"):
        with pytest.raises(UnsafeNameError):
            found.annotated_input(bad)


def test_input_files_are_listed(tmp_path: Path) -> None:
    found = folders(tmp_path)
    assert found.input_files() == []
    found.create()
    for name in ("b.png", "a.png", ".hidden"):
        (found.input / name).touch()
    (found.input / "folder").mkdir()
    assert found.input_files() == ["a.png", "b.png"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="file"):
        folders(tmp_path / "file").create()
