"""The FCN head: a convolution and a classifier. It is also used as the auxiliary head in training.

Long et al. 2015 (arXiv 1411.4038); as an auxiliary loss, Zhao et al. 2017 (PSPNet, arXiv 1612.01105, section 3.3).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from geoseg.errors import ConfigError
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Head, Probability
from geoseg.models.layers import ConvModule, build_classifier


@heads.register
class FCN(Head):
    """Predict logits at the stride of one feature map.

    Args:
        in_channels: Channels of each feature map.
        strides: Stride of each feature map (unused).
        classes: Number of classes.
        align_corners: Unused, because this head does not resize.
        feature: Index of the feature map, as in Python sequences (-1 is the deepest).
        channels: Channels of the head; by default, a quarter of the channels of the feature map.
        dropout: Probability of dropping a channel during training.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        strides: Sequence[int],
        classes: int,
        align_corners: bool,
        feature: int = -1,
        channels: Count | None = None,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__()
        del strides, align_corners  # part of the head interface
        if not -len(in_channels) <= feature < len(in_channels):
            raise ConfigError(
                f"the head fcn cannot use feature {feature}", f"the backbone has {len(in_channels)} feature maps"
            )
        channels = channels or max(1, in_channels[feature] // 4)
        self.feature = feature
        self.convs = nn.Sequential(ConvModule(in_channels[feature], channels, 3))
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = build_classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Return logits at the size of the chosen feature map."""
        logits: Tensor = self.conv_seg(self.dropout(self.convs(features[self.feature])))
        return logits
