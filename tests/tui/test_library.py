"""The library: good files with their facts, bad ones with their reason, nothing read twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from comfytui.client.userdata import UserFile
from comfytui.tui import library
from comfytui.tui.library import Found
from comfytui.workflow import document
from tests.workflow.embedded import carriers

from .test_draft import GRAPH


def find(
    folders: list[tuple[str, Path]], recent: tuple[Path, ...] | list[Path] = (), known: Found | None = None
) -> Found:
    """Found and read, as the screen does it little by little."""
    found = library.scan(folders, recent, known.entries if known is not None else ())
    waiting = [entry for entry in found.entries if entry.unread]
    read = {entry.key: entry for entry in library.filled(waiting)}
    return replace(found, entries=tuple(read.get(entry.key, entry) for entry in found.entries))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder; beside it lie those of the settings."""
    empty = tmp_path / "files"
    empty.mkdir()
    return empty


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "good.json").write_text(json.dumps(GRAPH))
    (place / "below").mkdir()
    (place / "below" / "deep.json").write_text(json.dumps({"prompt": GRAPH}))
    (place / "broken.json").write_text('{"1": ')
    (place / "ui.json").write_text(json.dumps({"nodes": [], "links": [], "version": 0.4}))
    (place / "notes.txt").write_text("not listed")
    (place / ".hidden.json").write_text("{}")
    return place


def test_files_are_found_with_their_facts(folder: Path) -> None:
    found = find([("mine", folder)])
    by_name = {entry.name: entry for entry in found.entries}
    assert set(by_name) == {"good.json", "broken.json", "ui.json", str(Path("below", "deep.json"))}
    good = by_name["good.json"]
    assert (good.facts.positive, good.facts.seed, good.facts.model) == ("a red circle", 42, "demo.safetensors")
    assert len(good.classes) == 6 and good.group == "mine" and not good.error


def test_bad_files_say_why(folder: Path) -> None:
    by_name = {entry.name: entry for entry in find([("mine", folder)]).entries}
    assert "incomplete" in by_name["broken.json"].error
    assert by_name["ui.json"].form == "ui" and not by_name["ui.json"].error
    assert by_name["good.json"].runnable and by_name["broken.json"].form == ""


def test_a_missing_folder_is_a_note(folder: Path) -> None:
    found = find([("gone", folder / "gone"), ("mine", folder)])
    assert found.notes == ("gone: no such folder",)
    assert len(found.entries) == 4


def test_recent_files_elsewhere_are_listed_once(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "lone.json"
    other.write_text(json.dumps(GRAPH))
    found = find([("mine", folder)], [folder / "good.json", other, folder / "deleted.json"])
    assert [entry.path for entry in found.entries if entry.group == "recent"] == [other]


def test_an_unchanged_file_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = find([("mine", folder)])
    (folder / "good.json").write_text(json.dumps({**GRAPH, "9": GRAPH["6"]}))
    read: list[str] = []
    real = document.read
    monkeypatch.setattr(document, "read", lambda path: read.append(path.name) or real(path))
    after = find([("mine", folder)], known=before)
    assert read == ["good.json"]
    assert len(next(e for e in after.entries if e.name == "good.json").classes) == 7


def test_hostile_names_and_titles_are_clean_and_the_document_is_untouched(place: Path) -> None:
    graph = {"1": {"class_type": "A\x1b]0;owned\x07B", "inputs": {"text": "x\x1b[31m"}}}
    (place / "a\x1b[2Jb\u202e.json").write_text(json.dumps(graph))
    (entry,) = find([("mine", place)]).entries
    assert "\x1b" not in entry.name + "".join(entry.classes) and "\u202e" not in entry.name
    assert document.read(entry.path).graph["1"]["inputs"]["text"] == "x\x1b[31m", "what will be sent is untouched"


def test_links_are_followed_but_never_in_circles(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "linked.json").write_text(json.dumps(GRAPH))
    (elsewhere / "back").symlink_to(folder)
    (folder / "link").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "nowhere.json").symlink_to(folder / "gone")
    found = find([("mine", folder)])
    names = [entry.name for entry in found.entries]
    assert sorted(names) == sorted(
        ["broken.json", "good.json", "nowhere.json", "ui.json", str(Path("below", "deep.json")), str(Path("link", "linked.json"))]
    )  # fmt: skip
    assert next(entry for entry in found.entries if entry.name == "nowhere.json").error


def test_thousands_of_files_are_found_without_reading_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3000):
        (place / f"{number:04}.json").write_text("{}")
    monkeypatch.setattr(document, "read", lambda path: pytest.fail(f"{path} was read"))
    found = library.scan([("many", place)])
    assert len(found.entries) == 3000 and all(entry.unread for entry in found.entries)


def test_a_page_of_the_ui_form_says_what_it_is_about(place: Path) -> None:
    page = {"version": 1, "links": [], "nodes": [{"type": "CLIPTextEncode", "widgets_values": ["a \x1b[31mcastle"]}]}
    (place / "page.json").write_text(json.dumps(page))
    (entry,) = find([("mine", place)]).entries
    assert entry.form == "ui" and entry.classes == ("CLIPTextEncode",)
    assert entry.facts.positive == "a castle", "cleaned, as all that is shown"
    assert entry.runnable and not entry.error


def test_pictures_and_films_are_listed_and_those_without_a_workflow_are_marked(place: Path) -> None:
    (place / "made.png").write_bytes(carriers.png({"prompt": json.dumps(GRAPH)}))
    (place / "film.MP4").write_bytes(carriers.mp4({"prompt": json.dumps(GRAPH)}))
    (place / "photo.jpg").write_bytes(carriers.with_exif("JPEG", {}))
    (place / "model.safetensors").write_bytes(carriers.latent({"prompt": json.dumps(GRAPH)}))
    by_name = {entry.name: entry for entry in find([("mine", place)]).entries}
    assert set(by_name) == {"made.png", "film.MP4", "photo.jpg"}, "models are no workflows"
    assert by_name["made.png"].facts.seed == by_name["film.MP4"].facts.seed == 42
    assert by_name["photo.jpg"].empty and not by_name["made.png"].empty


def test_the_servers_files_keep_what_was_read_of_them() -> None:
    files = (
        UserFile("a.json", 10, 5.0),
        UserFile(".index.json", 1, 1.0),
        UserFile("b.txt"),
        UserFile("x/\x1b[1mc.json"),
    )
    entries = library.server_entries(files)
    assert [entry.name for entry in entries] == ["a.json", "x/c.json"]
    assert entries[1].on_server == "x/\x1b[1mc.json", "what the server is asked for stays as it said it"
    read = library.of_bytes(entries[0], json.dumps(GRAPH).encode())
    assert read.runnable and read.facts.positive == "a red circle"
    assert library.server_entries(files, [read])[0] is read
    changed = (UserFile("a.json", 11, 6.0),)
    assert library.server_entries(changed, [read])[0].unread
