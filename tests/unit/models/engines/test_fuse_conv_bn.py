import copy

import pytest
import torch
from torch import nn

from geoseg.models.engines.equivalence import make_trial_images
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn
from geoseg.models.sync_batchnorm import convert_to_sync_batchnorm


def norm(channels=4, seed=0, kind=nn.BatchNorm2d, **options):
    """A norm that has seen something."""
    generator = torch.Generator().manual_seed(seed)
    layer = kind(channels, **options)
    layer.running_mean.copy_(torch.randn(channels, generator=generator))
    layer.running_var.copy_(torch.rand(channels, generator=generator) + 0.5)
    if layer.affine:
        layer.weight.data.copy_(torch.rand(channels, generator=generator) + 0.5)
        layer.bias.data.copy_(torch.randn(channels, generator=generator))
    return layer.eval()


class Chain(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1, **options), norm()
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, images):
        return self.last(self.norm(self.first(images)).relu())


class Skip(Chain):
    """What the convolution gives is needed beside the norm, too."""

    def forward(self, images):
        features = self.first(images)
        return self.last(self.norm(features) + features)


class Twice(Chain):
    """One convolution, used at two places."""

    def forward(self, images):
        return self.last(self.norm(self.first(images)) + self.first(images.flip(-1)))


class Shared(Chain):
    """One norm at two places."""

    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(4, 4, 1)

    def forward(self, images):
        return self.last(self.norm(self.second(self.norm(self.first(images)))))


class InPlace(Chain):
    def forward(self, images):
        return self.last(self.norm(self.first(images).relu_()))


class Before(Chain):
    """The norm comes first."""

    def __init__(self):
        super().__init__()
        self.norm = norm(2)

    def forward(self, images):
        return self.last(self.first(self.norm(images)))


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def assert_same(one, other):
    images = make_trial_images(2, (17, 23))
    with torch.no_grad():
        torch.testing.assert_close(one(images), other(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"stride": 2}, {"groups": 2}, {"dilation": 2}])
def test_a_norm_behind_a_convolution_is_folded(options):
    network = Chain(**options).eval()
    assert norms(fuse_conv_bn(network, 2)) == 0
    assert_same(fuse_conv_bn(network, 2), network)


@pytest.mark.parametrize("kind", [Skip, Twice, Shared, InPlace, Before])
def test_what_cannot_be_folded_stays_the_same_network(kind):
    network = kind().eval()
    assert norms(fuse_conv_bn(network, 2)) == 1
    assert_same(fuse_conv_bn(network, 2), network)


def test_a_norm_without_weights_is_folded():
    network = Chain().eval()
    network.norm = norm(affine=False)
    assert norms(fuse_conv_bn(network, 2)) == 0
    assert_same(fuse_conv_bn(network, 2), network)


def test_a_norm_without_statistics_stays():
    network = Chain().eval()
    network.norm = nn.BatchNorm2d(4, track_running_stats=False).eval()
    assert_same(fuse_conv_bn(network, 2), network)


def test_norms_that_processes_share_are_folded():
    network = convert_to_sync_batchnorm(Chain().eval(), torch.device("cpu"))
    assert norms(fuse_conv_bn(network, 2)) == 0
    assert_same(fuse_conv_bn(network, 2), network)


def test_the_network_itself_does_not_change():
    network = Chain().eval()
    before = copy.deepcopy(network.state_dict())
    fuse_conv_bn(network, 2)
    assert norms(network) == 1
    assert not any(module._forward_hooks for module in network.modules())
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])


def test_a_network_without_norms_is_not_copied():
    network = nn.Conv2d(2, 3, 1)
    assert fuse_conv_bn(network, 2) is network


def test_a_network_that_does_not_run_is_left_to_say_so_itself():
    network = nn.Sequential(nn.Conv2d(7, 4, 1), norm())
    assert fuse_conv_bn(network, 2) is network
