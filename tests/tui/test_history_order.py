from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comfytui.state.model import Mark
from comfytui.tui.history_order import Listing, Order
from comfytui.tui.widgets.sections import Layout, Row, Section
from tests.tui import sample


def test_nothing_is_listed_anew_while_nothing_of_the_history_differs() -> None:
    state, listing = sample.idle(50), Listing()
    listing.use_filter("lighthouse")
    first = listing.update(state)
    assert listing.update(replace(state, queue_remaining=9, jobs=dict(state.jobs))) is first


def test_a_filter_that_is_not_understood_keeps_the_last_good_one() -> None:
    state, listing = sample.idle(10), Listing()
    listing.use_filter("seed:8403")
    assert listing.update(state).ids == (sample.finished(3).id,)
    listing.use_filter("seed:abc")
    assert "seed:abc" in listing.problem
    assert listing.update(state).ids == (sample.finished(3).id,)


def test_orders() -> None:
    state, listing = sample.idle(4), Listing()
    ids = state.history
    other = replace(state.jobs[ids[1]], facts=sample.facts(1, "flux"), ended=state.jobs[ids[1]].ended + 60)  # type: ignore[operator]
    state = replace(state, jobs={**state.jobs, ids[1]: other}, marks={ids[2]: Mark(star=True)})
    assert listing.update(state).ids == ids
    listing.use_order(Order.WORKFLOW)
    assert listing.update(state).sections == (Section("portrait_v4", 3), Section("flux", 1))
    assert listing.update(state).ids == (ids[0], ids[2], ids[3], ids[1])
    listing.use_order(Order.TIME)
    assert listing.update(state).ids[0] == ids[1]
    listing.use_order(Order.STARS)
    assert listing.update(state).ids == (ids[2], ids[0], ids[1], ids[3])


groups = st.lists(st.builds(Section, st.sampled_from(["", "a"]), st.integers(0, 9)), max_size=6)


@given(groups, st.integers(1, 4), st.integers(1, 5))
def test_every_item_is_where_its_line_says(sections: list[Section], across: int, tall: int) -> None:
    layout = Layout(sections, across, tall)
    assert layout.count == sum(section.count for section in sections)
    for index in range(layout.count):
        y, column = layout.place(index)
        row = layout.at(y)
        assert isinstance(row, Row)
        assert row.first + column == index
        assert row.inner == 0
        assert layout.between(y, y + 1) == (row.first, row.first + row.count)
        assert layout.above(index) <= index <= layout.below(index)
    assert layout.at(layout.height) is None
    assert layout.between(0, layout.height) == (0, layout.count)
