import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from geoseg.models.engines.bf16_split_input import convert_to_split_input, split_bf16
from geoseg.models.engines.equivalence import make_trial_images


@given(st.floats(-1e4, 1e4, width=32))
def test_halves_are_numbers_of_bfloat16_that_add_up_to_16_digits(number):
    high, low, again = split_bf16(torch.full((1, 1, 1, 1), number)).flatten()
    assert high == again == high.bfloat16()
    assert abs(float(high + low.bfloat16().float()) - number) <= abs(number) * 2**-16 + 1e-37


@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2}, {"bias": False}, {"dilation": 3}])
def test_a_network_for_halves_says_the_same(options):
    network = nn.Sequential(nn.Conv2d(2, 4, 3, **options), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval()
    images = make_trial_images(2, (17, 23))
    with torch.no_grad():
        torch.testing.assert_close(
            convert_to_split_input(network, 2)(split_bf16(images)), network(images), rtol=1e-4, atol=1e-4
        )
    assert network[0].in_channels == 2


def test_bfloat16_sees_the_last_digits_of_the_pixels():
    """255 grey levels around 1000 are one and the same number of bfloat16 (1000 has 10 digits)."""
    network = nn.Conv2d(1, 1, 1, bias=False)
    network.weight.data.fill_(1)
    images = torch.tensor([1000.0, 1001, 1002, 1003]).reshape(1, 1, 1, 4)
    with torch.no_grad():
        assert len(network.bfloat16()(images.bfloat16()).unique()) < 4
        split = convert_to_split_input(network.float(), 1).bfloat16()
        products = split.weight.float() * split_bf16(images).bfloat16().float().permute(0, 2, 3, 1).reshape(4, 3, 1, 1)
    assert len(products.sum(dim=1).unique()) == 4


class Looking(nn.Module):
    """Looks at the images a second time."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, images):
        return self.conv(images) + images


@pytest.mark.parametrize("network", [Looking(), nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Linear(7, 3)])
def test_networks_whose_images_are_seen_by_anything_else_are_not_split(network):
    assert convert_to_split_input(network, 2) is None
