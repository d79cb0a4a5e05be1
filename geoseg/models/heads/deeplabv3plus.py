"""The DeepLabV3+ head: atrous spatial pyramid pooling combined with low-level features.

Chen et al. 2018, "Encoder-decoder with atrous separable convolution" (arXiv 1802.02611), section 3. Layer structure and
parameter names follow mmsegmentation.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.aspp import ImagePooling, build_branches, concatenate_branches, default_dilations
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Dilations, Head, Probability
from geoseg.models.layers import ConvModule, SeparableConvModule, build_classifier, resize


@heads.register
class DeepLabV3Plus(Head):
    """Predict logits at the stride of the finest features, usually 4.

    Args:
        in_channels: Channels of each feature map.
        strides: Stride of each feature map.
        classes: Number of classes.
        align_corners: How features are resized.
        channels: Channels of the head; by default, a quarter of the channels of the deepest features (128 for
            ResNet-18, 512 for ResNet-50 and ResNet-101).
        low_level_channels: Number of channels to which the finest features are reduced; by default, 3/16 of their
            channels (12 for ResNet-18, 48 for ResNet-50 and ResNet-101).
        dilations: Dilations of the 3 x 3 branches; the default depends on the output stride.
        dropout: Probability of dropping a channel during training.
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
        dilations: Dilations | None = None,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__()
        low, deep = in_channels[0], in_channels[-1]
        channels = channels or max(1, deep // 4)
        low_level_channels = low_level_channels or max(1, low * 3 // 16)
        dilations = dilations or default_dilations(strides[-1])
        self.align_corners = align_corners
        self.image_pool = ImagePooling(deep, channels)
        self.aspp_modules = build_branches(deep, channels, dilations=dilations, separable=True)
        self.bottleneck = ConvModule((len(dilations) + 2) * channels, channels, 3)
        self.c1_bottleneck = ConvModule(low, low_level_channels, 1)
        self.sep_bottleneck = nn.Sequential(
            SeparableConvModule(channels + low_level_channels, channels), SeparableConvModule(channels, channels)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = build_classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Return logits at the size of the finest features."""
        low, deep = features[0], features[-1]
        context = concatenate_branches(deep, self.image_pool, self.aspp_modules, align_corners=self.align_corners)
        context = resize(self.bottleneck(context), low, align_corners=self.align_corners)
        decoded = self.sep_bottleneck(torch.cat([context, self.c1_bottleneck(low)], dim=1))
        logits: Tensor = self.conv_seg(self.dropout(decoded))
        return logits
