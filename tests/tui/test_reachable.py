"""Every action is reached by pressing its key: really pressed, on its real screen or dialog, with what that shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from textual.dom import DOMNode
from textual.pilot import Pilot

from comfytui.state.model import JobState, Output
from comfytui.tui import actions
from comfytui.tui.actions import ACTIONS, APP, LIST, SCREENS, Action, Situation
from comfytui.tui.actions.dialogs import TITLES
from comfytui.tui.app import Dashboard
from comfytui.tui.draft import SeedMode
from comfytui.tui.widgets.form import PromptArea, SeedModes, ValueInput
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.workflow.inputs import Field
from tests.tui import sample
from tests.tui.support import running, settle

Reached = set[tuple[str, tuple[Any, ...]]]


def situations() -> list[Situation]:
    """What a screen may show, in all combinations of what decides about actions."""
    state = sample.crowded()
    jobs = [job for how in JobState for job in state.jobs.values() if job.state is how][:40]
    kinds = {job.state: job for job in jobs}
    failed = sample.finished(5, JobState.FAILED)
    full = replace(sample.finished(1), outputs=(Output("9", "images", "a.png"), Output("9", "text", "", text="words")))
    flags = [f.name for f in fields(Situation) if isinstance(f.default, bool)]
    found = []
    for job in (None, full, failed, *kinds.values()):
        for values in ([True] * len(flags), [False] * len(flags), *_one_each(len(flags))):
            named = dict(zip(flags, values, strict=True))
            found.append(Situation(state, job, (job,) if job else (), **named))
    return found


def _one_each(count: int) -> list[list[bool]]:
    pairs = [(a, b) for a, b in product(range(count), repeat=2) if a <= b]
    return [[place in pair for place in range(count)] for pair in pairs]


def listen(node: DOMNode, listed: Iterable[Action]) -> Reached:
    """Have a target's methods only tell that they were called."""
    reached: Reached = set()
    for method in {_method(action) for action in listed}:
        name = method.removeprefix("app.")

        def told(*parameters: Any, name: str = name) -> None:
            reached.add((name, parameters))

        if hasattr(node, f"action_{name}"):
            setattr(node, f"action_{name}", told)
    return reached


def _method(action: Action) -> str:
    return action.method.partition("(")[0]


def _called(action: Action) -> tuple[str, tuple[Any, ...]]:
    name, _, given = action.method.partition("(")
    parameters = eval(f"({given.removesuffix(')')},)") if given else ()
    return name.removeprefix("app."), parameters


async def unreached(pilot: Pilot[Any], listed: Iterable[Action], *heard: Reached) -> list[str]:
    """Press the first key of each; those whose method has not run."""
    missing = []
    for action in listed:
        for every in heard:
            every.clear()
        await pilot.press(action.keys.split(",")[0])
        await pilot.pause()
        if not any(_called(action) in every for every in heard):
            missing.append(action.id)
    return missing


@pytest.mark.parametrize("screen", [spec.id for spec in SCREENS])
async def test_each_key_of_a_screen_reaches_its_action(screen: str) -> None:
    key = next(spec.key for spec in SCREENS if spec.id == screen)
    many = situations()
    async with running(sample.crowded(), (120, 40), key) as (pilot, app, _):
        view = app.view
        assert view is not None and view.screen_id == screen
        mine = actions.of(screen)
        heard, everywhere = listen(view, mine), listen(app, actions.of(APP))
        missing = []
        for action in mine:
            fit = next((each for each in many if action.allowed(each)), None)
            assert fit is not None, f"no situation of this test allows {action.id}: extend `situations`"
            view.situation = lambda fit=fit: fit  # type: ignore[method-assign]
            missing += await unreached(pilot, [action], heard)
        assert not missing, f"{everywhere=}"


async def test_each_key_of_the_program_reaches_its_action_also_while_one_types() -> None:
    async with running(sample.busy(4), (120, 40), "2") as (pilot, app, _):
        heard = listen(app, actions.of(APP))
        assert not await unreached(pilot, actions.of(APP), heard)
        from textual.widgets import Input

        field = Input()
        await app.default_screen.mount(field)
        field.focus()
        await settle(pilot)
        assert not await unreached(pilot, [a for a in actions.of(APP) if a.keys.startswith("ctrl+")], heard)


