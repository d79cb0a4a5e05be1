"""Online hard example mining: cross-entropy of the hardest pixels only."""

import math
from typing import Annotated, Literal

import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss


@losses.register
class Ohem(Loss):
    """Mean of -log softmax(logits)[target] over the labeled pixels of the batch for which it is largest.

    Shrivastava et al. 2016, arXiv 1604.03540, applied per pixel, as in mmsegmentation's ``OHEMPixelSampler``. With a
    threshold, mmsegmentation keeps only pixels whose probability is strictly below that of the first pixel to drop, or
    of the easiest pixel if there are too few to drop any. It therefore drops the easiest pixel of a batch with few
    pixels, and all pixels if they are equally hard; this class does not.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        kept: Minimum number of pixels to keep per image, on average over the batch; if there are fewer, all are kept.
        threshold: Pixels whose target class has a probability below this value are also kept.
        average: ``kept`` is the mean over the kept pixels. ``all`` divides the sum over the kept pixels by the total
            number of pixels in the batch, including unlabeled ones, as mmsegmentation does.
    """

    def __init__(
        self,
        *,
        classes: int,
        ignore_index: int = IGNORE_INDEX,
        kept: Annotated[int, Field(gt=0)] = 100_000,
        threshold: Annotated[float, Field(gt=0, le=1)] | None = None,
        average: Literal["kept", "all"] = "kept",
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.kept = kept
        self.threshold = threshold
        self.average = average

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the mean over the hardest pixels."""
        hardest = self.hardest(logits, target)
        return hardest.sum() / (target.numel() if self.average == "all" else max(len(hardest), 1))

    def hardest(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, " pixel"]:
        """Return the cross-entropy of the kept pixels, in descending order."""
        losses_of_pixels = F.cross_entropy(
            logits.float(), target.long(), ignore_index=self.ignore_index, reduction="none"
        )
        ordered = losses_of_pixels[target != self.ignore_index].sort(descending=True).values
        count = self.kept * len(target)
        if self.threshold is not None:
            count = max(count, int((ordered > -math.log(self.threshold)).sum()))
        return ordered[:count]
