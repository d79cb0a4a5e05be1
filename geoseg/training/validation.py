"""Validation: a network on the validation scenes, each labelled pixel counted, by scene and by domain."""

import math
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

from geoseg.config.recipe import Recipe
from geoseg.data.crops.crop import Crop
from geoseg.data.crops.loader import Batches, Crops
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.data.preparation.prepared_dataset import Prepared, PreparedScene
from geoseg.errors import ConfigError, did_you_mean
from geoseg.grid.patches import USUAL
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.models.network import SegmentationNetwork
from geoseg.training.module import TrainingStep

PATCHES = {rule: side for rule, (side, _) in USUAL.items() if rule != "plain"}
"""Sides of the published patches, by the rule that cuts them."""
PROTOCOLS = {"scenes": "scenes"} | {
    rule: f"patches of {side} pixels as OpenMMLab's converter cuts them, overlaps twice"
    for rule, side in PATCHES.items()
}
"""How each kind of validation counts, for the model's card."""


@dataclass(frozen=True)
class Validation:
    """Counts of one validation."""

    legend: Legend
    """Classes in the order of the counts."""
    scenes: dict[str, ConfusionMatrix]
    """By name of the scene."""
    domains: dict[str, ConfusionMatrix]
    """By domain, if scenes have some."""

    @property
    def total(self) -> ConfusionMatrix:
        """Of all scenes."""
        return reduce(add, self.scenes.values())

    def scores(self) -> dict[str, float]:
        """Named scores: means, accuracy, then IoU per class and mean IoU per domain."""
        total = self.total
        scores = {
            "mean_iou": total.mean_iou,
            "mean_f1": total.mean_f1,
            "overall_accuracy": total.overall_accuracy,
            **{f"iou {name}": float(iou) for name, iou in zip(self.legend.names, total.iou(), strict=True)},
        }
        return scores | {f"mean_iou {domain}": counts.mean_iou for domain, counts in self.domains.items()}

    def table(self) -> list[str]:
        """Lines of text: IoU in percent of each class, over all scenes and in each domain."""
        columns = {"all": self.total, **self.domains}
        rows = [["IoU", *columns]]
        for index, name in enumerate(self.legend.names):
            rows.append([name, *(_percent(counts.iou()[index]) for counts in columns.values())])
        rows.append(["mean", *(_percent(counts.mean_iou) for counts in columns.values())])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        ]


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def require_monitor(monitor: str, legend: Legend) -> None:
    """:class:`ConfigError` unless validation gives a score of this name."""
    known = ["mean_iou", "mean_f1", "overall_accuracy", *(f"iou {name}" for name in legend.names)]
    if monitor not in known:
        raise ConfigError(
            f"train.monitor is {monitor!r}, which is no score of validation", did_you_mean(monitor, known)
        )


class Validator:
    """Holds what validation needs, for as often as it comes."""

    def __init__(self, fabric: Fabric, recipe: Recipe, prepared: Prepared) -> None:
        self.fabric, self.recipe, self.legend = fabric, recipe, prepared.legend
        self.scenes: Sequence[PreparedScene] = prepared.scenes("val")
        size, rule = recipe.predict.tile, recipe.train.validation
        if rule == "scenes":
            self.sampler = GridSampler(self.scenes, size, halo=recipe.predict.halo)
        else:
            self.sampler = GridSampler(self.scenes, PATCHES[rule], rule=rule)

    @property
    def score_names(self) -> list[str]:
        """The names of all scores, for the head of a table."""
        return list(self._validation([ConfusionMatrix(len(self.legend)) for _ in self.scenes]).scores())

    def run(self, step: TrainingStep, network: SegmentationNetwork) -> Validation:
        """The counts of a network, scaled for as in training; every process has them all afterwards."""
        classes = len(self.legend)
        counts = torch.zeros(len(self.scenes), classes, classes, dtype=torch.int64)
        mine = range(self.fabric.global_rank, len(self.sampler), self.fabric.world_size)
        crops = Crops(self.scenes, self.sampler, mine)
        numbers = iter(mine)
        with evaluating(network):
            for crop in Batches(crops, batch=self.recipe.predict.batch, workers=0):
                for one, target in zip(predicted(self.fabric, step, network, crop), crop.target, strict=True):
                    confusion = ConfusionMatrix(classes)
                    confusion.update(one, target)
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
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode and without gradients while the block runs, and then as it was."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)


def predicted(
    fabric: Fabric, step: TrainingStep, network: SegmentationNetwork, crop: Crop
) -> Integer[Tensor, "batch row col"]:
    """Class indices of a batch of crops, on the CPU."""
    here = fabric.to_device(crop)
    with fabric.autocast():
        logits = network(step.normalised(here.image, here.valid))
    indices: Tensor = logits.argmax(dim=1).cpu()
    return indices
