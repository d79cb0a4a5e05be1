"""Every benchmark's recipe learns from a miniature of its archives, and nothing has to be prepared by hand."""

import math
from functools import partial

import pytest
import torch
from helpers.archives import isaid_archives, loveda_archives, potsdam_archives, vaihingen_archives

from geoseg.bundle import read_card

SMALL = [
    "model.backbone=lcnet_050",
    "model.head={name: fcn, feature: 0, channels: 32}",
    "model.auxiliary_weight=0",
    "model.output_stride=16",
    "model.scaling=measured",
    "train.iterations=100",
    "train.validate_every=100",
    "train.batch=4",
    "train.crop=48",
    "train.workers=0",
    "train.optimizer=adamw",
    "train.learning_rate=0.01",
    "train.warmup=10",
    "augment.scale=[1, 1]",
    "augment.contrast=0",
    "augment.brightness=0",
    "augment.saturation=0",
    "augment.hue=0",
    "predict.tile=64",
    "predict.halo=0",
]
"""What makes a recipe a matter of seconds; colours are left alone, because classes are told by nothing else."""


@pytest.fixture(autouse=True)
def one_thread():
    """On maps of a few pixels threads wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both_cities(root):
    potsdam_archives(root, kinds=("irrg", "no_boundary"))
    return vaihingen_archives(root)


LONGER = ["train.iterations=150", "train.validate_every=150"]
WITH_16_CLASSES = [
    "data.complete=false",
    "model.backbone=resnet10t",
    *LONGER,
]  # more than the smallest network learns so soon
BENCHMARKS = {
    "potsdam": (potsdam_archives, []),
    "vaihingen": (vaihingen_archives, []),
    "isaid": (partial(isaid_archives, count=8, size=128), WITH_16_CLASSES),
    "loveda": (loveda_archives, ["data.complete=false"]),
    "loveda-rural-to-urban": (loveda_archives, ["data.complete=false"]),
    "loveda-urban-to-rural": (loveda_archives, ["data.complete=false", "data.protocol=train-target"]),
    "potsdam-to-vaihingen": (both_cities, []),
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_recipe_learns_from_the_archives_as_they_are(geoseg, tmp_path, monkeypatch, name) -> None:
    monkeypatch.chdir(tmp_path)
    make, options = BENCHMARKS[name]
    archives = make(tmp_path / "archives")
    sets = [word for each in (f"data.root={archives}", *SMALL, *options) for word in ("--set", each)]
    result = geoseg("train", f"{name}.yaml", *sets)
    assert result.exit_code == 0, result.stderr
    assert "Preparing scenes in prepared/" in result.stderr
    assert "License: " in result.stderr
    card = read_card("runs/latest/best.safetensors")
    assert card.scores["mean_iou"] > 0.4
    assert card.recipe["name"] == name
    if "-to-" in name:
        assert card.data["domain"] in name or card.data["domain"] == name.removeprefix("loveda-")
        judged = geoseg("evaluate", f"{name}.yaml", *sets, "--split", "test", "--json", "scores.json")
        assert judged.exit_code == 0, judged.stderr
    assert math.isfinite(card.scores["overall_accuracy"])