async def test_each_key_of_a_list_reaches_its_action() -> None:
    async with running(sample.busy(4), (120, 40), "2") as (pilot, app, _):
        assert isinstance(app.focused, LineList)
        heard = listen(app.focused, actions.of(LIST))
        assert not await unreached(pilot, actions.of(LIST), heard)


def a_field() -> Field:
    return Field("3", "KSampler", "KSampler", "steps", "int", 20)


def _text() -> Any:
    from comfytui.tui.widgets.text_dialog import TextDialog

    return TextDialog("log", "\n".join(map(str, range(90))))


def _pick() -> Any:
    from comfytui.tui.widgets.pick import Pick

    return Pick("which", [str(n) for n in range(60)])


def _confirm() -> Any:
    from comfytui.tui.widgets.confirm import Confirm

    return Confirm("Clear?", "clear it")


def _help() -> Any:
    from comfytui.tui.screens.help import HelpScreen

    return HelpScreen()


def _jump() -> Any:
    from comfytui.tui.screens.jump import JumpScreen

    return JumpScreen()


def _files() -> Any:
    from comfytui.tui.widgets.file_dialog import FileDialog

    return FileDialog("a picture", "", (".png",))


def _outputs() -> Any:
    from comfytui.tui.widgets.outputs_dialog import OutputsDialog

    async def size(_: object) -> int:
        return 1

    return OutputsDialog("job", [Output("9", "images", "a.png")], size)


async def _compare(app: Dashboard) -> Any:
    from comfytui.tui.screens.history_compare import CompareScreen

    connection = app.session.connection
    assert connection is not None
    return CompareScreen(sample.finished(1), sample.finished(2), connection)


def _loras() -> Any:
    from comfytui.tui.widgets.lora_dialog import LoraDialog

    return LoraDialog({}, None)


DIALOGS: dict[str, Callable[[], Any]] = {
    "help": _help, "jump": _jump, "dialog": _text, "typing": _pick, "confirm": _confirm, "text": _text, "pick": _pick,
    "outputs": _outputs, "files": _files, "loras": _loras,
}  # fmt: skip


@pytest.mark.parametrize("where", [*DIALOGS, "compare"])
async def test_each_key_of_a_dialog_reaches_its_action(where: str) -> None:
    async with running(sample.idle(), (100, 30)) as (pilot, app, _):
        dialog = await _compare(app) if where == "compare" else DIALOGS[where]()
        await app.push_screen(dialog)
        await pilot.pause(0.05)
        listed = actions.of(where)
        heard = [listen(dialog, listed), listen(app, listed)]
        heard += [listen(lines, listed) for lines in dialog.query(TextLines)]
        assert listed and not await unreached(pilot, listed, *heard)


async def test_each_key_of_a_form_reaches_its_action() -> None:
    from comfytui.tui.widgets.field_dialog import FieldDialog

    form, seeds, prompt = actions.of("form"), actions.of("seeds"), actions.of("prompt")
    inner = [action for action in form if action.id not in ("form.enter", "form.accept")]
    async with running(sample.idle(), (100, 30)) as (pilot, app, _):
        widgets = (ValueInput(a_field()), inner), (SeedModes(SeedMode.RANDOM), seeds), (PromptArea(a_field()), prompt)
        for widget, listed in widgets:
            await app.default_screen.mount(widget)
            widget.focus()
            await settle(pilot)
            assert not await unreached(pilot, listed, listen(widget, listed), listen(app, listed))
        dialog = FieldDialog(a_field(), lambda field, text: text)
        app.push_screen(dialog)
        await settle(pilot)
        outer = [action for action in form if action not in inner]
        assert not await unreached(pilot, outer, listen(dialog, outer))


async def test_each_key_of_a_gallery_reaches_its_action() -> None:
    async with running(sample.idle(), (120, 40), "3") as (pilot, app, _):
        gallery = app.default_screen.query_one("#history-gallery")
        gallery.focus()
        await settle(pilot)
        heard = listen(gallery, actions.of("gallery"))
        assert not await unreached(pilot, actions.of("gallery"), heard)


def test_no_target_is_left_out() -> None:
    """An action with a new target needs a test above that presses its key."""
    pressed = {APP, LIST, *DIALOGS, "compare", "form", "seeds", "prompt", "gallery", *(spec.id for spec in SCREENS)}
    assert {action.where for action in ACTIONS} == pressed
    assert set(TITLES) <= pressed
