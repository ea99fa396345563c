"""Models: the server's folders and what they weigh, their files, and what is known of the selected one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input

from comfytui.client.errors import ClientError
from comfytui.client.model_files import ModelFile, ModelFolder
from comfytui.state.model import Phase
from comfytui.tui import actions
from comfytui.tui.actions import Situation
from comfytui.tui.model_card import ModelFacts, facts
from comfytui.tui.model_order import Order, listed, total
from comfytui.tui.screens import model_uses
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets import model_lines
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.widgets.text_lines import TextLines
from comfytui.tui.wording import cut, file_size, plural

if TYPE_CHECKING:
    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState
    from comfytui.state.models import Models

FOLDERS = 34  # cells
REST = 0.25  # seconds on a file until the server is asked about it: leafing through asks nothing
PANES = ("files", "folders", "card")  # as `v` goes through them
ALL = ""  # the key of all folders together


class ModelsView(ScreenView):
    """Folders, files and a card; side by side from 120 columns, one at a time below."""

    screen_id = "models"
    BINDINGS = [*actions.bindings("models")]
    DEFAULT_CSS = """
    ModelsView LineList { scrollbar-size: 1 1; }
    ModelsView #models-folders { width: 34; }
    ModelsView #models-middle { width: 1fr; }
    ModelsView #models-right { width: 1fr; }
    ModelsView #models-card { padding: 0 1; }
    ModelsView #models-query { display: none; }
    ModelsView.-searching #models-query { display: block; }
    ModelsView #models-picture { display: none; height: 45%; }
    ModelsView.-picture #models-picture { display: block; }
    ModelsView.-empty #models-folders, ModelsView.-empty #models-right { display: none; }
    ModelsView.-narrow .column { display: none; width: 1fr; }
    ModelsView.-narrow.-show-folders #models-folders { display: block; }
    ModelsView.-narrow.-show-files #models-middle { display: block; }
    ModelsView.-narrow.-show-card #models-right { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._models: Models | None = None  # of the server that is shown
        self._files: dict[str, ModelFile] = {}  # those that are listed
        self._folder = ALL
        self._chose = False  # the user went to a folder, or to all of them
        self._query = ""
        self._order = Order.NAME
        self._pane = "files"
        self._facts: dict[ModelFile, ModelFacts] = {}
        self._problem = ""  # why the folders could not be listed
        self._used: tuple[ModelFile | None, list[tuple[str, str]]] = (None, [])  # who uses the file
        self._rest: Timer | None = None
        self._loading: Models | None = None  # of which server
        self._folders = LineList(id="models-folders", classes="pane column")
        self._list = LineList(id="models-list")
        self._card = TextLines(id="models-card", classes="pane")

    def compose(self) -> ComposeResult:
        yield self._folders
        with Vertical(id="models-middle", classes="pane column"):
            wanted = Input(id="models-query", placeholder="part of the name")
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield self._list
        with Vertical(id="models-right", classes="column"):
            yield Picture("", id="models-picture", classes="pane")
            yield self._card

    def on_mount(self) -> None:
        self._lay_out()
        self._show()

    @property
    def file(self) -> ModelFile | None:
        """The selected file."""
        key = self._list.key
        return self._files.get(key) if key is not None else None

    @property
    def folder(self) -> ModelFolder | None:
        """The selected folder, None for all of them."""
        return self._folder_of(self._folder)

    def _folder_of(self, raw: str) -> ModelFolder | None:
        folders = self._models.folders if self._models is not None else None
        return next((each for each in folders or () if each.raw == raw), None)

    # News

    @property
    def chosen(self) -> Mapping[str, str]:
        return {"pane": self._pane, "order": self._order.value}

    def take_up(self, chosen: Mapping[str, str]) -> None:
        if (pane := chosen.get("pane")) in PANES:
            self._pane = pane
            self._lay_out()
        if (order := chosen.get("order")) in list(Order):
            self._order = Order(order)

    def on_shown(self) -> None:
        if not self.has_focus_within:
            self._focus_pane(self._pane_shown if self.has_class("-narrow") else "files")
        self._attend()
        self.run_worker(self.dashboard.stage.prepare("workflows"), name="look for workflows")

    def on_session(self) -> None:
        self._attend()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        came = old is None or (old.link.phase is not new.link.phase and new.link.phase is Phase.LIVE)
        if came or (old is not None and old.stats is not new.stats and self._version_changed()):
            self._load()
        if old is None or old.link is not new.link:
            self._show()

    def _version_changed(self) -> bool:
        if self._models is None:
            return False
        self._models.check_version()
        return self._models.folders is None

    def _attend(self) -> None:
        """Show the models of the server that is shown."""
        connection = self.session.connection
        models = connection.model_files if connection is not None else None
        if models is not self._models:
            self._models = models
            self._folder, self._chose, self._problem = ALL, False, ""
            self._facts.clear()
            self._show()
            self._load()

    def leave_server(self) -> None:
        self.remove_class("-picture")
        super().leave_server()
        self._attend()

    def forget(self) -> None:
        super().forget()
        self._folders.forget()
        self._list.forget()
        self._show_card()

    # Asking: the folders, then each that is looked at, then (on a fast link) the others one after the other

    def _load(self) -> None:
        if self._models is not None and self.shown and self._loading is not self._models and self.situation().live:
            self._loading = self._models
            self.run_worker(self._load_all(self._models), name="load models", group="load models")

    async def _load_all(self, models: Models) -> None:
        try:
            folders = await models.load_folders()
            if models is not self._models:
                return
            self._problem = ""
            if models.slow and not self._chose and folders:
                self._folder = folders[0].raw  # all of them together would have to be asked for
            self._show()
            while (folder := self._next(models, folders)) is not None:
                try:
                    await models.load(folder)
                except ClientError:
                    if models.problems.get(folder.raw) is None:
                        raise
                if self.is_mounted and models is self._models:
                    self._show()
        except ClientError as error:
            if models is self._models:
                self._problem = str(error)
                self._show()
        finally:
            if self._loading is models:
                self._loading = None

    def _next(self, models: Models, folders: tuple[ModelFolder, ...]) -> ModelFolder | None:
        """The folder to ask for next; None while nobody looks, or when all is there."""
        if not self.is_mounted or not self.shown or models is not self._models:
            return None
        waiting = [each for each in folders if each.raw not in models.files and each.raw not in models.problems]
        chosen = next((each for each in waiting if each.raw == self._folder), None)
        if chosen is not None or not waiting:
            return chosen
        return None if models.slow and self._folder != ALL else waiting[0]

    # The three panes

    def _show(self) -> None:
        if not self.is_mounted or not self.shown:
            return
        models = self._models
        folders = models.folders if models is not None else None
        if self.has_class("-empty") is bool(folders):
            self.set_class(not folders, "-empty")
            self._lay_out()
            if self._pane != "files" and self.has_class("-narrow") and self._list.has_focus:
                self._focus_pane(self._pane_shown)
        keys = [ALL, *(each.raw for each in folders)] if folders else []
        self._folders.show(keys, self._draw_folder)
        self._folders.move_to(self._folder)
        if models is not None and folders:
            known = [file for files in models.files.values() for file in files]
            size = total(known)
            entitle(self._folders, "Models", file_size(size) if size else plural(len(known), "file"))
        self._show_files()

    def _draw_folder(self, key: str, width: int) -> Text:
        models, palette = self._models, self.dashboard.palette
        if models is None:
            return Text()
        if key == ALL:
            known = [file for files in models.files.values() for file in files]
            return model_lines.folder_line(palette, "all folders", known or None, "", width)
        folder = self._folder_of(key)
        name = folder.name if folder is not None else key
        return model_lines.folder_line(palette, name, models.files.get(key), models.problems.get(key, ""), width)

    @property
    def _chosen(self) -> list[ModelFile]:
        """All files of the folder, or of all folders."""
        models = self._models
        if models is None:
            return []
        if self._folder != ALL:
            return list(models.files.get(self._folder, ()))
        return [file for files in models.files.values() for file in files]

    def _show_files(self) -> None:
        chosen = self._chosen
        found = listed(chosen, self._query, self._order)
        self._files = {f"{file.folder}\0{file.place}\0{file.raw}": file for file in found}
        self._list.say_empty(self._nothing(bool(chosen)))
        self._list.show(list(self._files), self._draw_file)
        folder = self.folder
        count = f"{len(found):,} of {len(chosen):,}" if self._query else plural(len(found), "file")
        size = total(found)
        told = [count, *([file_size(size)] if size else []), self._order.value]
        told += [self._query] if self._query else []
        entitle(self.query_one("#models-middle"), folder.name if folder else "all models", " · ".join(told))
        self._show_card()

    def _draw_file(self, key: str, width: int) -> Text:
        return model_lines.file_line(self.dashboard.palette, self._files[key], width, self._folder == ALL)

    def _nothing(self, any_files: bool) -> str:
        if missing := self.without_server("models"):
            return missing
        if any_files:
            return f"No file matches {self._query!r} here.\nesc  clears the filter"
        reload = actions.key_of("models.reload", self.dashboard.keymap)
        models = self._models
        problem = self._problem or (models.problems.get(self._folder, "") if models is not None else "")
        if problem:
            return f"{problem}\n{reload}  asks again"
        if models is None or models.folders is None or (self._folder != ALL and self._folder not in models.files):
            return "Asking the server for its models …"
        if self._folder == ALL and self._loading:
            return "Asking the server for its models …"
        folder = self.folder
        where = f" Put files into {folder.paths[0]} on the server" if folder is not None and folder.paths else ""
        return f"Nothing lies here.{where}\n{reload}  looks again"

    def _show_card(self) -> None:
        file = self.file
        if file is None:
            entitle(self._card, "model")
            self._card.show([])
            self.remove_class("-picture")
        else:
            entitle(self._card, cut(file.base, 48))
            self._card.show(self._lines_of(file))
            self._when_resting()
        self.refresh_actions()

    # What the server tells of one file

    @property
    def _card_shown(self) -> bool:
        return self._pane == "card" or not self.has_class("-narrow")

    def _when_resting(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._ask_about, name="rest")

    def _ask_about(self) -> None:
        file, connection = self.file, self.session.connection
        if file is not None and self.shown and self._card_shown:
            self._used = (
                file,
                model_uses.of(self.dashboard, file),
            )  # thousands of jobs and workflows are looked through
            self._show_about(file)
        if file is None or connection is None or not self.shown or not self._card_shown or not self.situation().live:
            return
        self.run_worker(self._about(connection, file), name="about a model", group="about", exclusive=True)

    async def _about(self, connection: Connection, file: ModelFile) -> None:
        models = connection.model_files
        try:
            if file not in self._facts:
                self._facts[file] = facts(await models.metadata(file))
                self._show_about(file)
            picture = await models.picture(file)
        except ClientError as error:
            if file is self.file:
                self._card.show([Text(str(error), self.dashboard.palette.failed)])
            return
        if file is self.file and self.is_mounted:
            self.set_class(picture is not None, "-picture")
            pane = self.query_one(Picture)
            if picture is not None:
                entitle(pane, "Picture")
                pane.show(picture, file)
            else:
                pane.clear("")

    def _show_about(self, file: ModelFile) -> None:
        if self.is_mounted and file is self.file:
            self._card.show(self._lines_of(file))

    def _lines_of(self, file: ModelFile) -> list[Text]:
        width = self._card.scrollable_content_region.width
        folder, found = self._folder_of(file.folder), self._facts.get(file)
        uses = self._used[1] if self._used[0] is file else [("", "…")]
        return model_lines.card(self.dashboard.palette, file, folder, found, uses, width)

    # What the lists say

    @on(LineList.Moved, "#models-folders")
    def _folder_moved(self, message: LineList.Moved) -> None:
        if message.key is not None and self._folder != message.key == self._folders.key:
            self._folder, self._chose = message.key, True
            self._show_files()
            self._list.action_top()
            self._load()

    @on(LineList.Opened, "#models-folders")
    def _folder_opened(self) -> None:
        self._show_pane("files")

    @on(LineList.Moved, "#models-list")
    def _file_moved(self) -> None:
        self._show_card()

    @on(LineList.Opened, "#models-list")
    def _file_opened(self) -> None:
        self._show_pane("card")

    @on(Input.Changed, "#models-query")
    def _typed(self, message: Input.Changed) -> None:
        self._query = message.value.strip()
        self._show_files()
        self._list.action_top()

    @on(Input.Submitted, "#models-query")
    def _search_done(self) -> None:
        self._list.focus()

    # Actions

    def situation(self) -> Situation:
        return Situation(self.session.state, selected=self.is_mounted and self.file is not None)

    def action_filter(self) -> None:
        self._show_pane("files")
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    def action_order(self) -> None:
        self._order = self._order.next
        self._show_files()

    def action_copy(self) -> None:
        if (file := self.file) is not None:
            self.dashboard.copy(file.name, file.base)

    def action_metadata(self) -> None:
        if (file := self.file) is not None and self._models is not None:
            self.dashboard.ask("metadata", self._show_metadata(self._models, file))

    async def _show_metadata(self, models: Models, file: ModelFile) -> None:
        from comfytui.tui.widgets.text_dialog import TextDialog

        found = await models.metadata(file)
        text = model_lines.everything(found) if found else "It says nothing of itself (only safetensors can)."
        self.app.push_screen(TextDialog(file.base, text))

    def action_used(self) -> None:
        if (file := self.file) is not None:
            self.dashboard.ask("used by", self._show_used(file))

    async def _show_used(self, file: ModelFile) -> None:
        await model_uses.read(self.dashboard)
        self._used = (file, model_uses.of(self.dashboard, file))
        self._show_about(file)
        await model_uses.show(self.dashboard, file)

    def action_switch_pane(self) -> None:
        self._show_pane(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_reload(self) -> None:
        if self._models is not None:
            self._models.forget()
            self._facts.clear()
            self._show()
            self._load()

    def go_back(self) -> bool:
        if self._pane != "files":
            self._show_pane("files")
            return True
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self.query_one(Input).value = ""
            self._list.focus()
            return True
        return False

    # Layout

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._lay_out()
        self._focus_pane(pane)
        if pane == "card":
            self.call_after_refresh(self._show_card)  # wrapped to its width, which is known then

    @property
    def _pane_shown(self) -> str:
        """The pane that a narrow screen shows: without models the files, where it stands why there are none."""
        return "files" if self.has_class("-empty") else self._pane

    def _focus_pane(self, pane: str) -> None:
        shown = {"folders": self._folders, "files": self._list, "card": self._card}[pane]
        if shown.region.area:
            shown.focus(scroll_visible=False)
        else:  # what was hidden takes no focus before the next layout
            self.call_after_refresh(shown.focus, scroll_visible=False)

    def _lay_out(self) -> None:
        narrow = self.app.size.width < 120
        self.set_class(narrow, "-narrow")
        self._folders.styles.width = "1fr" if narrow else FOLDERS
        for pane in PANES:
            self.set_class(pane == self._pane_shown, f"-show-{pane}")

    def on_resize(self) -> None:
        self._lay_out()
        self.call_after_refresh(self._show_card)
