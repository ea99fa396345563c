import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.worker.channel import BrokenStreamError, FrameReader, frame


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 20)))
def test_frames_survive_any_cutting(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(one) for one in sent)
    reader, got, start = FrameReader(), [], 0
    for cut in [*cuts, len(stream)]:
        got += reader.feed(stream[start : start + cut])
        start += cut
    assert got == sent


def test_an_impossible_length_breaks_the_stream_at_once() -> None:
    with pytest.raises(BrokenStreamError, match="was announced"):
        FrameReader().feed(struct.pack(">I", (1 << 30) + 1))
