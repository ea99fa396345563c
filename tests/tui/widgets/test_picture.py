"""The picture widget: newest wins, same picture costs nothing, reasons in place of what cannot be shown."""

from __future__ import annotations

import io

from PIL import Image
from textual.app import App, ComposeResult

from comfytui.tui.pictures import Depth
from comfytui.tui.widgets.picture import Picture


def png(colour: str, size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


class Frame(App[None]):
    def __init__(self, depth: Depth = Depth.TRUECOLOR) -> None:
        super().__init__()
        self.picture = Picture("no preview yet", depth=depth)

    def compose(self) -> ComposeResult:
        yield self.picture

    async def drawn(self) -> None:
        await self.workers.wait_for_complete()

    def lines(self) -> list[str]:
        return [self.picture.render_line(y).text for y in range(self.picture.size.height)]

    def colour_at(self, x: int, y: int) -> tuple[int, ...]:
        segment = next(each for each in self.picture.render_line(y).crop(x, x + 1) if each.text)
        assert segment.style is not None and segment.style.bgcolor is not None
        return tuple(segment.style.bgcolor.get_truecolor())


async def test_a_square_stands_in_the_middle_of_a_wide_box() -> None:
    app = Frame()
    async with app.run_test(size=(40, 10)):
        app.picture.show(png("red"), 1)
        await app.drawn()
        assert app.colour_at(20, 5) == (255, 0, 0)
        assert app.colour_at(9, 5) != (255, 0, 0) != app.colour_at(31, 5)
        assert app.colour_at(10, 0) == app.colour_at(29, 9) == (255, 0, 0)


async def test_the_newest_of_many_is_what_stays() -> None:
    app = Frame()
    async with app.run_test(size=(20, 10)):
        for key in range(50):
            app.picture.show(png("red" if key < 49 else "blue"), key)
        await app.drawn()
        assert app.colour_at(10, 5) == (0, 0, 255)


async def test_the_same_key_and_an_equal_picture_repaint_nothing(monkeypatch) -> None:
    app = Frame()
    async with app.run_test(size=(20, 10)):
        app.picture.show(png("red"), 1)
        await app.drawn()
        painted: list[object] = []
        monkeypatch.setattr(app.picture, "refresh", lambda *regions, **_: painted.append(regions))
        app.picture.show(png("blue"), 1)
        app.picture.show(png("red"), 2)
        await app.drawn()
        assert painted == []


async def test_only_changed_lines_are_repainted(monkeypatch) -> None:
    app = Frame()
    async with app.run_test(size=(20, 10)):
        image = Image.new("RGB", (20, 20), "red")
        app.picture.show(png("red", (20, 20)), 1)
        await app.drawn()
        image.paste("blue", (0, 4, 20, 6))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        painted: list[int] = []
        monkeypatch.setattr(app.picture, "refresh", lambda *regions, **_: painted.extend(r.y for r in regions))
        app.picture.show(buffer.getvalue(), 2)
        await app.drawn()
        assert painted == [2]


async def test_a_broken_picture_says_so_and_keeps_saying_it_after_a_resize() -> None:
    app = Frame()
    async with app.run_test(size=(60, 5)) as pilot:
        assert "no preview yet" in app.lines()[2]
        app.picture.show(b"<html>", 1)
        await app.drawn()
        assert "not a picture" in app.lines()[2]
        await pilot.resize_terminal(60, 7)
        await app.drawn()
        assert "not a picture" in app.lines()[3]
        app.picture.clear()
        assert "no preview yet" in app.lines()[3]


async def test_markup_in_a_reason_is_text() -> None:
    app = Frame()
    async with app.run_test(size=(60, 5)):
        app.picture.clear("[red]file[/red] [@click=app.quit]x[/]")
        assert "[red]file[/red] [@click=app.quit]x[/]" in app.lines()[2]


async def test_it_scales_again_with_the_terminal() -> None:
    app = Frame()
    async with app.run_test(size=(20, 10)) as pilot:
        app.picture.show(png("red"), 1)
        await app.drawn()
        await pilot.resize_terminal(40, 20)
        await app.drawn()
        assert app.colour_at(0, 0) == app.colour_at(39, 19) == (255, 0, 0)


async def test_without_colours_it_is_characters_and_without_pictures_words() -> None:
    app = Frame(Depth.SHADES)
    async with app.run_test(size=(20, 10)):
        gradient = io.BytesIO()
        Image.linear_gradient("L").save(gradient, "PNG")
        app.picture.show(gradient.getvalue(), 1)
        await app.drawn()
        assert set("".join(app.lines())) >= set(" ░▒▓█")
    app = Frame(Depth.NONE)
    async with app.run_test(size=(40, 5)):
        app.picture.show(png("red"), 1)
        await app.drawn()
        assert "picture 32×32" in app.lines()[2]
