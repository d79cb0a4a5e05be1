"""The DeepLabV3+ head: DeepLabV3's context, sharpened by low-level features.

Chen et al. 2018, "Encoder-decoder with atrous separable convolution" (arXiv 1802.02611), section 3; layers and names as
in the OpenMMLab zoo.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.aspp import ImagePool, default_dilations, pooled_pyramid, pyramid
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Head, Share
from geoseg.models.layers import ConvModule, SeparableConvModule, classifier, resize


@heads.register
class DeepLabV3Plus(Head):
    """Logits at the stride of the finest features, usually 4.

    ``channels`` are the head's own; a quarter of the deepest features' if not given (128 for ResNet-18, 512 for 50 and
    101). ``low_level_channels`` is what the finest features are squeezed to, so that they do not outweigh the context;
    3/16 of theirs if not given (12 and 48). ``dilations`` are those of the 3 x 3 branches, chosen by output stride if
    not given. ``dropout`` is the share of channels silenced in training.
    """

    smallest_batch = 2

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        strides: Sequence[int],
        classes: int,
        align_corners: bool,
        channels: Count | None = None,
        low_level_channels: Count | None = None,
        dilations: tuple[Count, ...] | None = None,
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        low, deep = in_channels[0], in_channels[-1]
        channels = channels or max(1, deep // 4)
        low_level_channels = low_level_channels or max(1, low * 3 // 16)
        dilations = dilations or default_dilations(strides[-1])
        self.align_corners = align_corners
        self.image_pool = ImagePool(deep, channels)
        self.aspp_modules = pyramid(deep, channels, dilations=dilations, separable=True)
        self.bottleneck = ConvModule((len(dilations) + 2) * channels, channels, 3)
        self.c1_bottleneck = ConvModule(low, low_level_channels, 1)
        self.sep_bottleneck = nn.Sequential(
            SeparableConvModule(channels + low_level_channels, channels), SeparableConvModule(channels, channels)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Logits at the size of the finest features."""
        low, deep = features[0], features[-1]
        context = pooled_pyramid(deep, self.image_pool, self.aspp_modules, align_corners=self.align_corners)
        context = resize(self.bottleneck(context), low, align_corners=self.align_corners)
        decoded = self.sep_bottleneck(torch.cat([context, self.c1_bottleneck(low)], dim=1))
        logits: Tensor = self.conv_seg(self.dropout(decoded))
        return logits
