"""A scroll view whose content may grow and shrink without the rest of the screen being laid out anew."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LongView(ScrollView):
    """Lines drawn one by one, of any number.

    Textual's lays the whole screen out and paints all of the widget whenever `virtual_size` changes: 30 ms with a gallery
    on it. Only a widget that is as high as its content needs that; in the others a scrollbar moves, or comes (which
    Textual lays out by itself). Whoever sets it refreshes what differs.
    """

    virtual_size = reactive(Size(0, 0), layout=False, repaint=False)

    def watch_virtual_size(self, virtual_size: Size) -> None:
        self._scroll_update(virtual_size)
        if self.styles.auto_dimensions:
            self.refresh(layout=True)

    _ink: Style | None = None

    @property
    def ink(self) -> Style:
        """The widget's own style. Asked for once a painting: it walks all the styles of all ancestors."""
        return self.rich_style if self._ink is None else self._ink

    def before_painting(self) -> None:
        """Fit what is shown to the size. A resize is told only after the first painting at the new size, so that a
        widget which waits for it is painted twice."""

    def render_lines(self, crop: Region) -> list[Strip]:
        self._ink = self.rich_style
        try:
            self.before_painting()
            return super().render_lines(crop)
        finally:
            self._ink = None
