"""OpenMMLab's networks with regenerated weights give mmsegmentation's logits (see shared/golden/README.md)."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network
from geoseg.models.network import SegmentationNetwork
from geoseg.models.weights.openmmlab_names import to_geoseg_names

MODELS = {"r18_v3": ("resnet18", "deeplabv3", 19), "r50_v3plus": ("resnet50", "deeplabv3plus", 6)}


@pytest.fixture(scope="module", params=MODELS)
def model(request, golden: Path, tmp_path_factory) -> tuple[str, SegmentationNetwork]:
    backbone, head, classes = MODELS[request.param]
    checkpoint = tmp_path_factory.mktemp("openmmlab") / "checkpoint.pth"
    subprocess.run([sys.executable, golden / "gen_state.py", request.param, checkpoint], check=True)
    section = ModelSection(backbone=Component(name=backbone), head=Component(name=head))
    network = build_network(section, bands=3, classes=classes).eval()
    network.load_state_dict(to_geoseg_names(torch.load(checkpoint, weights_only=True)["state_dict"]), strict=True)
    return request.param, network


@pytest.mark.parametrize("size", ["128x128", "97x131"])
def test_logits_are_those_of_mmsegmentation(model, golden: Path, size: str) -> None:
    name, network = model
    with torch.no_grad():
        logits = network(torch.from_numpy(np.load(golden / f"input_{size}.npy")))
    np.testing.assert_allclose(logits.numpy(), np.load(golden / f"{name}_logits_{size}.npy"), rtol=0, atol=1e-4)
