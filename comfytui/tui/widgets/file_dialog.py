"""A file of this disk, by its path: typed, completed with tab, or chosen from the folder that the path is in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from comfytui.client import sanitize
from comfytui.tui import actions
from comfytui.tui.fuzzy import ranked
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.node_line import marked
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.wording import cut_middle, file_size

MAX_LISTED = 5000  # names of one folder
PAUSE = 0.08  # seconds without typing before a folder is read


class Item(msgspec.Struct, frozen=True):
    """A line of the list. `name` is raw; a folder's ends in a slash."""

    name: str
    size: int = 0


class Listing(msgspec.Struct, frozen=True):
    """What a folder holds of the wanted kinds: folders first, then files, the newest first."""

    items: tuple[Item, ...] = ()
    said: str = ""  # why there are none


def listing(folder: Path, endings: Sequence[str], hidden: bool = False) -> Listing:
    """Read a folder. Blocking; never raises for what a disk can hold."""
    folders: list[str] = []
    files: list[tuple[float, Item]] = []
    try:
        with os.scandir(folder) as found:
            for place, each in enumerate(found):
                if place >= MAX_LISTED:
                    break
                if each.name.startswith(".") and not hidden:
                    continue
                try:
                    if each.is_dir():
                        folders.append(each.name + "/")
                    elif each.name.lower().endswith(tuple(endings)):
                        status = each.stat()
                        files.append((-status.st_mtime, Item(each.name, status.st_size)))
                except OSError:  # a link to nowhere, or gone since
                    continue
    except OSError as error:
        return Listing((), f"{sanitize.line(str(folder))}: {sanitize.line(error.strerror or str(error))}")
    items = [Item("../"), *(Item(name) for name in sorted(folders)), *(item for _, item in sorted(files, key=_by_time))]
    kinds = " ".join(endings[:8]) + (" …" if len(endings) > 8 else "")
    return Listing(tuple(items), "" if len(items) > 1 else f"Nothing here that ends in {kinds}.")


def split(typed: str) -> tuple[Path, str]:
    """The folder that a typed path is in, and the beginning of a name in it."""
    head, slash, tail = typed.rpartition("/")
    folder = Path(f"{head}{slash}" or ".").expanduser()
    return folder, tail


class FileDialog(ModalScreen[Path | None]):
    """Answers with the path of a file that is there, None when it was left; or with what `also` takes, as typed."""

    BINDINGS: ClassVar = [*actions.bindings("typing"), *actions.bindings("pick"), *actions.bindings("files")]
    CSS = """
    FileDialog .dialog { width: 90; max-width: 95%; height: 80%; max-height: 26; }
    FileDialog LineList { scrollbar-size: 1 1; }
    """

    def __init__(
        self,
        title: str,
        hint: str,
        endings: Sequence[str],
        start: str = "",
        also: Callable[[str], bool] = lambda typed: False,
    ) -> None:
        super().__init__()
        self._also = also
        self._title, self._hint, self._endings = title, hint, tuple(endings)
        self._start = start
        self._folder: Path | None = None  # the one that is listed
        self._listing = Listing()
        self._tail = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            entitle(dialog, self._title, "tab completes · ↑↓ choose · enter · esc")
            yield Input(self._start, placeholder="a path; ~ is your home folder", select_on_focus=False)
            yield LineList(empty="reading …")
            yield Static(Text(self._hint), classes="dim", id="file-hint")

    def on_mount(self) -> None:
        path = self.query_one(Input)
        path.cursor_blink = False
        path.focus()
        self._look(self._start)

    @property
    def _list(self) -> LineList:
        return self.query_one(LineList)

    @property
    def _item(self) -> Item | None:
        key = self._list.key
        return None if key is None else self._listing.items[int(key)]

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        self.query_one("#file-hint", Static).update(Text(self._hint))
        self._look(message.value)

    @work(name="list folder", group="listing", exclusive=True)
    async def _look(self, typed: str) -> None:
        """Show what is in the folder of a path, narrowed by what is typed behind it."""
        folder, tail = split(typed)
        if folder != self._folder:
            await asyncio.sleep(PAUSE if self._folder is not None else 0)
            self._listing = await asyncio.to_thread(listing, folder, self._endings, tail.startswith("."))
            self._folder = folder
        if not self.query(LineList):  # it was left while the folder was read
            return
        self._tail = tail
        names = [sanitize.line(item.name) for item in self._listing.items]
        places = [place for place in ranked(tail, names) if not tail or names[place] != "../"]
        self._list.say_empty(self._listing.said or f"Nothing here matches {tail!r}.")
        self._list.forget()
        self._list.show([str(place) for place in places], self._draw)
        self._list.action_top()

    def _draw(self, key: str, width: int) -> Text:
        item, palette = self._listing.items[int(key)], self._list.palette
        size = "" if item.name.endswith("/") else file_size(item.size)
        name = cut_middle(sanitize.line(item.name), width - 12)
        style = palette.graph if item.name.endswith("/") else palette.text
        line = Text(" ").append_text(marked(name, self._tail.lower().split(), style, palette))
        line.append(size.rjust(width - 1 - line.cell_len), palette.dim)
        return line

    def action_complete(self) -> None:
        """Put the selected name behind the folder."""
        if (item := self._item) is not None:
            self._put(item)

    def _put(self, item: Item) -> None:
        path = self.query_one(Input)
        head, slash, _ = path.value.rpartition("/")
        if item.name == "../":
            folder = split(path.value)[0]
            path.value = str(folder.absolute().parent).rstrip("/") + "/"
        else:
            path.value = f"{head}{slash}{item.name}"
        path.cursor_position = len(path.value)

    @on(Input.Submitted)
    async def _submitted(self, message: Input.Submitted) -> None:
        if self._also(message.value):
            self.dismiss(Path(message.value))
            return
        typed = at_home(message.value)
        is_file = await asyncio.to_thread(_is_file, typed)
        if message.value and is_file:
            self.dismiss(typed)
        elif (item := self._item) is None or split(message.value)[0] != self._folder:
            # The list may still be that of another folder: a path that was pasted must not open a file of it.
            self.query_one("#file-hint", Static).update(Text(f"There is no file {sanitize.line(str(typed))}."))
        elif item.name.endswith("/"):
            self._put(item)
        else:
            self.dismiss(split(message.value)[0] / item.name)

    @on(LineList.Opened)
    def _opened(self) -> None:
        if (item := self._item) is not None:
            if item.name.endswith("/"):
                self._put(item)
                self.query_one(Input).focus()
            else:
                self.dismiss(split(self.query_one(Input).value)[0] / item.name)

    def action_move(self, by: int) -> None:
        self._list.cursor += by

    def action_leave(self) -> None:
        self.dismiss(None)


def at_home(typed: str) -> Path:
    """A path as typed, with ~ for the home folder."""
    return Path(typed).expanduser()


def _is_file(path: Path) -> bool:
    return path.is_file()


def _by_time(pair: tuple[float, Item]) -> tuple[float, str]:
    return pair[0], pair[1].name
