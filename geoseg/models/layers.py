"""Building blocks of heads: convolution with batch norm and ReLU, separable convolution, classifier, and resizing.

Submodules have OpenMMLab's names (``conv``, ``bn``, ``depthwise_conv``, ``pointwise_conv``), so published checkpoints
can be loaded after their prefixes are changed.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ConvModule(nn.Module):
    """Convolution without bias, batch normalization and ReLU. Odd kernel sizes preserve the height and width."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(out_channels)
        # He et al. 2015 (arXiv 1502.01852), equation 14. torch's fan_out ignores groups, and so does mmcv's.
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Float[Tensor, "batch _ row col"]) -> Float[Tensor, "batch _ row col"]:
        """Return non-negative features with the same height and width."""
        normalized: Tensor = self.bn(self.conv(features))
        return F.relu(normalized, inplace=True)


class SeparableConvModule(nn.Module):
    """A depthwise 3 x 3 :class:`ConvModule` followed by a pointwise one (Chollet 2017, Xception), with ReLU after both."""

    def __init__(self, in_channels: int, out_channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvModule(in_channels, in_channels, 3, dilation=dilation, groups=in_channels)
        self.pointwise_conv = ConvModule(in_channels, out_channels, 1)

    def forward(self, features: Float[Tensor, "batch _ row col"]) -> Float[Tensor, "batch _ row col"]:
        """Return non-negative features with the same height and width."""
        separated: Tensor = self.pointwise_conv(self.depthwise_conv(features))
        return separated


def build_classifier(channels: int, classes: int) -> nn.Conv2d:
    """Build a 1 x 1 convolution from features to logits, initialized near zero so that all classes are equally likely."""
    conv = nn.Conv2d(channels, classes, 1)
    for name, parameter in conv.named_parameters():
        nn.init.normal_(parameter, std=0.01 if name == "weight" else 0)
    return conv


def resize(
    features: Float[Tensor, "batch channel _ _"], like: Float[Tensor, "batch _ row col"], *, align_corners: bool
) -> Float[Tensor, "batch channel row col"]:
    """Resize features bilinearly to the height and width of ``like``."""
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=align_corners)
