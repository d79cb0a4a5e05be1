"""Cross-entropy and OHEM have mmsegmentation's values, cross-entropy with both of its ways to average.

So has what training minimises: the head's loss and 0.4 times the auxiliary head's.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geoseg.config.recipe import Recipe
from geoseg.data.crops.read_crop import Crop
from geoseg.losses.build import build_loss
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.ohem import Ohem
from geoseg.models.backbones.base import Scaling
from geoseg.models.network import SegmentationNetwork
from geoseg.training.module import TrainingModule


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict:
    return json.loads((golden / "loss_cases.json").read_text())


@pytest.fixture(scope="module")
def inputs(golden: Path) -> tuple[Tensor, Tensor]:
    with np.load(golden / "loss_inputs.npz") as arrays:
        return torch.from_numpy(arrays["logit"]), torch.from_numpy(arrays["label"])


@pytest.mark.parametrize(("average", "key"), [("all", "False"), ("valid", "True")])
def test_averages_agree(inputs, expected, average, key) -> None:
    loss = CrossEntropy(classes=6, average=average)(*inputs)
    assert loss.item() == pytest.approx(expected[f"ce_weight1.0_avg_non_ignore{key}"], rel=1e-6)


@pytest.mark.parametrize("average", ["all", "valid"])
def test_class_weights_agree(inputs, expected, average) -> None:
    logits, target = inputs
    labelled = torch.where(target == 255, 0, target)
    loss = CrossEntropy(classes=6, class_weights=expected["class_weight"], average=average)(logits, labelled)
    assert loss.item() == pytest.approx(expected["ce_class_weight_no_ignore_pixels"], rel=1e-6)


@pytest.mark.parametrize("average", ["all", "valid"])
def test_an_unlabelled_batch_has_no_loss(inputs, expected, average) -> None:
    logits, target = inputs
    loss = CrossEntropy(classes=6, average=average)(logits, torch.full_like(target, 255))
    assert loss.item() == expected["all_ignored"] == 0


@pytest.mark.parametrize(
    ("key", "options"),
    [("ohem_minkept100", {"kept": 100}), ("ohem_thresh0.3_minkept50", {"kept": 50, "threshold": 0.3})],
)
def test_hard_pixels_agree(inputs, expected, key, options) -> None:
    loss = Ohem(classes=6, average="all", **options)
    assert len(loss.hardest(*inputs)) == expected[key]["kept"]
    assert loss(*inputs).item() == pytest.approx(expected[key]["loss"], rel=1e-6)


@pytest.mark.parametrize(("average", "key"), [("all", "False"), ("valid", "True")])
def test_the_training_loss_is_the_heads_and_0_4_times_the_auxiliary_heads(inputs, expected, average, key) -> None:
    logits, target = inputs
    module = training(average, logits)
    crop = Crop(torch.zeros(len(target), 3, *target.shape[1:]), target.to(torch.uint8), torch.ones_like(target).bool())
    parts = [expected[f"ce_weight{weight}_avg_non_ignore{key}"] for weight in (1.0, 0.4)]
    assert module(*crop).item() == pytest.approx(sum(parts), rel=1e-6)


def training(average: str, logits: Tensor) -> TrainingModule:
    """A training whose heads both say ``logits``, of any image; the auxiliary weight is the recipe's default."""

    class Known(SegmentationNetwork):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def logits_with_auxiliary(self, _: Tensor) -> tuple[Tensor, Tensor]:
            return logits, logits

    recipe = Recipe.model_validate({"data": {}, "loss": {"name": "cross_entropy", "average": average}})
    criterion = build_loss(recipe.loss, classes=logits.shape[1])
    scaling = Scaling((0.0,) * 3, (1.0,) * 3)
    return TrainingModule(Known(), criterion, scaling, auxiliary_weight=recipe.model.auxiliary_weight)
