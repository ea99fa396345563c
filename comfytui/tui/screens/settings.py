"""The Settings screen: our own settings, changed in place and kept in their file; beside them, what the server is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text
from textual import on, work
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from comfytui.client import sanitize
from comfytui.settings import files, schema
from comfytui.settings.schema import Option, SettingsError
from comfytui.tui import actions, theme
from comfytui.tui.actions import Situation
from comfytui.tui.actions.situation import READ_ONLY
from comfytui.tui.actions.user_keys import checked
from comfytui.tui.screens.settings_server import ServerSettings
from comfytui.tui.setting_values import shown
from comfytui.tui.widgets import server_facts
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.pane_title import entitle
from comfytui.tui.widgets.picture import Picture
from comfytui.tui.wording import cut, cut_middle

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.state.model import ServerState

NAME = 22  # cells of a setting's name
CHANGED = "•"  # before a setting that is not as it is by default
PANES = ("ours", "server", "theirs")


class SettingsView(ServerSettings):
    """Settings on the left; on the right the server's facts, and below them its own settings."""

    screen_id = "settings"
    BINDINGS = [*actions.bindings("settings")]
    DEFAULT_CSS = """
    SettingsView LineList { scrollbar-size: 1 1; }
    SettingsView #settings-server { padding: 0 1; height: 3fr; }
    SettingsView #settings-right { width: 1fr; height: 1fr; }
    SettingsView #settings-middle { width: 1fr; }
    SettingsView #settings-theirs { height: 2fr; }
    SettingsView #settings-query { display: none; }
    SettingsView.-searching #settings-query { display: block; }
    SettingsView.-narrow #settings-server, SettingsView.-narrow #settings-theirs { display: none; }
    SettingsView.-narrow #settings-right { display: none; }
    SettingsView.-narrow.-server #settings-right { display: block; }
    SettingsView.-narrow.-server #settings-middle { display: none; }
    SettingsView.-narrow.-show-server #settings-server { display: block; height: 1fr; }
    SettingsView.-narrow.-show-theirs #settings-theirs { display: block; height: 1fr; }
    SettingsView #settings-tip { height: auto; max-height: 4; color: $role-dim; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._options: dict[str, Option] = {option.key: option for option in schema.options()}
        self._list = LineList(id="settings-list")
        self._their_list = LineList(id="settings-theirs", classes="pane")
        self._query = ""
        self._keys_checked: tuple[Mapping[str, str] | None, tuple[str, ...]] = (None, ())
        self._pane = PANES[0]

    def compose(self) -> ComposeResult:
        with Vertical(id="settings-middle", classes="pane column"):
            wanted = Input(id="settings-query", placeholder="part of a setting's name, value or description")
            wanted.cursor_blink = False  # a blinking cursor writes to the terminal for ever
            yield wanted
            yield self._list
            yield Static(id="settings-tip", markup=False)
        with Vertical(id="settings-right"):
            with VerticalScroll(id="settings-server", classes="pane column"):
                yield Static(id="settings-facts", markup=False)
            yield self._their_list

    def on_mount(self) -> None:
        self.query_one("#settings-middle").border_title = Content("Settings")
        self._lay_out()
        self._show_settings()

    @property
    def option(self) -> Option | None:
        """The selected setting."""
        key = self._list.key
        return self._options.get(key) if key is not None else None

    # News

    @property
    def chosen(self) -> Mapping[str, str]:
        return {"pane": self._pane}

    def take_up(self, chosen: Mapping[str, str]) -> None:
        if (pane := chosen.get("pane")) in PANES:
            self._pane = pane
            self._lay_out()

    def on_shown(self) -> None:
        self._focus_pane(self._pane if self.has_class("-narrow") else PANES[0])
        self._show_settings()

    def on_session(self) -> None:
        if self.shown and (self.situation().live or self.session.state is None):
            asked = self._asked
            self.ask_server()
            if asked is not self._asked or self.session.state is None:
                self.draw_server()

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if old is None or (old.stats, old.features, old.link) != (new.stats, new.features, new.link):
            self.draw_server()
        came = old is not None and old.link.phase is not new.link.phase
        if self.situation().live:
            self.ask_server(again=came)

    def forget(self) -> None:
        super().forget()
        self._list.forget()
        self._their_list.forget()
        self.draw_server()

    # Our settings

    def _show_settings(self) -> None:
        self._list.forget()
        found = [key for key, each in self._options.items() if self._matches(key, each.description)]
        self._list.say_empty(f"No setting matches {self._query!r}.\nesc  shows all")
        self._list.show(found, self._draw_option)
        path = cut_middle(sanitize.line(str(files.settings_path())), 44)
        self.query_one("#settings-middle").border_subtitle = Content(path)
        self._moved()

    @property
    def _wrong_keys(self) -> tuple[str, ...]:
        """What is wrong with the user's own keys."""
        given = self.dashboard.settings.keys
        if given is not self._keys_checked[0]:
            self._keys_checked = given, checked(given, actions.ACTIONS).problems
        return self._keys_checked[1]

    def _matches(self, *texts: str) -> bool:
        return all(any(word in text.lower() for text in texts) for word in self._query.lower().split())

    def _draw_option(self, key: str, width: int) -> Text:
        option, palette = self._options[key], self.dashboard.palette
        value = schema.get(self.dashboard.settings, key)
        is_default = value == option.default
        line = Text(" " if is_default else CHANGED, palette.accent)  # not by its colour alone
        line.append(cut(key, NAME).ljust(NAME) + " ", palette.text)
        column = width // 2 if width >= 90 else width  # where the descriptions begin
        line.append(cut(shown(value), column - NAME - 3), palette.dim if is_default else palette.accent)
        if key == "keys" and (wrong := self._wrong_keys):
            line.append(f"  ✗ {len(wrong)} wrong", palette.failed)
        if column < width:
            line.append(" " * (column - line.cell_len))
            line.append(cut(option.description, width - column - 1), palette.dim)
        return line

    @on(LineList.Moved, "#settings-list")
    def _moved(self) -> None:
        option = self.option
        if option is not None:
            one_of = f"; one of {', '.join(option.choices)}" if option.choices else ""
            tip = f"{option.key}: {option.description}{one_of}. By default {shown(option.default)}."
            if option.key == "keys" and (wrong := self._wrong_keys):
                tip = f"{wrong[0]} e shows all {len(wrong)}." if len(wrong) > 1 else wrong[0]
            self.query_one("#settings-tip", Static).update(Text(tip))
        self.refresh_actions()

    @on(LineList.Opened, "#settings-list")
    def _opened(self) -> None:
        self.action_edit()

    @on(LineList.Opened, "#settings-theirs")
    def _their_opened(self) -> None:
        self.action_edit()

    @on(LineList.Moved, "#settings-theirs")
    def _their_moved(self) -> None:
        self.refresh_actions()

    @on(Input.Changed, "#settings-query")
    def _typed(self, message: Input.Changed) -> None:
        self._query = message.value.strip()
        self._show_settings()
        self.draw_server()

    @on(Input.Submitted, "#settings-query")
    def _search_done(self) -> None:
        self._list.focus()

    def action_filter(self) -> None:
        self._show_pane("ours")
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    @property
    def _on_theirs(self) -> bool:
        """Whether the keys are about a setting of the server."""
        return self._their_list.has_focus

    def action_edit(self) -> None:
        if self._on_theirs:
            self._edit_theirs()
            return
        option = self.option
        if option is None:
            return
        value = schema.get(self.dashboard.settings, option.key)
        if option.kind == "yes/no":
            self._change(option, not value)
        elif choices := self._choices(option):
            self._pick(option, choices, str(value))
        elif option.key == "keys" and (wrong := self._wrong_keys):
            from comfytui.tui.widgets.text_dialog import TextDialog

            where = sanitize.line(str(files.settings_path()))
            self.app.push_screen(TextDialog("keys", "\n".join([*wrong, "", f"The table [keys] is in {where}"])))
        elif option.kind == "table":
            where = sanitize.line(str(files.settings_path()))
            self.dashboard.report(f"{option.key} is a table: change it in {where} ({option.description})")
        else:
            self._ask(option, value)

    def _edit_theirs(self) -> None:
        if (key := self._their_list.key) is None:
            return
        if self.situation().read_only:
            self.dashboard.refuse(READ_ONLY)
        elif self.situation().live:
            self.edit_their(key)

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
        if self._on_theirs:
            self.dashboard.say("A server does not tell the defaults of its settings.")
        elif (option := self.option) is not None:
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
        self.dashboard.say(f"{option.key} is {shown(schema.get(settings, option.key))}{later}")

    # The server

    def draw_server(self) -> None:
        state, pane = self.session.state, self.query_one("#settings-server")
        entitle(pane, "server", state.link.url if state is not None else "")
        self.query_one("#settings-facts", Static).update(self._facts(state))
        found = [key for key in sorted(self._theirs, key=str.lower) if self._matches(key, str(self._theirs[key]))]
        self._their_list.show(found, self.draw_their)
        self._their_list.say_empty(
            self._theirs_problem or ("No setting matches." if self._theirs else "Its web interface has kept none yet.")
        )
        entitle(self._their_list, "settings of its web interface", f"{len(found):,}")
        self.refresh_actions()

    def _facts(self, state: ServerState | None) -> RenderableType:
        palette = self.dashboard.palette
        if state is None or (state.stats is None and not self.situation().live):
            return Text(self.without_server("facts about it"), palette.dim)
        return server_facts.facts(palette, state, self._system, self._users, self.user)

    # Actions

    def situation(self) -> Situation:
        if not self.is_mounted or self.query_one("#settings-server").has_focus:
            return Situation(self.session.state)
        return Situation(
            self.session.state, selected=(self._their_list.key if self._on_theirs else self.option) is not None
        )

    def action_switch_pane(self) -> None:
        self._show_pane(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_reload(self) -> None:
        self.ask_server(again=True)

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._lay_out()
        self._focus_pane(pane)

    def _focus_pane(self, pane: str) -> None:
        shown = {"ours": self._list, "server": self.query_one("#settings-server"), "theirs": self._their_list}[pane]
        if shown.region.area:
            shown.focus(scroll_visible=False)
        else:  # what was hidden takes no focus before the next layout
            self.call_after_refresh(shown.focus, scroll_visible=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """`tab` went to another pane: the keys are about that one now."""
        self.refresh_actions()

    def _lay_out(self) -> None:
        self.set_class(self.app.size.width < 120, "-narrow")
        self.set_class(self._pane != PANES[0], "-server")
        for pane in PANES:
            self.set_class(pane == self._pane, f"-show-{pane}")

    def go_back(self) -> bool:
        if self._pane != PANES[0]:
            self._show_pane(PANES[0])
            return True
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self.query_one(Input).value = ""
            self._list.focus()
            return True
        return False

    def on_resize(self) -> None:
        self._lay_out()
