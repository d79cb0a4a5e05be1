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
    """The mean of -log softmax(logits)[target] over those labelled pixels of the batch where it is largest.

    Shrivastava et al. 2016, arXiv 1604.03540, by pixels as ``OHEMPixelSampler`` of the OpenMMLab zoo chooses them; our
    own because segmentation-models-pytorch has nothing of the kind.
    ``kept``: how many pixels count at least, times the images of the batch; all of them where there are fewer.
    ``threshold``: every pixel whose class has a lower probability than this counts too. (Given a threshold, the zoo
    keeps the pixels below the probability of the first it would leave out, or else of the easiest. It thereby leaves
    out the easiest pixel of a batch with few of them, and every pixel where all are equally hard; we do not.)
    ``average``: ``kept`` is the mean over the pixels that count. ``all`` divides their sum by all pixels of the batch,
    unlabelled ones included, as the zoo does.
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
        """The mean over the hardest pixels."""
        hardest = self.hardest(logits, target)
        return hardest.sum() / (target.numel() if self.average == "all" else max(len(hardest), 1))

    def hardest(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, " pixel"]:
        """The cross-entropy of the pixels that count, largest first."""
        losses_of_pixels = F.cross_entropy(
            logits.float(), target.long(), ignore_index=self.ignore_index, reduction="none"
        )
        ordered = losses_of_pixels[target != self.ignore_index].sort(descending=True).values
        count = self.kept * len(target)
        if self.threshold is not None:
            count = max(count, int((ordered > -math.log(self.threshold)).sum()))
        return ordered[:count]
