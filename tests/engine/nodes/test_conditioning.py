import torch

from engine.nodes import conditioning as nodes
from tests.engine.nodes.support import assert_recorded


def piece(value, tokens=2, **options):
    return [[torch.full((1, tokens, 3), float(value)), {"pooled_output": torch.full((1, 3), float(value)), **options}]]


def test_entries_are_those_of_comfyui(tmp_path):
    assert_recorded(nodes.NODES, tmp_path)


def test_combining_keeps_both_pieces():
    (found,) = nodes.conditioning_combine.function(piece(1), piece(2))
    assert [float(t[0, 0, 0]) for t, _ in found] == [1, 2]


def test_concat_puts_tokens_behind_each_other():
    (found,) = nodes.conditioning_concat.function(piece(1), piece(2, tokens=3))
    assert found[0][0][0, :, 0].tolist() == [1, 1, 2, 2, 2]


def test_average_weighs_both_and_fills_a_shorter_one_with_zeros():
    ((tensor, options),) = nodes.conditioning_average.function(piece(4, tokens=3), piece(8, tokens=2), 0.25)[0]
    assert tensor[0, :, 0].tolist() == [7, 7, 1]
    assert options["pooled_output"][0, 0] == 7


def test_options_are_set_on_a_copy():
    before = piece(1)
    (area,) = nodes.conditioning_set_area.function(before, 128, 64, 8, 16, 0.5)
    assert area[0][1]["area"] == (8, 16, 2, 1)
    assert area[0][1]["strength"] == 0.5
    (ranged,) = nodes.conditioning_set_timestep_range.function(before, 0.1, 0.6)
    assert (ranged[0][1]["start_percent"], ranged[0][1]["end_percent"]) == (0.1, 0.6)
    (masked,) = nodes.conditioning_set_mask.function(before, torch.ones(4, 4), 2.0, "mask bounds")
    assert masked[0][1]["mask"].shape == (1, 4, 4)
    assert masked[0][1]["set_area_to_bounds"] is True
    assert list(before[0][1]) == ["pooled_output"]


def test_zero_out_keeps_the_shapes():
    ((tensor, options),) = nodes.conditioning_zero_out.function(piece(3))[0]
    assert not tensor.any()
    assert not options["pooled_output"].any()
