"""The segmentation network: a backbone and a head that map normalized images to logits of the same height and width."""

from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from geoseg.models.backbones.base import Backbone
from geoseg.models.heads.base import Head
from geoseg.models.layers import resize


class SegmentationNetwork(nn.Module):
    """A backbone, a head and, for training, an auxiliary head.

    Images are (batch, band, row, col), normalized with the mean and std in the model card; their size can be as small as
    one pixel. Logits are (batch, class, row, col) with the height and width of the images; the argmax along the class
    axis is the class index.

    Args:
        backbone: Maps images to features at several strides.
        head: Maps features to logits.
        auxiliary: A second head for deep supervision in training, or None.
        align_corners: How logits are resized; see ``torch.nn.functional.interpolate``.
    """

    def __init__(
        self, backbone: Backbone, head: Head, auxiliary: Head | None = None, *, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.align_corners = align_corners

    def forward(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """Return the logits of the main head. The auxiliary head is not evaluated."""
        logits: Tensor = self.head(self.backbone(images))
        return resize(logits, images, align_corners=self.align_corners)

    def logits_with_auxiliary(
        self, images: Float[Tensor, "batch band row col"]
    ) -> tuple[Float[Tensor, "batch class row col"], Float[Tensor, "batch class row col"] | None]:
        """Return the logits of the main and auxiliary heads (None without one), both at the size of the images."""
        features = self.backbone(images)
        logits = resize(self.head(features), images, align_corners=self.align_corners)
        if self.auxiliary is None:
            return logits, None
        return logits, resize(self.auxiliary(features), images, align_corners=self.align_corners)

    @property
    def smallest_batch(self) -> int:
        """Minimum number of images per device in a training step: 2 if a batch norm has only one value per image."""
        return self.head.smallest_batch


def normalize(
    images: Num[Tensor, "batch band row col"],
    valid: Bool[Tensor, "batch row col"],
    *,
    mean: Float[Tensor, "1 band 1 1"],
    std: Float[Tensor, "1 band 1 1"],
) -> Float[Tensor, "batch band row col"]:
    """Compute (images - mean) / std, and set invalid pixels to 0, which is the mean.

    Args:
        images: Pixel values (batch, band, row, col).
        valid: True for usable pixels, axes (batch, row, col).
        mean: Mean of each band, from the model card.
        std: Standard deviation of each band, from the model card.
    """
    scaled = (images.float() - mean) / std
    return scaled.masked_fill_(~valid[:, None], 0)
