"""The Nodes screen: categories, the nodes in them, and the card of one; everything the server can run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from comfytui.client.errors import ClientError
from comfytui.tui import actions, node_search
from comfytui.tui.actions import Situation
from comfytui.tui.node_index import MAKES, TAKES, Node, NodeIndex
from comfytui.tui.node_search import Query
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.node_card import CardLine, card
from comfytui.tui.widgets.node_line import node_line
from comfytui.tui.wording import cut, one_line, plural
from comfytui.workflow.inputs import near

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState

TREE = 26  # cells
PANES = ("tree", "list", "card")
MAX_TRAIL = 50  # places to go back to


class Visited(NamedTuple):
    """A place that was left by following a type, to come back to."""

    query: str
    category: str
    node: str | None
    line: int  # of the card
    pane: str


class NodesView(ScreenView):
    """Category tree, list, and card; side by side from 120 columns, one at a time below."""

    screen_id = "nodes"
    BINDINGS = [*actions.bindings("nodes")]
    DEFAULT_CSS = """
    NodesView LineList { scrollbar-size: 1 1; }
    NodesView #nodes-middle { width: 1fr; }
    NodesView #nodes-right { width: 1fr; }
    NodesView #nodes-query { display: none; }
    NodesView.-searching #nodes-query { display: block; }
    NodesView #nodes-tip { height: auto; max-height: 5; color: $role-dim; }
    NodesView.-empty #nodes-tree, NodesView.-empty #nodes-right { display: none; }
    NodesView.-narrow .pane { display: none; width: 1fr; }
    NodesView.-narrow.-show-tree #nodes-tree { display: block; }
    NodesView.-narrow.-show-list #nodes-middle { display: block; }
    NodesView.-narrow.-show-card #nodes-right { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._info: Mapping[str, Any] | None = None
        self._index = NodeIndex({})
        self._found: dict[str, Node] = {}
        self._card: list[CardLine] = []
        self._card_width = 0  # cells that it was wrapped to
        self._open = {""}  # categories whose children are listed
        self._category = ""
        self._query = Query()
        self._typed_query = ""
        self._search_due = False  # something was typed that was not searched yet
        self._trail: list[Visited] = []  # newest last
        self._pane = "list"
        self._wanted: str | None = None  # the node to show as soon as the catalogue is there
        self._loading: Connection | None = None  # which server's catalogue is being asked for
        self._failed = ""  # why there is none
        self._tree = LineList(id="nodes-tree", classes="pane")
        self._list = LineList(id="nodes-list")
        self._card_list = LineList(id="nodes-card")

    def compose(self) -> ComposeResult:
        yield self._tree
        with Vertical(id="nodes-middle", classes="pane"):
            yield Input(
                id="nodes-query", placeholder="words; is:custom is:deprecated from:PACK takes:LATENT makes:IMAGE"
            )
            yield self._list
        with Vertical(id="nodes-right", classes="pane"):
            yield self._card_list
            yield Static(id="nodes-tip", markup=False)

    def on_mount(self) -> None:
        self._tree.border_title = Content("Categories")
        self.query_one(Input).cursor_blink = False  # nothing is written to the terminal while nobody does anything
        self._lay_out()

    @property
    def node(self) -> Node | None:
        """The selected node."""
        key = self._list.key
        return self._found.get(key) if key is not None else None

    # News

    @property
    def chosen(self) -> Mapping[str, str]:
        return {"pane": self._pane}

    def take_up(self, chosen: Mapping[str, str]) -> None:
        if (pane := chosen.get("pane")) in PANES:
            self._pane = pane
            self._lay_out()

    def on_shown(self) -> None:
        self._focus_pane(self._pane_shown if self.has_class("-narrow") else "list")
        self._load()

    def on_session(self) -> None:
        if self._info is None:
            again = actions.key_of("nodes.reload", self.dashboard.keymap)
            failed = (
                f"The server did not tell its nodes: {self._failed}\n\n {again}  asks again" if self._failed else ""
            )
            self._list.say_empty(self.without_server("nodes") or failed or "Asking the server for its nodes …")

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if new.object_info is not None and new.object_info is not self._info:
            self._info = new.object_info
            self.run_worker(self._build(new.object_info), name="index nodes", group="index", exclusive=True)
        elif new.object_info is None and (old is None or old.link.phase is not new.link.phase):
            self._load()

    def leave_server(self) -> None:
        self.workers.cancel_group(self, "index")
        self._info, self._index, self._failed, self._category = None, NodeIndex({}), "", ""
        self._trail.clear()
        super().leave_server()
        self._lay_out()
        self._show_tree()
        self._search()

    def forget(self) -> None:
        super().forget()
        for each in self.query(LineList):
            each.forget()
        self._show_card()

    def _load(self, force: bool = False) -> None:
        state, connection = self.session.state, self.session.connection
        if connection is None or state is None or not self.situation().live:
            return
        if force or (state.object_info is None and self._loading is not connection):
            self._loading = connection
            self.dashboard.ask("load nodes", self._load_from(connection, force), group="load nodes")

    async def _load_from(self, connection: Connection, force: bool) -> None:
        self._failed = ""
        try:
            await connection.load_object_info(force)
        except ClientError as error:
            if connection is self.session.connection:
                self._failed = str(error)
            raise
        finally:
            if self._loading is connection:
                self._loading = None
            self.on_session()

    async def _build(self, info: Mapping[str, Any]) -> None:
        # 0.4 s for 5,000 nodes: too long for the loop that echoes keys.
        self._index = await asyncio.to_thread(NodeIndex, info)
        self._lay_out()
        if self._pane != "list" and self.has_class("-narrow") and self._list.has_focus:
            self._focus_pane(self._pane)
        self._show_tree()
        self._search()
        if self._wanted is not None:
            self.reveal(self._wanted)
        # The card's pane was hidden while there were no nodes, and has no width before this layout is done.
        self.call_after_refresh(self._show_card)

    def reveal(self, name: str) -> None:
        """Show the card of a node class, now or when the catalogue has come."""
        self._wanted = name
        if not self._index.nodes:
            return
        self._wanted = None
        known = name in self._index.by_name
        self._category = ""
        self.remove_class("-searching")
        self._trail.clear()
        self._ask("")
        self._tree.action_top()
        self._search()
        if known:
            self._list.move_to(name)
            self.call_after_refresh(self._show_card)
        else:
            self.dashboard.say(f"This server has no node {name}.")
        self._show_pane("card" if known else "list")

    # The three panes

    def _show_tree(self) -> None:
        by_path = {each.path: each for each in self._index.categories}
        visible = [path for path in by_path if self._is_visible(path)]

        def draw(path: str, width: int) -> Text:
            each = by_path[path]
            mark = "▾ " if each.has_children and path in self._open else "▸ " if each.has_children else "  "
            palette = self.dashboard.palette
            count = f"{each.total:,}"
            name = cut("  " * max(0, each.depth - 1) + mark + one_line(each.name), width - len(count) - 1)
            line = Text(name, palette.text)
            line.append(" " * max(1, width - line.cell_len - len(count)))
            return line.append(count, palette.dim)

        self._tree.show(visible, draw)

    def _is_visible(self, path: str) -> bool:
        parent = path.rpartition("/")[0]
        return not path or (parent in self._open and self._is_visible(parent))

    def _search(self) -> None:
        """Fill the list for the query and the category."""
        found = self._index.search(self._query, self._category)
        self._found = {each.name: each for each in found}
        self._list.say_empty(self._nothing() if not found and self._index.nodes else "")
        self._list.forget()  # other letters are marked
        self._list.show(list(self._found), self._draw_node)
        middle = self.query_one("#nodes-middle")
        middle.border_title = Content(one_line(self._category or "all nodes"))
        typed = self._typed_query
        count = f"{len(found):,} of {len(self._index.nodes):,}" if typed else plural(len(found), "node")
        middle.border_subtitle = Content(f"{count} · {typed}" if typed else count)
        self._show_card()

    def _nothing(self) -> str:
        """Why the list is empty, and what would fill it."""
        if self._query.wrong:
            return self._query.wrong
        lines = [f"No node matches {self._typed_query!r}{' in ' + self._category if self._category else ''}.", ""]
        if self._category and (elsewhere := len(self._index.search(self._query))):
            lines.append(f" {plural(elsewhere, 'node')} elsewhere: v, then all at the top of the categories")
        elif close := near(" ".join(self._query.words), self._index.by_name, cutoff=0.7):
            lines.append(f" near: {', '.join(close)}")
        return "\n".join([*lines, " esc  shows all nodes again"])

    def _draw_node(self, name: str, width: int) -> Text:
        return node_line(self._found[name], width, self._query.words, self.dashboard.palette)

    def _show_card(self) -> None:
        node = self.node
        right = self.query_one("#nodes-right")
        right.border_title = Content(one_line(node.title)) if node else Content("node")
        right.border_subtitle = Content(f"{node.category} · {node.package or 'core'}") if node else None
        listed = self._card_list
        self._card_width = listed.line_width
        self._card = card(node, self._index, self.dashboard.palette, listed.line_width) if node else []
        listed.forget()
        listed.show([str(place) for place in range(len(self._card))], self._card_line)
        listed.action_top()
        self._show_tip()
        self.refresh_actions()

    def _card_line(self, key: str, width: int) -> Text:
        if width != self._card_width:  # it was wrapped before the layout was done
            self.call_later(self._wrap_card)
        return self._card[int(key)].text

    @property
    def _line(self) -> CardLine | None:
        key = self._card_list.key
        return self._card[int(key)] if key is not None and int(key) < len(self._card) else None

    def _show_tip(self) -> None:
        line = self._line
        tip = self.query_one("#nodes-tip", Static)
        tip.update(Text(one_line(line.tip) if line else ""))
        tip.display = bool(line and line.tip)

    # What the lists say

    @on(LineList.Moved, "#nodes-tree")
    def _category_moved(self, message: LineList.Moved) -> None:
        if message.key is not None and message.key != self._category:
            self._category = message.key
            self._search()

    @on(LineList.Opened, "#nodes-tree")
    def _category_opened(self, message: LineList.Opened) -> None:
        each = next(c for c in self._index.categories if c.path == message.key)
        if each.has_children and message.key:
            self._open ^= {message.key}
            self._show_tree()
        else:
            self._show_pane("list")

    @on(LineList.Moved, "#nodes-list")
    def _node_moved(self) -> None:
        self._show_card()

    @on(LineList.Opened, "#nodes-list")
    def _node_opened(self) -> None:
        self._show_pane("card")

    @on(LineList.Moved, "#nodes-card")
    def _card_moved(self) -> None:
        self._show_tip()

    @on(LineList.Opened, "#nodes-card")
    def _card_opened(self) -> None:
        line = self._line
        if line is None:
            return
        if line.query:
            self._ask_for(line.query)
        elif line.choices:
            self.run_worker(self._read_choices(line), name="choices", group="dialog", exclusive=True)

    async def _read_choices(self, line: CardLine) -> None:
        """All that an input accepts, to look through; the chosen one is copied."""
        from comfytui.tui.widgets.form import shown
        from comfytui.tui.widgets.pick import Pick

        names = [shown(choice) for choice in line.choices]
        dialog = Pick(f"{line.name} · {plural(len(names), 'choice')}", names, shown(line.default), does="copies")
        if (place := await self.app.push_screen_wait(dialog)) is not None:
            self.dashboard.copy(names[place], names[place])

    @on(Input.Changed, "#nodes-query")
    def _typed(self, message: Input.Changed) -> None:
        if message.value.strip() != self._typed_query:
            self._typed_query = message.value.strip()
            self._query = node_search.parse(self._typed_query)
            # After the letter is on the screen, and once for several that came together.
            if not self._search_due:
                self._search_due = True
                self.call_after_refresh(self._search_now)

    def _search_now(self) -> None:
        if self._search_due:
            self._search_due = False
            self._search()
            self._list.action_top()

    @on(Input.Submitted, "#nodes-query")
    def _search_done(self) -> None:
        self._search_now()
        self._list.focus()

    # Actions

    def situation(self) -> Situation:
        return Situation(self.session.state, selected=self.node is not None)

    def action_filter(self) -> None:
        self._show_pane("list")
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    def action_takers(self) -> None:
        if (node := self.node) is not None:
            self._follow(TAKES, [(each.name, each.type) for each in node.outputs])

    def action_makers(self) -> None:
        if (node := self.node) is not None:
            self._follow(MAKES, [(each.name, each.type) for each in node.inputs if each.kind == "link"])

    def _follow(self, how: str, slots: list[tuple[str, str]]) -> None:
        """List what takes or makes one of these types; ask which, if there are several."""
        types = {type_: name for name, type_ in reversed(slots) if type_ != "*"}  # the first name of each
        ordered = [type_ for type_ in dict.fromkeys(type_ for _, type_ in slots) if type_ in types]
        if not ordered:
            self.dashboard.say("Nothing takes it." if how == TAKES else "It takes nothing from another node.")
        elif len(ordered) == 1:
            self._ask_for(how + ordered[0])
        else:
            self.run_worker(self._choose_type(how, ordered, types), name="type", group="dialog", exclusive=True)

    async def _choose_type(self, how: str, ordered: list[str], names: Mapping[str, str]) -> None:
        from comfytui.tui.widgets.pick import Pick

        verb = "take" if how == TAKES else "make"
        lines = [f"{each} · {names[each]} · {self._index.count(how, each):,} {verb} it" for each in ordered]
        place = await self.app.push_screen_wait(Pick(f"nodes that {verb}", lines))
        if place is not None:
            self._ask_for(how + ordered[place])

    def _ask_for(self, query: str) -> None:
        """Search all categories for a type; esc comes back here."""
        node = self.node
        here = Visited(
            self._typed_query, self._category, node.name if node else None, self._card_list.cursor, self._pane
        )
        self._trail = [*self._trail[1 - MAX_TRAIL :], here]
        self._category = ""
        self._tree.action_top()
        self._show_pane("list")
        self.add_class("-searching")
        self._ask(query)
        self._list.action_top()
        self._list.focus()

    def _ask(self, query: str) -> None:
        """Search for what nobody typed."""
        self._search_due = False
        self._typed_query = query
        self._query = node_search.parse(query)
        self.query_one(Input).value = query
        self._search()

    def _return(self, to: Visited) -> None:
        """Be where a type was followed from."""
        self._category = to.category
        self._tree.move_to(to.category)
        self.set_class(bool(to.query), "-searching")
        self._ask(to.query)
        if to.node is not None:
            self._list.move_to(to.node)

        def on_card() -> None:
            self._show_card()
            self._card_list.cursor = to.line

        self._show_pane(to.pane)
        self.call_after_refresh(on_card)

    def action_used_by(self) -> None:
        if (node := self.node) is not None:
            self.run_worker(self._show_users(node.name), name="show workflows", group="dialog", exclusive=True)

    async def _show_users(self, name: str) -> None:
        from comfytui.tui.screens.workflows import show_filtered

        await show_filtered(self.dashboard, f"node:{name}")

    def action_lacks(self) -> None:
        self.run_worker(self._ask_lacks(), name="what is missing", group="dialog", exclusive=True)

    async def _ask_lacks(self) -> None:
        """What this server lacks of a workflow that is chosen; a node that is near is shown here."""
        from comfytui.tui.screens.lacks import lacks_of_chosen

        if name := await lacks_of_chosen(self.dashboard, self._info):
            self.reveal(name)

    def action_switch_pane(self) -> None:
        self._show_pane(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_copy(self) -> None:
        if (node := self.node) is not None:
            self.dashboard.copy(node.name, node.name)

    def action_reload(self) -> None:
        self._load(force=True)

    def go_back(self) -> bool:
        """From the card to the list, from there to where a type was followed, then from the search to all nodes."""
        if self._pane != "list":
            self._show_pane("list")
            return True
        if self._trail:
            self._return(self._trail.pop())
            return True
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self._ask("")
            self._list.focus()
            return True
        return False

    # Layout

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        self._lay_out()
        self._focus_pane(pane)
        if pane == "card":
            self.call_after_refresh(self._wrap_card)

    @property
    def _pane_shown(self) -> str:
        """The pane that a narrow screen shows: without nodes the list, where it stands why there are none."""
        return self._pane if self._index.nodes else "list"

    def _focus_pane(self, pane: str) -> None:
        shown = {"tree": self._tree, "list": self._list, "card": self._card_list}[pane]
        if shown.region.area:
            shown.focus(scroll_visible=False)
        else:  # what was hidden takes no focus before the next layout, and has no width to wrap a text to
            self.call_after_refresh(shown.focus, scroll_visible=False)

    def _wrap_card(self) -> None:
        if self._card_list.line_width != self._card_width:
            self._show_card()

    def _lay_out(self) -> None:
        narrow = self.app.size.width < 120
        self.set_class(narrow, "-narrow")
        self.set_class(not self._index.nodes, "-empty")
        self._tree.styles.width = "1fr" if narrow else TREE
        for pane in PANES:
            self.set_class(pane == self._pane_shown, f"-show-{pane}")

    def on_resize(self) -> None:
        self._lay_out()
        # The card is wrapped to its width, which is known after this layout.
        self.call_after_refresh(self._show_card)
