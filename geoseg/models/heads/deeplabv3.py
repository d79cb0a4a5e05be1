"""The DeepLabV3 head: atrous spatial pyramid pooling on the deepest features.

Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation" (arXiv 1706.05587). Layer structure
and parameter names follow mmsegmentation, which uses a 3 x 3 bottleneck convolution instead of the 1 x 1 convolution in
the paper.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.aspp import ImagePooling, build_branches, concatenate_branches, default_dilations
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Dilations, Head, Probability
from geoseg.models.layers import ConvModule, build_classifier


@heads.register
class DeepLabV3(Head):
    """Predict logits at the stride of the deepest features.

    Args:
        in_channels: Channels of each feature map.
        strides: Stride of each feature map.
        classes: Number of classes.
        align_corners: How the pooled features are resized.
        channels: Channels of the head; by default, a quarter of the channels of the deepest features (128 for
            ResNet-18, 512 for ResNet-50 and ResNet-101).
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
        dilations: Dilations | None = None,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__()
        deep = in_channels[-1]
        channels = channels or max(1, deep // 4)
        dilations = dilations or default_dilations(strides[-1])
        self.align_corners = align_corners
        self.image_pool = ImagePooling(deep, channels)
        self.aspp_modules = build_branches(deep, channels, dilations=dilations, separable=False)
        self.bottleneck = ConvModule((len(dilations) + 2) * channels, channels, 3)
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = build_classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Return logits at the size of the deepest features."""
        deep = features[-1]
        context = concatenate_branches(deep, self.image_pool, self.aspp_modules, align_corners=self.align_corners)
        logits: Tensor = self.conv_seg(self.dropout(self.bottleneck(context)))
        return logits
