"""The FCN head: one convolution, then the classifier. In training it is the auxiliary head on the middle features.

Long et al. 2015 (arXiv 1411.4038); as an auxiliary loss Zhao et al. 2017 (PSPNet, arXiv 1612.01105, section 3.3).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from geoseg.errors import ConfigError
from geoseg.models.heads import heads
from geoseg.models.heads.base import Count, Head, Share
from geoseg.models.layers import ConvModule, classifier


@heads.register
class FCN(Head):
    """Logits at the stride of one feature map.

    ``feature`` is the position of that map, counted as in Python (-1 the deepest). ``channels`` are the head's own; a
    quarter of the map's if not given. ``dropout`` is the share of channels silenced in training.
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
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        del strides, align_corners  # for heads with dilations, and for those that resize
        if not -len(in_channels) <= feature < len(in_channels):
            raise ConfigError(
                f"the head fcn cannot take feature {feature}", f"the backbone has {len(in_channels)} maps"
            )
        channels = channels or max(1, in_channels[feature] // 4)
        self.feature = feature
        self.convs = nn.Sequential(ConvModule(in_channels[feature], channels, 3))
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = classifier(channels, classes)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Logits at the size of the chosen feature map."""
        logits: Tensor = self.conv_seg(self.dropout(self.convs(features[self.feature])))
        return logits
