"""The Nodes screen: categories, the nodes in them, and the card of one; everything the server can run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from comfytui.tui import actions, teaching
from comfytui.tui.actions import Situation
from comfytui.tui.node_index import MAKES, TAKES, Node, NodeIndex
from comfytui.tui.screens.view import ScreenView
from comfytui.tui.widgets.line_list import LineList
from comfytui.tui.widgets.node_card import CardLine, card
from comfytui.tui.wording import cut, one_line, plural

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from comfytui.state.connection import Connection
    from comfytui.state.model import ServerState

TREE = 26  # cells
WORDS = 56  # cells from which badges are whole words
PANES = ("tree", "list", "card")


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
        self._open = {""}  # categories whose children are listed
        self._category = ""
        self._query = ""
        self._pane = "list"
        self._wanted: str | None = None  # the node to show as soon as the catalogue is there
        self._loading = False  # the catalogue is being asked for
        self._tree = LineList(id="nodes-tree", classes="pane")
        self._list = LineList(id="nodes-list")
        self._card_list = LineList(id="nodes-card")

    def compose(self) -> ComposeResult:
        yield self._tree
        with Vertical(id="nodes-middle", classes="pane"):
            yield Input(id="nodes-query", placeholder="name, title, category … or takes:LATENT, makes:IMAGE")
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

    def on_shown(self) -> None:
        self._list.focus(scroll_visible=False)
        self._load()

    def on_session(self) -> None:
        if self._info is None:
            self._list.say_empty(
                teaching.without_server(self.session.state, "nodes") or "Asking the server for its nodes …"
            )

    def on_state(self, old: ServerState | None, new: ServerState) -> None:
        if new.object_info is not None and new.object_info is not self._info:
            self._info = new.object_info
            self.run_worker(self._build(new.object_info), name="index nodes", group="index", exclusive=True)
        elif new.object_info is None and (old is None or old.link.phase is not new.link.phase):
            self._load()

    def forget(self) -> None:
        super().forget()
        for each in self.query(LineList):
            each.forget()
        self._show_card()

    def _load(self, force: bool = False) -> None:
        state, connection = self.session.state, self.session.connection
        if connection is None or state is None or not self.situation().live:
            return
        if force or (state.object_info is None and not self._loading):
            self._loading = True
            self.dashboard.ask("load nodes", self._load_from(connection, force), group="load nodes")

    async def _load_from(self, connection: Connection, force: bool) -> None:
        try:
            await connection.load_object_info(force)
        finally:
            self._loading = False

    async def _build(self, info: Mapping[str, Any]) -> None:
        # 0.4 s for 5,000 nodes: too long for the loop that echoes keys.
        self._index = await asyncio.to_thread(NodeIndex, info)
        self._lay_out()
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
        self.query_one(Input).value = self._query = ""
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
        self._list.say_empty(f"No node matches {self._query!r} here." if self._index.nodes else "")
        self._list.show(list(self._found), self._draw_node)
        middle = self.query_one("#nodes-middle")
        middle.border_title = Content(one_line(self._category or "all nodes"))
        count = f"{len(found):,} of {len(self._index.nodes):,}" if self._query else plural(len(found), "node")
        middle.border_subtitle = Content(f"{count} · {self._query}" if self._query else count)
        self._show_card()

    def _draw_node(self, name: str, width: int) -> Text:
        node, palette = self._found[name], self.dashboard.palette
        right = Text()
        for badge in node.badges:
            word = badge if width >= WORDS else badge[:3]
            right.append(f"{word} ", palette.warning if badge == "deprecated" else palette.dim)
        outputs = ", ".join(dict.fromkeys(each.type for each in node.outputs)) or ("output" if node.is_output else "–")
        right.append(cut(outputs, 22).ljust(min(22, width // 3)), palette.graph)
        line = Text(" " + cut(one_line(node.title), max(8, width - right.cell_len - 2)), palette.text)
        spare = width - line.cell_len - right.cell_len - 2
        if node.name != node.title and spare > 10:
            line.append(f"  {cut(node.name, spare - 2)}", palette.dim)
        line.append(" " * max(1, width - line.cell_len - right.cell_len))
        return line.append_text(right)

    def _show_card(self) -> None:
        node = self.node
        right = self.query_one("#nodes-right")
        right.border_title = Content(one_line(node.title)) if node else Content("node")
        right.border_subtitle = Content(f"{node.category} · {node.package or 'core'}") if node else None
        listed = self._card_list
        self._card = card(node, self._index, self.dashboard.palette, listed.line_width) if node else []
        listed.forget()
        listed.show([str(place) for place in range(len(self._card))], lambda key, _: self._card[int(key)].text)
        listed.action_top()
        self._show_tip()
        self.refresh_actions()

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
            from comfytui.tui.widgets.text_dialog import TextDialog

            self.app.push_screen(TextDialog("choices", "\n".join(str(choice) for choice in line.choices)))

    @on(Input.Changed, "#nodes-query")
    def _typed(self, message: Input.Changed) -> None:
        self._query = message.value.strip()
        self._search()
        self._list.action_top()

    @on(Input.Submitted, "#nodes-query")
    def _search_done(self) -> None:
        self._list.focus()

    # Actions

    def situation(self) -> Situation:
        return Situation(self.session.state, selected=self.node is not None)

    def action_filter(self) -> None:
        self._show_pane("list")
        self.add_class("-searching")
        self.call_after_refresh(self.query_one(Input).focus)

    def action_takers(self) -> None:
        if (node := self.node) is not None and node.outputs:
            self._ask_for(TAKES + node.outputs[0].type)

    def action_makers(self) -> None:
        wanted = next((i.type for i in self.node.inputs if i.kind == "link"), None) if self.node else None
        if wanted is not None:
            self._ask_for(MAKES + wanted)

    def _ask_for(self, query: str) -> None:
        """Search all categories for a type."""
        self._category = ""
        self._tree.action_top()
        self._show_pane("list")
        self.add_class("-searching")
        self.query_one(Input).value = query
        self._list.focus()

    def action_switch_pane(self) -> None:
        self._show_pane(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_copy(self) -> None:
        if (node := self.node) is not None:
            self.dashboard.copy(node.name, node.name)

    def action_reload(self) -> None:
        self._load(force=True)

    def go_back(self) -> bool:
        """From the card to the list, then from the search to all nodes."""
        if self._pane != "list":
            self._show_pane("list")
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
        shown = {"tree": self._tree, "list": self._list, "card": self._card_list}[pane]
        self.call_after_refresh(shown.focus)  # what was hidden takes no focus before the next layout

    def _lay_out(self) -> None:
        narrow = self.app.size.width < 120
        self.set_class(narrow, "-narrow")
        self.set_class(not self._index.nodes, "-empty")
        self._tree.styles.width = "1fr" if narrow else TREE
        for pane in PANES:
            self.set_class(pane == self._pane, f"-show-{pane}")

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out()
        # The card is wrapped to its width, which is known after this layout.
        self.call_after_refresh(self._show_card)
