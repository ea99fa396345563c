"""Settings and memory on disk: found, changed key by key, and never half written."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest

from comfytui.settings import files, memory, servers
from comfytui.settings.schema import Profile, Settings, SettingsError, get, options, validate


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMFYTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COMFYTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("COMFYTUI_SERVER", raising=False)
    return tmp_path


def test_without_a_file_there_are_the_defaults_and_nothing_is_made(own_folders: Path) -> None:
    assert files.load() == Settings()
    assert memory.recall() == memory.Memory()
    assert list(own_folders.iterdir()) == []


def test_a_key_is_changed_and_the_others_stay(own_folders: Path) -> None:
    files.settings_path().parent.mkdir()
    files.settings_path().write_text('theme = "light"\n[servers.box]\nurl = "gpu:1"\n')
    assert files.change("confirm.interrupt", True).confirm.interrupt
    assert files.change("workflow_folders", ("a", "b")).workflow_folders == ("a", "b")
    found = files.load()
    assert (found.theme, found.servers["box"].url, found.confirm.interrupt) == ("light", "gpu:1", True)
    assert not files.change("confirm.interrupt", None).confirm.interrupt
    assert [each.name for each in files.config_dir().iterdir()] == ["settings.toml"]


def test_what_the_user_wrote_around_it_stays(own_folders: Path) -> None:
    path = files.settings_path()
    path.parent.mkdir()
    path.write_text(
        '# mine\ntheme = "dark" # at night\n\n[confirm] # ask\ninterrupt = true\n\n[servers.box]\nurl = "g"\n'
    )
    files.change("theme", "light")
    files.change("confirm.interrupt", False)
    files.change("confirm.cancel", True)
    files.change("output_dir", "out # put")
    files.change("keys.run_again", "ctrl+r")
    files.change("confirm.interrupt", None)
    assert path.read_text() == (
        '# mine\ntheme = "light"  # at night\noutput_dir = "out # put"\n\n[confirm] # ask\ncancel = true\n\n'
        '[servers.box]\nurl = "g"\n\n[keys]\nrun_again = "ctrl+r"\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        'workflow_folders = [\n  "a", # first\n  "b",\n]\n',
        "confirm = { interrupt = true }\n",
        'servers.box.url = "theme = 1"\n',
        'output_dir = """\ntheme = "x"\n"""\n',
    ],
)
@pytest.mark.parametrize(
    ("key", "value"), [("workflow_folders", ("c",)), ("confirm.interrupt", False), ("theme", "light")]
)
def test_files_that_lines_do_not_describe_are_changed_correctly(
    own_folders: Path, text: str, key: str, value: object
) -> None:
    files.settings_path().parent.mkdir()
    files.settings_path().write_text(text)
    before = files.load()
    after = files.change(key, value)
    assert files.load() == after
    assert get(after, key) == value
    for option in options():
        if option.key != key:
            assert get(after, option.key) == get(before, option.key)


def test_a_wrong_change_is_refused_and_nothing_written(own_folders: Path) -> None:
    files.change("theme", "light")
    for key, value in [("images", "braille"), ("confirm.nope", True), ("theme.x", 1), ("engine.port", "a")]:
        with pytest.raises(SettingsError):
            files.change(key, value)
    assert tomllib.loads(files.settings_path().read_text()) == {"theme": "light"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"theme = ", "not TOML"),
        (b"\xff", "not TOML"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"#" * (files.MAX_BYTES + 1), "too large"),
        (b"them = 1", "them: there is no such setting"),
    ],
)
def test_a_wrong_file_is_named(data: bytes, says: str) -> None:
    files.settings_path().parent.mkdir()
    files.settings_path().write_bytes(data)
    with pytest.raises(SettingsError, match=says) as caught:
        files.load()
    assert str(files.settings_path()) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_an_error_for_settings_only(own_folders: Path) -> None:
    (own_folders / "config").write_text("a file where a folder should be")
    (own_folders / "state").write_text("here too")
    with pytest.raises(SettingsError):
        files.change("theme", "light")
    assert memory.remember(screen="queue").screen == "queue"


def test_memory_survives_damage_and_newer_versions(own_folders: Path) -> None:
    memory.remember_server("http://a")
    memory.remember_server("http://b")
    memory.remember_server("http://a")
    found = memory.remember_workflow("w.json")
    assert found.last_server == "http://a"
    assert found.recent_servers == ("http://a", "http://b")
    assert found.recent_workflows == (str(Path("w.json").absolute()),)
    path = files.state_dir() / memory.NAME
    path.write_text('{"last_server": "http://c", "from_the_future": 1}')
    assert memory.recall().last_server == "http://c"
    path.write_text('{"last_server": 3')
    assert memory.recall() == memory.Memory()
    for number in range(100):
        memory.remember_workflow(f"{number}.json")
    assert len(memory.recall().recent_workflows) == memory.RECENT
    with pytest.raises(TypeError):
        memory.remember(nonsense=1)


def test_data_is_found_in_a_checkout() -> None:
    assert (files.data_dir("examples") / "txt2img-demo.json").is_file()
    assert list(files.data_dir("themes").glob("*.toml"))
    with pytest.raises(SettingsError, match="missing from the installation"):
        files.data_dir("nonsense")


def test_which_server_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = validate(
        {"server": "box", "servers": {"box": {"url": "gpu:1", "token": "$BOX", "headers": {"X": "plain$"}}}}
    )
    with pytest.raises(SettingsError, match="export BOX="):
        servers.chosen(settings)
    monkeypatch.setenv("BOX", "secret")
    assert servers.chosen(settings) == Profile(url="gpu:1", token="secret", headers={"X": "plain$"})
    assert servers.chosen(settings, "other:2") == Profile(url="other:2")
    monkeypatch.setenv("COMFYTUI_SERVER", "env:3")
    assert servers.chosen(settings).url == "env:3"
    assert servers.chosen(settings, "other:2").url == "other:2"


async def test_in_an_event_loop_the_memory_is_written_behind_it_and_known_at_once() -> None:
    memory.remember(screen="live")
    for number in range(20):
        memory.remember(history_filter=f"f{number}")
        assert memory.recall().history_filter == f"f{number}"
    memory.remember_workflow("a.json")
    memory._writer().submit(lambda: None).result(10)  # whatever was to be written is
    assert files.state_dir() / memory.NAME not in memory._WAITING
    found = memory._read(files.state_dir() / memory.NAME)
    assert (found.screen, found.history_filter, len(found.recent_workflows)) == ("live", "f19", 1)


async def test_what_another_program_wrote_meanwhile_stays() -> None:
    path = files.state_dir() / memory.NAME
    with memory._FILES:  # our writer has to wait
        memory.remember(screen="queue")
        files.write_whole(path, b'{"history_order": "by duration"}')
        assert memory.recall().screen == "queue"
    memory._writer().submit(lambda: None).result(10)
    found = memory._read(path)
    assert (found.screen, found.history_order) == ("queue", "by duration")


async def test_settings_that_are_changed_at_once_are_all_kept() -> None:
    wanted = {"theme": "light", "previews": False, "engine.port": 9000, "confirm.cancel": True, "output_dir": "/x"}
    await asyncio.gather(*(asyncio.to_thread(files.change, key, value) for key, value in wanted.items()))
    kept = files.load()
    assert {key: get(kept, key) for key in wanted} == wanted
