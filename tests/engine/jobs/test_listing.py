from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.job import HistoryRow
from engine.jobs.listing import finished_job, in_order, merge, page, span, summarize_outputs


def test_the_first_saved_picture_is_shown() -> None:
    outputs = {
        "1": {"latents": [{"filename": "a.latent", "type": "output"}]},
        "2": {"images": [{"filename": "t.png", "type": "temp"}], "animated": [True]},
        "3": {
            "images": [{"filename": "o.png", "type": "output"}, {"filename": "p.png", "type": "output"}],
            "text": ["x"],
        },
    }
    count, shown = summarize_outputs(outputs)
    assert count == 4
    assert shown == {"filename": "o.png", "type": "output", "nodeId": "3", "mediaType": "images"}
    assert summarize_outputs({"2": outputs["2"]})[1] == {
        "filename": "t.png",
        "type": "temp",
        "nodeId": "2",
        "mediaType": "images",
    }
    assert summarize_outputs({"1": outputs["1"]}) == (1, None)


def test_media_by_format_and_by_name_can_be_shown() -> None:
    assert summarize_outputs({"1": {"gifs": [{"filename": "a", "format": "video/h264"}]}})[1] is not None
    assert summarize_outputs({"1": {"3d": [{"filename": "a.GLB"}]}})[1] is not None
    assert summarize_outputs({"1": {"x": "not a list"}, "2": None})[0] == 0


def row(**more: object) -> HistoryRow:
    values = {"prompt_id": "a", "number": 1, "status": "success", "workflow_id": None, "create_time": 5}
    values |= {"start_time": 6, "end_time": 9, "outputs_count": 0, "preview": None, "error": None}
    return HistoryRow(**{**values, **more})


def test_keys_without_a_value_are_left_out() -> None:
    told = finished_job(row())
    assert list(told) == [
        *("id", "status", "priority", "create_time", "execution_start_time", "execution_end_time", "outputs_count"),
    ]
    assert finished_job(row(status="interrupted"))["status"] == "failed"


def test_order_and_pages() -> None:
    jobs = [finished_job(row(prompt_id=str(n), create_time=n, end_time=6 + (n * 7) % 5)) for n in range(4)]
    assert [job["id"] for job in in_order(jobs, "created_at", True)] == ["3", "2", "1", "0"]
    durations = [job["execution_end_time"] for job in in_order(jobs, "execution_duration", False)]
    assert durations == sorted(durations)
    told = page(jobs[1:3], 2, 1, 4)
    assert [job["id"] for job in told["jobs"]] == ["1", "2"]
    assert told["pagination"] == {"offset": 1, "limit": 2, "total": 4, "has_more": True}
    assert page([], None, 9, 4)["pagination"]["has_more"] is False


@given(
    st.lists(st.integers(0, 9)),
    st.lists(st.integers(0, 9)),
    st.booleans(),
    st.none() | st.integers(1, 9),
    st.integers(0, 12),
)
def test_a_page_is_a_piece_of_the_whole_list(
    live: list[int], ended: list[int], descending: bool, limit: int | None, offset: int
) -> None:
    alive = [{"id": f"l{n}", "create_time": created} for n, created in enumerate(live)]
    whole = in_order(
        [{"id": f"e{n}", "create_time": created} for n, created in enumerate(ended)], "created_at", descending
    )
    piece = span(len(alive), limit, offset)
    kept = whole[piece.offset :] if piece.limit is None else whole[piece.offset : piece.offset + piece.limit]
    expected = in_order([*alive, *whole], "created_at", descending)[offset:][:limit]
    assert merge(alive, kept, "created_at", descending, limit, offset) == expected
