"""The learning rate of every step is the one mmengine's PolyLR sets, as a run of 80 000 steps recorded it."""

import json

import pytest

from geoseg.config.recipe import TrainSection
from geoseg.training.optimizer_steps import compute_learning_rate

DEFAULTS = TrainSection(iterations=80_000)
"""OpenMMLab's schedule is the default: 0.01 to 0.0001 with the power 0.9, without warm-up."""


def test_learning_rates_are_those_mmengine_set(golden) -> None:
    """It multiplies rates step by step, which leaves 1e-10 of rounding."""
    expected = json.loads((golden / "loss_cases.json").read_text())
    rates = {step: compute_learning_rate(DEFAULTS, int(step)) for step in expected["poly_lr_80k"]}
    assert rates == pytest.approx(expected["poly_lr_80k"], rel=1e-9)
    assert len(rates) == 12
    assert compute_learning_rate(DEFAULTS, 80_000) == expected["poly_lr_after_80000_steps"]
