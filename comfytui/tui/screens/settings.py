"""The Settings screen: our own settings, changed in place and kept in their file; beside them, what the server is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on, work
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from comfytui.client import sanitize
from comfytui.client.errors import ClientError
from comfytui.settings import files, schema
from comfytui.settings.schema import Option, SettingsError
from comfytui.tui import actions, teaching, theme
from comfytui.tui.actions import Situation
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pairs import pairs
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.wording import cut, cut_middle, of_total, one_line

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.state.model import ServerState, Stats

NAME = 22  # cells of a setting's name


class SettingsView(ScreenView):
    """Settings on the left, the server's facts on the right."""

    screen_id = "settings"
    BINDINGS = [*actions.bindings("settings")]
    DEFAULT_CSS = """
    SettingsView LineList { scrollbar-size: 1 1; }
    SettingsView #settings-server { padding: 0 1; }
    SettingsView.-narrow #settings-server { display: none; }
    SettingsView.-narrow.-server #settings-server { display: block; }
    SettingsView.-narrow.-server #settings-middle { display: none; }
    SettingsView #settings-tip { height: auto; max-height: 4; color: $role-dim; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._options: dict[str, Option] = {option.key: option for option in schema.options()}
        self._theirs: Mapping[str, Any] | None = None  # the server's own settings
        self._asked_for: str = ""  # the server that was asked for them
        self._list = LineList(id="settings-list")

    def compose(self) -> ComposeResult:
        with Vertical(id="settings-middle", classes="pane"):
            yield self._list
            yield Static(id="settings-tip", markup=False)
        with VerticalScroll(id="settings-server", classes="pane"):
            yield Static(id="settings-facts", markup=False)

    def on_mount(self) -> None:
        self.query_one("#settings-middle").border_title = Content("Settings")
        self._show_settings()

    @property
    def option(self) -> Option | None:
        """The selected setting."""
        key = self._list.key
        return self._options.get(key) if key is not None else None

    # News

    def on_shown(self) -> None:
        self._list.focus(scroll_visible=False)
        self._show_settings()

    def on_session(self) -> None:
        if self.session.state is None and self.shown:
            self._show_server(None)

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if old is None or (old.stats, old.features, old.link) != (new.stats, new.features, new.link):
            self._show_server(new)
        if self.situation().live and self._asked_for != new.link.url:
            self._asked_for = new.link.url
            self._load_theirs()

    def forget(self) -> None:
        super().forget()
        self._list.forget()

    @work(name="server settings", group="server settings", exclusive=True)
    async def _load_theirs(self) -> None:
        connection = self.session.connection
        if connection is None:
            return
        try:
            self._theirs = await connection.server_settings()
        except ClientError:
            self._theirs = None  # a server without them is common, and no error of the user's
        self._show_server(self.session.state)

    # Our settings

    def _show_settings(self) -> None:
        self._list.forget()
        self._list.show(list(self._options), self._draw_option)
        path = cut_middle(sanitize.line(str(files.settings_path())), 44)
        self.query_one("#settings-middle").border_subtitle = Content(path)
        self._moved()

    def _draw_option(self, key: str, width: int) -> Text:
        option, palette = self._options[key], self.dashboard.palette
        value = schema.get(self.dashboard.settings, key)
        is_default = value == option.default
        line = Text(" " + cut(key, NAME).ljust(NAME) + " ", palette.text)
        column = width // 2 if width >= 90 else width  # where the descriptions begin
        line.append(cut(_shown(value), column - NAME - 3), palette.dim if is_default else palette.accent)
        if column < width:
            line.append(" " * (column - line.cell_len))
            line.append(cut(option.description, width - column - 1), palette.dim)
        return line

    @on(LineList.Moved, "#settings-list")
    def _moved(self) -> None:
        option = self.option
        if option is not None:
            one_of = f"; one of {', '.join(option.choices)}" if option.choices else ""
            tip = f"{option.key}: {option.description}{one_of}. By default {_shown(option.default)}."
            self.query_one("#settings-tip", Static).update(Text(tip))
        self.refresh_actions()

    @on(LineList.Opened, "#settings-list")
    def _opened(self) -> None:
        self.action_edit()

    def action_edit(self) -> None:
        option = self.option
        if option is None:
            return
        value = schema.get(self.dashboard.settings, option.key)
        if option.kind == "yes/no":
            self._change(option, not value)
        elif choices := self._choices(option):
            self._pick(option, choices, str(value))
        elif option.kind == "table":
            where = sanitize.line(str(files.settings_path()))
            self.dashboard.report(f"{option.key} is a table: change it in {where} ({option.description})")
        else:
            self._ask(option, value)

    def _choices(self, option: Option) -> tuple[str, ...]:
        if option.key == "theme":
            return tuple(theme.available(files.config_dir() / "themes"))
        return option.choices

    def _pick(self, option: Option, choices: tuple[str, ...], current: str) -> None:
        from comfytui.tui.widgets.pick import Pick

        def picked(index: int | None) -> None:
            if index is not None:
                self._change(option, choices[index])

        self.app.push_screen(Pick(f"{option.key}: {option.description}", choices, current), picked)

    def _ask(self, option: Option, value: Any) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        is_list = option.kind == "list"
        hint = option.description + (", separated by commas" if is_list else "")
        typed = ", ".join(value) if is_list else str(value)

        def answered(text: str | None) -> None:
            if text is None:
                return
            if is_list:
                self._change(option, tuple(part.strip() for part in text.split(",") if part.strip()))
            elif option.kind == "number":
                self._change(option, int(text) if text.lstrip("-").isdecimal() else text)
            else:
                self._change(option, text)

        self.app.push_screen(TextInputDialog(option.key, typed, hint), answered)

    def action_default(self) -> None:
        if (option := self.option) is not None:
            self._change(option, None)

    @work(name="change setting", group="settings")
    async def _change(self, option: Option, value: Any) -> None:
        """Check and keep a setting; None puts it back to its default. A wrong value changes nothing."""
        if option.key == "theme" and value is not None and value not in theme.available(files.config_dir() / "themes"):
            self.dashboard.report(f"there is no theme {value!r}")
            return
        try:
            settings = await asyncio.to_thread(files.change, option.key, value)
        except (SettingsError, OSError) as error:
            self.dashboard.report(f"nothing was changed: {error}")
            return
        self.dashboard.settings = settings
        if option.key == "theme":
            self.dashboard.theming.use(settings.theme)
        for picture in self.app.query(Picture):
            picture.redraw()
        self._show_settings()
        later = " (from the next start on)" if option.key.startswith(("keys", "server", "engine.")) else ""
        self.dashboard.say(f"{option.key} is {_shown(schema.get(settings, option.key))}{later}")

    # The server

    def _show_server(self, state: ServerState | None) -> None:
        pane = self.query_one("#settings-server")
        pane.border_title = Content("server")
        pane.border_subtitle = Content(one_line(state.link.url)) if state is not None else None
        self.query_one("#settings-facts", Static).update(self._facts(state))

    def _facts(self, state: ServerState | None) -> RenderableType:
        palette = self.dashboard.palette
        if state is None or (state.stats is None and not self.situation().live):
            return Text(teaching.without_server(state, "facts about it"), palette.dim)
        parts: list[RenderableType] = [self._pairs(_stats_rows(state.stats))] if state.stats is not None else []
        if state.features:
            rows = ((name.replace("_", " "), _shown(value)) for name, value in sorted(state.features.items()))
            parts += [Text("\nwhat it can do", palette.style("text", bold=True)), self._pairs(rows, 28)]
        if self._theirs:
            rows = ((name, cut(_shown(value), 200)) for name, value in sorted(self._theirs.items()))
            parts += [Text("\nsettings of its web interface", palette.style("text", bold=True)), self._pairs(rows, 36)]
        return Group(*parts)

    def _pairs(self, rows: Iterable[tuple[str, str]], label: int = 14) -> RenderableType:
        palette = self.dashboard.palette
        return pairs(((Text(a, palette.dim), Text(one_line(b), palette.text)) for a, b in rows if b), label)

    # Actions

    def situation(self) -> Situation:
        return Situation(self.session.state, selected=self.option is not None)

    def action_switch_pane(self) -> None:
        self.toggle_class("-server")
        shown = self.query_one("#settings-server") if self.has_class("-server") else self._list
        self.call_after_refresh(shown.focus)  # what was hidden takes no focus before the next layout

    def go_back(self) -> bool:
        if self.has_class("-server"):
            self.action_switch_pane()
            return True
        return False

    def action_unload(self) -> None:
        self.dashboard.ask("unload models", self._free(everything=False))

    def action_free(self) -> None:
        self.dashboard.ask("free memory", self._free(everything=True))

    async def _free(self, *, everything: bool) -> None:
        connection = self.session.connection
        if connection is None:
            return
        await connection.free(unload_models=True, free_memory=everything)
        await connection.refresh_stats()
        self.dashboard.say("models unloaded, cached results forgotten" if everything else "models unloaded")

    def on_resize(self, _: events.Resize) -> None:
        self.set_class(self.app.size.width < 120, "-narrow")


def _stats_rows(stats: Stats) -> Iterator[tuple[str, str]]:
    yield "ComfyUI", stats.version
    yield "PyTorch", stats.pytorch
    yield "Python", stats.python.partition(" (")[0]
    yield "system", stats.os
    if stats.ram_total:
        yield "RAM", of_total(stats.ram_total - stats.ram_free, stats.ram_total)
    for device in stats.devices:
        yield "device", device.name
        if device.vram_total and device.type != "cpu":
            yield "  VRAM", of_total(device.vram_total - device.vram_free, device.vram_total)
        if device.torch_vram_total:
            used = device.torch_vram_total - device.torch_vram_free
            yield "  by PyTorch", of_total(used, device.torch_vram_total)
    yield "started with", " ".join(stats.argv)


def _shown(value: Any) -> str:
    """A value in a word or two."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(value) or "none"
    return one_line(str(value))
