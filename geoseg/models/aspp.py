"""Atrous spatial pyramid pooling (ASPP): parallel convolutions with different dilations, plain or depthwise separable.

Chen et al. 2017, "Rethinking atrous convolution" (arXiv 1706.05587), section 3.3: a 1 x 1 convolution, three dilated
3 x 3 convolutions and global average pooling in parallel; their outputs are concatenated and passed through another
convolution.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.layers import ConvModule, SeparableConvModule, resize


class ImagePooling(nn.Sequential):
    """Global average pooling and a 1 x 1 convolution.

    During training, its normalization layer receives only one value per image and channel, so a batch must contain at
    least two images.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), ConvModule(in_channels, channels, 1))


def build_branches(in_channels: int, channels: int, *, dilations: Sequence[int], separable: bool) -> nn.ModuleList:
    """Build the branches: a 1 x 1 convolution, then one 3 x 3 convolution per dilation.

    Args:
        in_channels: Channels of the features.
        channels: Channels of each branch.
        dilations: Dilations of the 3 x 3 convolutions.
        separable: Whether the dilated convolutions are depthwise separable, as in DeepLabV3+.
    """
    branches: list[nn.Module] = [ConvModule(in_channels, channels, 1)]
    for dilation in dilations:
        if separable:
            branches.append(SeparableConvModule(in_channels, channels, dilation=dilation))
        else:
            branches.append(ConvModule(in_channels, channels, 3, dilation=dilation))
    return nn.ModuleList(branches)


def concatenate_branches(
    features: Float[Tensor, "batch _ row col"], image_pool: nn.Module, branches: nn.ModuleList, *, align_corners: bool
) -> Float[Tensor, "batch _ row col"]:
    """Concatenate the outputs of image pooling and of the branches along the channel axis, in this order.

    Args:
        features: The deepest features.
        image_pool: Global average pooling and a convolution.
        branches: The branches of :func:`build_branches`.
        align_corners: How the pooled features are resized.
    """
    # Interpolated rather than expanded, as in mmsegmentation: the results differ in the least significant bits.
    pooled = resize(image_pool(features), features, align_corners=align_corners)
    return torch.cat([pooled, *(branch(features) for branch in branches)], dim=1)


def default_dilations(output_stride: int) -> tuple[int, ...]:
    """Return dilations of 96, 192 and 288 image pixels: 12, 24, 36 for output stride 8, and 6, 12, 18 for 16."""
    return tuple(max(1, pixels // output_stride) for pixels in (96, 192, 288))
