"""The words in a pane's border: foreign text stays text, and an unchanged title costs nothing."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from comfytui.tui.wording import one_line


def entitle(pane: Widget, title: str, subtitle: str = "") -> None:
    """Set what a pane is (left) and how many or which (right).

    A string would be read as markup by Textual, hence Text; and setting one redraws the whole pane, hence the
    comparison, and hence no counters that tick in a title.
    """
    for name, new in (("border_title", title), ("border_subtitle", subtitle)):
        text = Text(one_line(new))
        if getattr(pane, f"shown_{name}", None) != text.plain:
            setattr(pane, f"shown_{name}", text.plain)
            setattr(pane, name, text)
