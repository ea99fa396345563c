from __future__ import annotations

import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

from comfytui.tui import actions
from comfytui.tui.actions import ACTIONS, APP, LIST, SCREENS

# What a letter means, wherever it is bound. A screen may leave a letter out, and may not give it another meaning.
MEANINGS = {
    "r": {"run again"},
    "R": {"other seed"},
    "e": {"edit & run", "edit"},
    "x": {"cancel", "delete"},
    "i": {"interrupt"},
    "a": {"add"},
    "n": {"next job"},
    "slash": {"filter", "search"},
}

# Where the actions are that are on several screens.
COMMON = {
    "help": ("screens.help", "HelpScreen"),
    "jump": ("screens.jump", "JumpScreen"),
    "dialog": ("widgets.text_dialog", "TextDialog"),
    "typing": ("widgets.pick", "Pick"),
    "confirm": ("widgets.confirm", "Confirm"),
    "text": ("widgets.text_dialog", "TextDialog"),
    "pick": ("widgets.pick", "Pick"),
    "form": ("widgets.form", "ValueInput"),
    "prompt": ("widgets.form", "PromptArea"),
    "loras": ("widgets.lora_dialog", "LoraDialog"),
    "seeds": ("widgets.form", "SeedModes"),
    "gallery": ("widgets.gallery", "Gallery"),
    "compare": ("screens.history_compare", "CompareScreen"),
    "files": ("widgets.file_dialog", "FileDialog"),
    "outputs": ("widgets.outputs_dialog", "OutputsDialog"),
}


def test_ids_are_unique_and_begin_with_their_target() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    assert all(action.id.startswith(f"{action.where}.") for action in ACTIONS)


def test_no_key_is_bound_twice_on_one_screen() -> None:
    for where in {action.where for action in ACTIONS}:
        keys = [key for action in actions.of(where) for key in action.keys.split(",")]
        assert len(keys) == len(set(keys)), where


def test_the_same_letter_means_the_same_everywhere() -> None:
    found = defaultdict(set)
    for action in ACTIONS:
        if action.where in ("live", "queue", "history"):
            for key in action.keys.split(","):
                found[key].add(action.name)
    for key, names in MEANINGS.items():
        assert found[key] <= names, key


def test_every_action_has_its_method() -> None:
    targets: dict[str, type] = {}
    for spec in SCREENS:
        module, _, name = spec.target.partition(":")
        targets[spec.id] = getattr(importlib.import_module(module), name)
    targets[APP] = importlib.import_module("comfytui.tui.app").Dashboard
    targets[LIST] = importlib.import_module("comfytui.tui.widgets.line_list").LineList
    for where, place in COMMON.items():
        targets[where] = getattr(importlib.import_module(f"comfytui.tui.{place[0]}"), place[1])
    for action in ACTIONS:
        method = re.sub(r"\(.*", "", action.method)
        where = targets[action.where]
        if method.startswith("app."):
            where, method = targets[APP], method.removeprefix("app.")
        elif action.id in ("form.enter", "form.accept"):
            where = importlib.import_module("comfytui.tui.widgets.field_dialog").FieldDialog
        assert hasattr(where, f"action_{method}"), action.id


def test_every_description_is_a_sentence() -> None:
    for action in ACTIONS:
        assert action.description.endswith("."), action.id
        assert action.description[0].isupper(), action.id


@pytest.mark.parametrize(
    ("keys", "shown"), [("question_mark,f1", ["?", "f1"]), ("slash", ["/"]), ("J,shift+down", ["J", "shift+↓"])]
)
def test_keys_are_shown_as_a_person_writes_them(keys: str, shown: list[str]) -> None:
    assert actions.shown_keys(actions.Action("x.y", "", keys, "", "x", "y")) == shown


def test_a_users_key_is_shown_in_place_of_ours() -> None:
    action = ACTIONS[0]
    assert actions.shown_keys(action, {action.id: "ctrl+b"}) == ["ctrl+b"]


def test_no_key_is_bound_past_the_table() -> None:
    """A binding without an id could be neither rebound nor explained."""
    root = Path(__file__).parents[2] / "comfytui" / "tui"
    found = [
        p.name
        for p in root.rglob("*.py")
        if p.parent.name != "actions" and re.search(r"\bBinding\(", p.read_text("utf-8"))
    ]
    assert not found
