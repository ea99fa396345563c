"""Pictures and masks are cut, grown, laid over each other and changed as the operations' names say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pixels import effects, masks, placing


def spot(height: int = 9, width: int = 9, at: tuple[int, int] = (4, 4)) -> torch.Tensor:
    found = torch.zeros(1, height, width)
    found[0, at[0], at[1]] = 1.0
    return found


def picture(count: int = 1, height: int = 8, width: int = 10, channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(seed))


def test_a_mask_grows_to_a_diamond_or_a_square_and_shrinks_again() -> None:
    assert masks.grow(spot(), 2, tapered=True).sum() == 13
    square = masks.grow(spot(), 2, tapered=False)
    assert square.sum() == 25
    assert torch.equal(masks.grow(square, -2, tapered=False), spot())
    assert masks.grow(spot(), 16384, tapered=True).sum() == 81
    assert torch.equal(masks.grow(spot(), 0, tapered=True), spot())


def test_a_mask_at_the_edge_does_not_shrink_from_beyond_it() -> None:
    assert torch.equal(masks.grow(torch.ones(1, 4, 4), -1, tapered=True), torch.ones(1, 4, 4))


def test_feathering_fades_to_each_edge() -> None:
    found = masks.feather(torch.ones(1, 4, 4), 2, 0, 4, 0)[0, 0]
    assert found.tolist() == [0.5, 0.75, 0.5, 0.25]
    assert masks.feather(torch.ones(2, 4, 4), 0, 0, 0, 100)[1, :, 0].tolist() == [1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [("multiply", 0.3), ("add", 1.0), ("subtract", 0.0), ("and", 1.0), ("or", 1.0), ("xor", 0.0)],
)
def test_masks_are_combined_where_they_meet(operation: str, wanted: float) -> None:
    found = masks.combine(torch.full((1, 4, 4), 0.5001), torch.full((1, 9, 9), 0.6), 2, 3, operation)
    assert found[0, 3, 2].item() == pytest.approx(wanted, abs=1e-3)
    assert found[0, 0, 0].item() == pytest.approx(0.5001)
    assert torch.equal(masks.combine(spot(), spot(), 100, 0, operation), spot())


def test_colours_become_masks_exactly() -> None:
    image = torch.tensor([[[[1.0, 0.5, 0.0], [1.0, 0.51, 0.0]]]])
    assert masks.of_colour(image, 0xFF8000).tolist() == [[[1.0, 0.0]]]


def test_a_crop_beyond_the_mask_is_an_error() -> None:
    assert masks.crop(spot(), 6, 6, 100, 2).shape == (1, 2, 3)
    with pytest.raises(ValueError, match="x 9, y 0"):
        masks.crop(spot(), 9, 0, 1, 1)


@settings(deadline=None, max_examples=60)
@given(
    x=st.integers(-30, 30),
    y=st.integers(-30, 30),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    use=st.booleans(),
)
def test_a_picture_laid_over_another_changes_only_where_it_lies(
    x: int, y: int, height: int, width: int, use: bool
) -> None:
    below, above = torch.zeros(1, 8, 10, 3), torch.ones(1, height, width, 3)
    mask = torch.ones(1, 5, 5) if use else None
    found = placing.composite(below, above, x, y, mask)[0, ..., 0]
    wanted = torch.zeros(8, 10)
    wanted[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = 1.0
    assert torch.equal(found, wanted)


def test_batches_and_transparency_are_made_to_fit() -> None:
    found = placing.composite(picture(3), picture(1, 4, 4, 4), 0, 0)
    assert found.shape == (3, 8, 10, 4)
    assert torch.equal(found[1:, 5:, :, 3], torch.ones(2, 3, 10))


@given(quarters=st.integers(0, 3), vertically=st.booleans())
def test_turning_and_mirroring_lose_nothing(quarters: int, vertically: bool) -> None:
    image = picture()
    turned = placing.rotate(image, quarters)
    assert torch.equal(placing.rotate(turned, 4 - quarters), image)
    assert torch.equal(placing.flip(placing.flip(image, vertically), vertically), image)
    assert torch.equal(placing.rotate(image, 1)[0, 0, -1], image[0, 0, 0]), (
        "clockwise: the left end of the top goes right"
    )


def test_a_padded_picture_is_whole_in_the_middle_and_its_mask_knows_where() -> None:
    image = picture(2, 40, 50)
    canvas, mask = placing.pad(image, 8, 0, 16, 24, 10)
    assert canvas.shape == (2, 64, 74, 3) and mask.shape == (1, 64, 74)
    assert torch.equal(canvas[:, :40, 8:58], image)
    assert (canvas[:, 40:] == 0.5).all() and (mask[0, 40:] == 1).all()
    assert mask[0, 0, 30] == 0, "no feathering at a side that was not made longer"
    assert mask[0, 10, 8] == 1 and 0 < mask[0, 10, 12] < mask[0, 10, 9] < 1


@pytest.mark.parametrize("mode", ["normal", "multiply", "screen", "overlay", "soft_light", "difference"])
def test_blending_by_nothing_changes_nothing_and_stays_in_range(mode: str) -> None:
    first, second = picture(seed=1), picture(seed=2)
    assert torch.allclose(effects.blend(first, second, 0.0, mode), first)
    found = effects.blend(first, second, 1.0, mode)
    assert found.min() >= 0 and found.max() <= 1


def test_a_blur_keeps_what_is_even_and_the_sum_of_a_spot() -> None:
    even = torch.full((1, 6, 6, 3), 0.4)
    assert torch.allclose(effects.blur(even, 31, 3.0), even, atol=1e-6), (
        "also where the kernel is larger than the picture"
    )
    found = effects.blur(spot()[..., None].expand(1, 9, 9, 3), 2, 0.5)
    assert found[0, ..., 0].sum().item() == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(effects.sharpen(even, 2, 1.0, 1.0), even, atol=1e-5)


def test_morphology_by_its_definitions() -> None:
    image = picture(1, 12, 14)
    for size in (3, 4, 999):
        dilated, eroded = effects.morphology(image, "dilate", size), effects.morphology(image, "erode", size)
        assert dilated.shape == image.shape
        assert (dilated >= image).all() and (eroded <= image).all()
        assert torch.allclose(effects.morphology(image, "gradient", size), dilated - eroded)
    opened, closed = effects.morphology(image, "open", 3), effects.morphology(image, "close", 3)
    assert (opened <= image).all() and (closed >= image).all()
    assert torch.allclose(effects.morphology(image, "top_hat", 3), image - opened)
    assert torch.allclose(effects.morphology(image, "bottom_hat", 3), closed - image)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"])
def test_few_colours_are_few(dither: str) -> None:
    found = effects.quantize(picture(2, 32, 32), 5, dither)
    assert found.shape == (2, 32, 32, 3)
    assert len(found[0].reshape(-1, 3).unique(dim=0)) <= 5


def test_canny_finds_the_outline_of_a_square() -> None:
    image = torch.zeros(1, 40, 40, 3)
    image[:, 10:30, 10:30] = 1.0
    found = effects.canny(image, 0.2, 0.5)[0, ..., 0]
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert found[20, 9:12].sum() >= 1 and found[20, 15:25].sum() == 0 and found[:5].sum() == 0
    assert effects.canny(torch.full((1, 20, 20, 3), 0.5), 0.2, 0.5).sum() == 0
