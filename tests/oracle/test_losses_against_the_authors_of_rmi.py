"""RMI has the values and the gradients of its authors' code, in every way to pool and to weigh."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.rmi import Rmi

WAYS = [("max", 0), ("mean", 1), ("interpolate", 2)]
every_pooling = pytest.mark.parametrize(("pool", "way"), WAYS)


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict:
    return json.loads((golden / "rmi_cases.json").read_text())


@pytest.fixture
def inputs(golden: Path) -> tuple[Tensor, Tensor]:
    with np.load(golden / "rmi_inputs.npz") as arrays:
        return torch.from_numpy(arrays["logit"]), torch.from_numpy(arrays["label"])


@every_pooling
def test_mutual_information_agrees(inputs, expected, pool, way) -> None:
    loss = Rmi(classes=6, pool=pool, cross_entropy_weight=0.0)(*inputs)
    assert loss.item() == pytest.approx(expected[f"rmi_only_poolway{way}"], rel=1e-6)


def test_mutual_information_without_pooling_agrees(inputs, expected) -> None:
    loss = Rmi(classes=6, pool_size=1, cross_entropy_weight=0.0)(*inputs)
    assert loss.item() == pytest.approx(expected["rmi_only_no_pooling"], rel=1e-6)


@every_pooling
@pytest.mark.parametrize(("lambda_way", "cross_entropy_weight"), [(1, 1.0), (0, 2.0)])
def test_both_of_the_authors_mixtures_agree(inputs, expected, pool, way, lambda_way, cross_entropy_weight) -> None:
    """Lambda is 0.5: way 1 is 0.5 BCE + 0.5 RMI, way 0 is BCE + 0.5 RMI."""
    logits, target = inputs
    logits.requires_grad_()
    loss = 0.5 * Rmi(classes=6, pool=pool, cross_entropy_weight=cross_entropy_weight)(logits, target)
    loss.backward()
    theirs = expected[f"sigmoid_bce_plus_rmi_poolway{way}_lambdaway{lambda_way}"]
    assert loss.item() == pytest.approx(theirs["loss"], rel=1e-6)
    assert logits.grad.norm().item() == pytest.approx(theirs["grad_norm"], rel=1e-6)


@every_pooling
def test_the_mixture_of_paddleseg_agrees(inputs, expected, pool, way) -> None:
    loss = 0.5 * CrossEntropy(classes=6)(*inputs) + 0.5 * Rmi(classes=6, pool=pool, cross_entropy_weight=0.0)(*inputs)
    assert loss.item() == pytest.approx(expected[f"softmax_ce_half_plus_rmi_half_poolway{way}"], rel=1e-6)
