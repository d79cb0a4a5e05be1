"""What every backbone promises: OpenMMLab's ResNets, own files, and one timm model of each kind that differs."""

from math import ceil

import pytest
import torch
from helpers.networks import experienced, norms, relative

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Backbone
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.build import build_backbone, build_network
from geoseg.models.engines.bf16_split_input import convert_to_split_input, split_bf16
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn
from geoseg.models.find_backbone import FAMILIES

OWN = sorted(set(backbones.names()) - FAMILIES)
TIMM = [
    "resnet10t",  # average pooling in its shortcuts
    "mobilenetv3_small_050",  # inverted residuals, a stride of 2 first
    "mobilenetv4_conv_small",
    "efficientnet_b0",
    "regnety_002",
    "convnext_atto",  # a stem of patches: loses borders unless padded
    "densenet121",  # cannot be dilated
    "hrnet_w18_small",  # several resolutions side by side
    "edgenext_xx_small",  # attention inside
    "pvt_v2_b0",  # nothing but attention
    "mobilevitv2_050",  # looks at 2 x 2 features at once
    "swin_tiny_patch4_window7_224",  # windows that shift, channels last
    "maxvit_pico_rw_256",  # windows that must come out even
    "mambaout_femto",  # channels last
]
NEEDED = {"torchgeo": {"weights": "ResNet18_Weights.SENTINEL2_ALL_MOCO"}}
"""Options that a backbone cannot do without. Nothing is loaded: these tests want the network alone."""
NAMES = ["resnet18", "resnet18b", "resnet50", *OWN, *TIMM]

every_backbone = pytest.mark.parametrize("name", NAMES)


def backbone(name: str, *, bands: int = 3, output_stride: int = 8) -> Backbone:
    part = Component(name=name, options=NEEDED.get(name, {}))
    return build_backbone(ModelSection(backbone=part, output_stride=output_stride, pretrained=False), bands=bands)


@every_backbone
def test_features_have_the_promised_channels_and_strides(name) -> None:
    net = backbone(name).eval()
    for size in [(33, 47), (1, 1), (2, 130)]:
        with torch.no_grad():
            features = net(torch.randn(2, 3, *size))
        promised = [
            (2, channels, ceil(size[0] / stride), ceil(size[1] / stride))
            for channels, stride in zip(net.channels, net.strides, strict=True)
        ]
        assert [tuple(each.shape) for each in features] == promised, size


@every_backbone
def test_strides_begin_at_4_and_never_fall(name) -> None:
    net = backbone(name, output_stride=16)
    assert net.strides[0] == 4
    assert list(net.strides) == sorted(net.strides)


@every_backbone
@pytest.mark.parametrize("bands", [1, 8])
def test_any_number_of_bands_is_taken_and_each_matters(name, bands) -> None:
    net = backbone(name, bands=bands).eval()
    images = torch.randn(1, bands, 32, 32, requires_grad=True)
    sum(feature.square().mean() for feature in net(images)).backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert images.grad.abs().sum(dim=(0, 2, 3)).min() > 0


@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith("resnet101")])
@pytest.mark.parametrize(("output_stride", "strides"), [(8, (4, 8, 8, 8)), (16, (4, 8, 16, 16))])
def test_openmmlab_resnets_keep_their_output_stride(name, output_stride, strides) -> None:
    with torch.device("meta"):
        assert backbone(name, output_stride=output_stride).strides == strides


@every_backbone
def test_networks_that_are_folded_and_see_images_in_halves_say_the_same(name) -> None:
    part = Component(name=name, options=NEEDED.get(name, {}))
    model = ModelSection(backbone=part, head=Component(name="fcn"), pretrained=False, auxiliary_weight=0)
    net = experienced(build_network(model, bands=3, classes=4))
    own, images = fuse_conv_bn(net, 3), torch.randn(1, 3, 65, 97)
    # DenseNet keeps those norms that stand before their convolutions; MaxViT needs what is before a norm elsewhere, too.
    assert (own is net) == (name == "maxvit_pico_rw_256")
    assert own is net or norms(own) < norms(net)
    split = convert_to_split_input(own, 3)
    assert split is not None
    with torch.no_grad():
        logits = net(images)
        assert relative(own(images), logits) < 1e-4
        assert relative(split(split_bf16(images)), logits) < 1e-4
