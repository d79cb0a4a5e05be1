"""Ordinary inputs: a small model, a scene, a mask and labeled scenes. Other inputs are made from these."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from torch import nn

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.legend import Legend
from geoseg.model_card import ModelCard
from geoseg.models.build import build_network

CLASSES = {"road": "#ffffff", "building": "#0000ff", "meadow": "#00ffff", "tree": "#00ff00", "car": "#ffff00"}
PLACE: dict[str, Any] = {"crs": "EPSG:25833", "transform": Affine(0.3, 0, 400_000, 0, -0.3, 5_800_000)}
EXACT = ("--device", "cpu", "--engine", "torch", "--precision", "float32", "--batch", "1")
"""Options of a prediction whose bytes do not depend on the machine's load."""


def random_blocks(
    bands: int, height: int, width: int, *, low: int = 0, high: int = 256, side: int = 8, seed: int = 0
) -> NDArray[np.uint8]:
    """Return random values in squares of ``side`` pixels, axes (band, row, col)."""
    generator = np.random.default_rng(seed)
    values = generator.integers(low, high, (bands, -(-height // side), -(-width // side)), dtype=np.uint8)
    return np.kron(values, np.ones((1, side, side), np.uint8))[:, :height, :width]


def write_raster(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    """Write values (band, row, col) as GeoTIFF, by default in UTM with pixels of 0.3 m."""
    count, height, width = values.shape
    shape = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", **(shape | PLACE | profile)) as file:
        file.write(values)
    return path


def write_scene(path: Path, height: int = 96, width: int = 96, **profile: Any) -> Path:
    """Write a scene of three bands."""
    return write_raster(path, random_blocks(3, height, width), **profile)


def write_mask(path: Path, height: int = 96, width: int = 96, **profile: Any) -> Path:
    """Write a mask of five classes without tags of geoseg."""
    return write_raster(path, random_blocks(1, height, width, high=len(CLASSES), seed=1), **profile)


def write_model(path: Path) -> Path:
    """Write a bundle with a small network and random weights."""
    torch.manual_seed(3)
    section = ModelSection.model_validate(
        {"backbone": "lcnet_050", "head": {"name": "fcn", "channels": 8}, "output_stride": 16, "auxiliary_weight": 0}
    )
    network = build_network(section, bands=3, classes=len(CLASSES)).eval()
    _balance(network)
    bands = ("red", "green", "blue")
    mean, std, minimum, maximum = ((value,) * len(bands) for value in (120.0, 60.0, 0.0, 255.0))
    card = ModelCard(
        section, Legend.of(CLASSES), bands, mean, std, minimum, maximum,
        dtype="uint8", gsd=0.3, crop=64, tile=128, halo=16,
    )  # fmt: skip
    return Bundle(network, card).save(path)


def _balance(network: nn.Module) -> None:
    """Scale the last layer so that each class is predicted somewhere."""
    last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)][-1]
    with torch.no_grad():
        logits = network(torch.rand(4, 3, 64, 64) * 4 - 2)
        last.weight /= logits.std()
        assert last.bias is not None
        last.bias -= logits.mean(dim=(0, 2, 3))
        last.bias /= logits.std()
