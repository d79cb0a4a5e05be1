"""Evaluate a network on the validation scenes, with results per scene and per domain."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from jaxtyping import Integer
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from geoseg._text import align_columns, percent
from geoseg.config.recipe import Recipe
from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.read_crop import Crop
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.data.preparation.prepared_dataset import PreparedDataset, PreparedScene
from geoseg.grid.patch_positions import DEFAULT_SIZES
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.remarks import describe_constant_prediction
from geoseg.models.network import SegmentationNetwork
from geoseg.training.module import TrainingModule

PATCH_SIDES = {rule: side for rule, (side, _) in DEFAULT_SIZES.items() if rule != "plain"}
"""Side length of the published patches in pixels, by patch rule."""
PROTOCOL_DESCRIPTIONS = {"scenes": "scenes"} | {
    rule: f"patches of {side} pixels as OpenMMLab's converter cuts them, overlaps twice"
    for rule, side in PATCH_SIDES.items()
}
"""Description of each validation protocol, stored in the model card."""


@dataclass(frozen=True)
class Validation:
    """The confusion matrices from a validation."""

    legend: Legend
    """Classes in order of class index."""
    scenes: dict[str, ConfusionMatrix]
    """Confusion matrix by scene name."""
    domains: dict[str, ConfusionMatrix]
    """Confusion matrix by domain; empty with fewer than two domains."""

    @property
    def total(self) -> ConfusionMatrix:
        """Confusion matrix of all scenes."""
        return reduce(add, self.scenes.values())

    def scores(self) -> dict[str, float]:
        """Return the scores by name: means, overall accuracy, IoU per class, and mean IoU per domain."""
        total = self.total
        scores = {
            "mean_iou": total.mean_iou,
            "mean_f1": total.mean_f1,
            "overall_accuracy": total.overall_accuracy,
            **{f"iou {name}": float(iou) for name, iou in zip(self.legend.names, total.iou(), strict=True)},
        }
        return scores | {f"mean_iou {domain}": counts.mean_iou for domain, counts in self.domains.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """A note for the user if the reference has several classes but a single class is predicted everywhere."""
        return tuple(describe_constant_prediction(self.total, self.legend.names))

    def table(self) -> list[str]:
        """Return lines of a text table with the IoU of each class in percent, over all scenes and per domain."""
        columns = {"all": self.total, **self.domains}
        rows = [["IoU in percent", *columns]]
        for index, name in enumerate(self.legend.names):
            rows.append([name, *(percent(counts.iou()[index]) for counts in columns.values())])
        rows.append(["mean", *(percent(counts.mean_iou) for counts in columns.values())])
        return align_columns(rows, [False, *[True] * len(columns)])


class Validator:
    """Runs the validations during a training run."""

    def __init__(self, fabric: Fabric, recipe: Recipe, prepared: PreparedDataset) -> None:
        self.fabric, self.recipe, self.legend = fabric, recipe, prepared.legend
        self.scenes: Sequence[PreparedScene] = prepared.scenes("val")
        size, rule = recipe.predict.tile, recipe.train.validation
        if rule == "scenes":
            self.sampler = GridSampler(self.scenes, size, halo=recipe.predict.halo)
        else:
            self.sampler = GridSampler(self.scenes, PATCH_SIDES[rule], rule=rule)

    @property
    def score_names(self) -> list[str]:
        """Names of all scores."""
        return list(self._validation([ConfusionMatrix(len(self.legend)) for _ in self.scenes]).scores())

    def run(self, step: TrainingModule, network: SegmentationNetwork) -> Validation:
        """Validate a network.

        Args:
            step: The training module, whose input normalization is used.
            network: The network, possibly the averaged one.

        Returns:
            The confusion matrices, identical in all processes.
        """
        classes = len(self.legend)
        counts = torch.zeros(len(self.scenes), classes, classes, dtype=torch.int64)
        indices = range(self.fabric.global_rank, len(self.sampler), self.fabric.world_size)
        crops = CropDataset(self.scenes, self.sampler, indices)
        numbers = iter(indices)
        with evaluation_mode(network):
            for crop in CropLoader(crops, batch=self.recipe.predict.batch, workers=0):
                for prediction, target in zip(
                    predict_classes(self.fabric, step, network, crop), crop.target, strict=True
                ):
                    confusion = ConfusionMatrix(classes)
                    confusion.update(prediction, target)
                    counts[self.sampler.plan(next(numbers)).scene] += torch.from_numpy(confusion.counts)
        summed: Any = self.fabric.all_reduce(counts.to(self.fabric.device), reduce_op="sum")
        return self._validation([_matrix(each.numpy()) for each in summed.cpu()])

    def _validation(self, counts: Sequence[ConfusionMatrix]) -> Validation:
        by_domain: dict[str, list[ConfusionMatrix]] = defaultdict(list)
        for scene, each in zip(self.scenes, counts, strict=True):
            if "domain" in scene.groups:
                by_domain[scene.groups["domain"]].append(each)
        domains = (
            {domain: reduce(add, each) for domain, each in sorted(by_domain.items())} if len(by_domain) > 1 else {}
        )
        return Validation(self.legend, {s.name: c for s, c in zip(self.scenes, counts, strict=True)}, domains)


def _matrix(counts: NDArray[np.int64]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(counts))
    matrix.counts = counts
    return matrix


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Set a network to evaluation mode without gradients inside the ``with`` block, then restore its mode."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)


def predict_classes(
    fabric: Fabric, step: TrainingModule, network: SegmentationNetwork, crop: Crop
) -> Integer[Tensor, "batch row col"]:
    """Predict the class indices of a batch of crops.

    Args:
        fabric: The Fabric instance that runs the training.
        step: The training module, whose input normalization is used.
        network: The network, in evaluation mode.
        crop: Batch of crops.

    Returns:
        Class indices on the CPU.
    """
    crop = fabric.to_device(crop)
    with fabric.autocast():
        logits = network(step.normalize(crop.image, crop.valid))
    indices: Tensor = logits.argmax(dim=1).cpu()
    return indices
