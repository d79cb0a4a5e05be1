"""Cross-entropy and OHEM have mmsegmentation's values; cross-entropy with both of its ways to average."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.ohem import Ohem


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
