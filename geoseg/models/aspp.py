"""Atrous spatial pyramid pooling: one map seen through several dilations at once, plain or depthwise-separable.

Chen et al. 2017, "Rethinking atrous convolution" (arXiv 1706.05587), section 3.3: a 1 x 1 convolution, three dilated
3 x 3 convolutions and the mean of the whole map, side by side, then mixed.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.layers import ConvModule, SeparableConvModule, resize


class ImagePool(nn.Sequential):
    """The mean of each channel over the whole map, through a 1 x 1 convolution: what the image is about.

    In training its norm sees one value per image and channel, hence needs two images at least.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), ConvModule(in_channels, channels, 1))


def pyramid(in_channels: int, channels: int, *, dilations: Sequence[int], separable: bool) -> nn.ModuleList:
    """The branches: a 1 x 1 convolution, then one 3 x 3 convolution per dilation."""
    branches: list[nn.Module] = [ConvModule(in_channels, channels, 1)]
    for dilation in dilations:
        if separable:
            branches.append(SeparableConvModule(in_channels, channels, dilation=dilation))
        else:
            branches.append(ConvModule(in_channels, channels, 3, dilation=dilation))
    return nn.ModuleList(branches)


def pooled_pyramid(
    features: Float[Tensor, "batch _ row col"], image_pool: nn.Module, branches: nn.ModuleList, *, align_corners: bool
) -> Float[Tensor, "batch _ row col"]:
    """Image pool and branches stacked along the channels, in this order."""
    # Interpolated rather than expanded: that is what the zoo's numbers come from, and it differs in the last bit.
    overview = resize(image_pool(features), features, align_corners=align_corners)
    return torch.cat([overview, *(branch(features) for branch in branches)], dim=1)


def default_dilations(output_stride: int) -> tuple[int, ...]:
    """12, 24, 36 at output stride 8 and 6, 12, 18 at 16: always 96, 192 and 288 pixels of the image."""
    return tuple(max(1, pixels // output_stride) for pixels in (96, 192, 288))
