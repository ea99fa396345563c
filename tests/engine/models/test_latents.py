import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.models.latents import METHODS, SD1, preview, resize
from engine.models.packing import PackedConv2d, available, pack


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_size_asked_for_and_keeps_a_flat_latent(method):
    flat = torch.tensor([1.0, -2.0, 0.5, 3.0]).view(1, 4, 1, 1).expand(2, 4, 8, 6)
    found = resize(flat, 9, 13, method)
    assert found.shape == (2, 4, 13, 9)
    assert torch.allclose(found, flat[:, :, :1, :1].expand_as(found), atol=1e-5)


def test_bislerp_keeps_the_length_of_vectors_that_bilinear_shortens():
    turn = torch.zeros(1, 2, 1, 2)
    turn[0, 0, 0, 0] = turn[0, 1, 0, 1] = 1  # a right angle between two pixels
    assert torch.allclose(resize(turn, 8, 1, "bislerp").norm(dim=1), torch.ones(1, 1, 8), atol=1e-5)
    assert resize(turn, 8, 1, "bilinear").norm(dim=1).min() < 0.9


def test_center_takes_the_middle_with_the_new_proportions():
    wide = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 4, 8)
    assert resize(wide, 4, 4, "nearest-exact", "center")[0, 0, 0].tolist() == [2, 3, 4, 5]


def test_a_preview_has_the_colours_of_the_latent_and_a_bounded_size():
    picture = preview(torch.zeros(3, 4, 8, 12), SD1)
    assert picture.size == (96, 64)
    assert picture.getpixel((40, 30)) == (127, 127, 127)
    assert max(preview(torch.zeros(1, 4, 256, 128), SD1).size) == 512
    red = torch.linalg.lstsq(torch.tensor(SD1.to_rgb).T, torch.tensor([1.0, -1.0, -1.0])).solution
    r, g, b = preview(red.view(1, 4, 1, 1).expand(1, 4, 8, 8), SD1).getpixel((30, 30))
    assert r > 250
    assert g < 5
    assert b < 5


def test_a_latent_that_went_wrong_still_has_a_preview():
    assert preview(torch.full((1, 4, 8, 8), float("nan")), SD1).size == (64, 64)


@pytest.mark.skipif(not available(), reason="this PyTorch has no packed convolutions")
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (3, 2, 0)])
def test_packed_convolutions_agree_at_any_size_and_do_not_depend_on_what_ran_before(kernel, stride, padding):
    torch.manual_seed(0)
    plain = nn.Conv2d(32, 64, kernel, stride, padding).requires_grad_(False)
    packed = pack(nn.Sequential(nn.Conv2d(32, 64, kernel, stride, padding)))[0].requires_grad_(False)
    packed.load_state_dict(plain.state_dict())
    assert type(packed) is PackedConv2d
    first = {}
    with torch.inference_mode():
        for size in ((8, 8), (32, 16), (7, 9), (8, 8)):
            x = torch.randn(2, 32, *size, generator=torch.Generator().manual_seed(1))
            found = packed(x)
            assert torch.allclose(found, plain(x), atol=1e-4)
            assert torch.equal(first.setdefault(size, found), found)


def test_a_packed_convolution_notices_another_weight():
    conv = pack(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1)))[0].requires_grad_(False)
    x = torch.randn(1, 8, 8, 8)
    with torch.inference_mode():
        conv(x)
    conv.weight = nn.Parameter(conv.weight * 2, requires_grad=False)
    with torch.inference_mode():
        assert torch.allclose(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1), atol=1e-4)


@pytest.mark.skipif(not available(), reason="this PyTorch has no packed convolutions")
def test_a_new_size_is_packed_anew_because_the_old_order_would_be_slower_than_none():
    conv = pack(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1)))[0].requires_grad_(False)
    with torch.inference_mode():
        for size in (16, 16, 24):
            before = conv._packed
            conv(torch.randn(1, 8, size, size))
            assert conv._packed[1] == (1, 8, size, size)
            assert (conv._packed is before) == (before is not None and before[1][-1] == size)
