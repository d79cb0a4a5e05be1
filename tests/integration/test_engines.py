"""Engines on real imagery: a network that learnt a few pictures by heart gives nearly every pixel the same class."""

import json
import os

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network
from geoseg.models.engines.openvino import OpenVinoEngine
from geoseg.models.engines.pytorch import TorchEngine
from geoseg.models.engines.select import is_openvino_installed

CPU = torch.device("cpu")
SIDE = 64
ITERATIONS = 40


@pytest.fixture(scope="module")
def pictures(shared_data):
    """Images of Dubai, scaled, axes (picture, band, row, col), and the classes of their pixels."""
    folder = shared_data / "dubai_hitl"
    colours = [each["color"] for each in json.loads((folder / "classes.json").read_text())["classes"]]
    files = sorted(folder.glob("*/images/*.jpg"))[::9][:3]
    images = torch.from_numpy(np.stack([read(file) for file in files])).permute(0, 3, 1, 2).float()
    masks = np.stack([read(file.parents[1] / "masks" / f"{file.stem}.png") for file in files])
    palette = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours])
    index = np.full(masks.shape[:3], 255)
    for number, colour in enumerate(palette):
        index[(masks == colour).all(axis=-1)] = number
    deviation, mean = torch.std_mean(images, dim=(0, 2, 3), keepdim=True)
    return (images - mean) / deviation, torch.from_numpy(index), len(colours)


def read(file):
    return np.array(Image.open(file).convert("RGB"))[:SIDE, :SIDE]


@pytest.fixture(scope="module")
def learnt(pictures, tmp_path_factory):
    """A DeepLabV3+ trained on the images for half a minute, once for all pytest processes; most pixels are correct."""
    images, index, classes = pictures
    folder = tmp_path_factory.getbasetemp()
    weights = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "engines.pt"
    torch.manual_seed(0)
    head = Component(name="deeplabv3plus", options={"channels": 64})
    section = ModelSection(backbone=Component(name="resnet18"), head=head, output_stride=16, auxiliary_weight=0)
    network = build_network(section, bands=3, classes=classes)
    with FileLock(weights.with_suffix(".lock")):
        if weights.exists():
            network.load_state_dict(torch.load(weights))
        else:
            train(network, images, index)
            torch.save(network.state_dict(), weights)
    return network.eval()


def train(network, images, index):
    descent = torch.optim.AdamW(network.parameters())
    course = torch.optim.lr_scheduler.OneCycleLR(descent, 2e-3, total_steps=ITERATIONS)
    for _ in range(ITERATIONS):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(network(images), index, ignore_index=255).backward()
        descent.step()
        course.step()


ENGINES = {
    "torch": lambda network, precision: TorchEngine(network, CPU, precision, bands=3),
    "openvino": lambda network, precision: OpenVinoEngine(network, precision, bands=3),
}

every_engine = pytest.mark.parametrize(
    "engine",
    [
        "torch",
        pytest.param("openvino", marks=pytest.mark.skipif(not is_openvino_installed(), reason="not installed")),
    ],
)


@every_engine
@torch.inference_mode()
def test_float32_of_any_engine_gives_the_same_logits(engine, learnt, pictures):
    images = pictures[0][:, :, :59, :47]
    torch.testing.assert_close(ENGINES[engine](learnt, "float32")(images), learnt(images), rtol=0, atol=1e-3)


@every_engine
@torch.inference_mode()
def test_bfloat16_of_any_engine_gives_999_of_1000_pixels_the_same_class(engine, learnt, pictures):
    narrow = ENGINES[engine](learnt, "bfloat16")
    same = [narrow(image[None]).argmax(1) == learnt(image[None]).argmax(1) for image in pictures[0]]
    assert torch.cat(same).float().mean() >= 0.999
