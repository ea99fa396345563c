from __future__ import annotations

from comfytui.tui.screens.help import HelpScreen
from comfytui.tui.widgets.confirm import Confirm
from comfytui.tui.widgets.text_dialog import TextDialog
from comfytui.tui.widgets.text_lines import TextLines
from tests.tui import sample
from tests.tui.support import running, settle, text

LONG = "\n".join(f"line {n}" + (" the needle" if n in (40, 90) else "") for n in range(100))


async def test_a_long_text_is_moved_in_with_vim_keys_and_arrows() -> None:
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        app.push_screen(TextDialog("log", LONG))
        await settle(pilot)
        lines = app.screen.query_one(TextLines)
        page = lines.scrollable_content_region.height
        for keys, top in (
            ("jj", 2), ("k", 1), (["down"], 2), (["up"], 1), ("G", 100 - page), ("g", 0), (["ctrl+d"], page - 1),
            (["ctrl+u"], 0), (["pagedown"], page - 1), (["home"], 0), (["end"], 100 - page),
        ):  # fmt: skip
            await pilot.press(*keys)
            await settle(pilot)
            assert round(lines.scroll_offset.y) == top, keys


async def test_words_are_found_in_a_text_and_escape_leaves_the_search_first() -> None:
    async with running(sample.idle(), (60, 15)) as (pilot, app, _):
        app.push_screen(TextDialog("log", LONG))
        await settle(pilot)
        await pilot.press("slash", *"NEEDLE")
        await settle(pilot)
        assert "line 40 the needle" in text(app)
        assert "2 lines" in text(app)
        await pilot.press("enter", "n")
        await settle(pilot)
        assert "line 90 the needle" in text(app)
        await pilot.press("N")
        await settle(pilot)
        assert "line 40 the needle" in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, TextDialog)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, TextDialog)


async def test_what_looks_like_markup_is_text() -> None:
    async with running(sample.idle(), (80, 24)) as (pilot, app, _):
        app.push_screen(TextDialog("[b]x", "[red]not red[/red]"))
        await settle(pilot)
        assert "[red]not red[/red]" in text(app)


async def test_the_help_is_filtered_and_tells_of_the_dialog_below() -> None:
    async with running(sample.busy(), (100, 40), "2", "question_mark") as (pilot, app, _):
        assert "Let the job run next." in text(app)
        await pilot.press("slash", *"reconnect")
        await settle(pilot)
        assert "Connect again now." in text(app)
        assert "Let the job run next." not in text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "Let the job run next." in text(app)
        await pilot.press("escape")
        app.push_screen(TextDialog("log", LONG))
        await settle(pilot)
        await pilot.press("f1")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        assert "in this dialog" in text(app)
        assert "Look for words in the text" in text(app)


async def test_a_questions_safe_answer_is_marked_and_enter_gives_it() -> None:
    answers: list[bool | None] = []
    async with running(sample.idle(), (60, 15)) as (pilot, app, _):
        for keys in (["enter"], ["y"], ["n"], ["escape"], ["tab", "enter"], ["down", "up", "enter"]):
            app.push_screen(Confirm("Clear the queue of box:8188?", "clear it", "keep them"), answers.append)
            await settle(pilot)
            assert "❯ n  keep them" in text(app)
            await pilot.press(*keys)
            await settle(pilot)
    assert answers == [False, True, False, None, True, False]


async def test_an_answer_is_clicked() -> None:
    answers: list[bool | None] = []
    async with running(sample.idle(), (60, 15)) as (pilot, app, _):
        app.push_screen(Confirm("Clear?", "clear it", "keep them"), answers.append)
        await settle(pilot)
        await pilot.click("Answer")
        await settle(pilot)
    assert answers == [True]


async def test_on_a_narrow_screen_the_sentences_of_the_help_get_the_room() -> None:
    for size, cells in (((120, 40), 21), ((60, 15), 12)):
        async with running(sample.busy(), size, "2", "question_mark", "slash", *"one page down") as (_, app, _):
            lines = [each.partition("│")[2] for each in text(app).split("\n")]
            line = next(each for each in lines if "One page down" in each)
            assert line.index("One page down") - line.index("ctrl+d") == cells, line
