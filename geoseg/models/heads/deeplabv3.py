"""The DeepLabV3 head: atrous spatial pyramid pooling on the deepest features.

Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation" (arXiv 1706.05587); layers and names
as in the OpenMMLab zoo, whose mixing convolution is 3 x 3 where the paper's is 1 x 1.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.aspp import ImagePool, default_dilations, pooled_pyramid, pyramid
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Head, Share
from geoseg.models.layers import ConvModule, classifier


@heads.register
class DeepLabV3(Head):
    """Logits at the stride of the deepest features.

    ``channels`` are the head's own; a quarter of the deepest features' if not given (128 for ResNet-18, 512 for 50 and
    101). ``dilations`` are those of the 3 x 3 branches, chosen by output stride if not given. ``dropout`` is the share
    of channels silenced in training.
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
        dilations: tuple[Count, ...] | None = None,
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        deep = in_channels[-1]
        channels = channels or max(1, deep // 4)
        dilations = dilations or default_dilations(strides[-1])
        self.align_corners = align_corners
        self.image_pool = ImagePool(deep, channels)
        self.aspp_modules = pyramid(deep, channels, dilations=dilations, separable=False)
        self.bottleneck = ConvModule((len(dilations) + 2) * channels, channels, 3)
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Logits at the size of the deepest features."""
        deep = features[-1]
        context = pooled_pyramid(deep, self.image_pool, self.aspp_modules, align_corners=self.align_corners)
        logits: Tensor = self.conv_seg(self.dropout(self.bottleneck(context)))
        return logits
