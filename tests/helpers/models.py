"""Scenes, bundles and networks small enough for inference to be tested hundreds of times.

Networks have small whole numbers as weights, and scenes small whole numbers as pixels, so that float32 is exact and
"equal" means equal.
"""

from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from torch import nn

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.legend import Legend
from geoseg.model_card import ModelCard

torch.set_num_threads(1)

EXACT = {"device": "cpu", "precision": "float32", "engine": "torch"}
"""Options of a prediction whose numbers are those of the network, computed one after another."""

TRANSFORM = Affine(0.3, 0, 400_000, 0, -0.3, 5_800_000)


class Heard:
    """A progress, and its task, that note what they are told."""

    def __init__(self) -> None:
        self.announced: list[int] = []
        self.done: list[int] = []

    def __call__(self, total: int, _description: str) -> "Heard":
        self.announced.append(total)
        return self

    def __enter__(self) -> "Heard":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def advance(self, steps: int = 1) -> None:
        self.done.append(steps)


class Nowhere:
    """A sink that keeps nothing."""

    outputs = ("mask",)
    partial = None

    def open(self, grid, _legend):
        self.missing = [grid.window]

    def write(self, _window, _pixels): ...
    def finish(self): ...
    def abandon(self): ...


class Convolutions(nn.Module):
    """Convolutions that know ``radius`` pixels around each pixel, padded with zeros like any network's."""

    def __init__(self, *kernels, bands=2, classes=3):
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        widths = [bands, *[4] * (len(kernels) - 1), classes]
        self.layers = nn.ModuleList()
        for kernel, before, after in zip(kernels, widths[:-1], widths[1:], strict=True):
            layer = nn.Conv2d(before, after, kernel, padding=kernel // 2)
            for weights in layer.parameters():
                weights.data = torch.randint(-1, 2, weights.shape, generator=generator).float()
            self.layers.append(layer)

    def forward(self, images):
        for layer in self.layers[:-1]:
            images = layer(images).relu()
        return self.layers[-1](images)


class Threshold(nn.Module):
    """Class 1 where the first band is above 0 (the card's mean), else class 0; counts what it gets to see."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(tuple(images.shape))
        return torch.cat([-images[:, :1], images[:, :1]], dim=1)


def card(bands=("red", "green"), classes=3, **changes):
    """A model card by hand."""
    values = {
        "model": ModelSection(),
        "legend": Legend.of({f"class {index}": None for index in range(classes)}),
        "bands": tuple(bands),
        "mean": (4.0,) * len(bands),
        "std": (1.0,) * len(bands),
        "minimum": (0.0,) * len(bands),
        "maximum": (9.0,) * len(bands),
        "dtype": "uint8",
        "gsd": None,
        "crop": 16,
        "tile": 16,
        "halo": 4,
    }
    return ModelCard(**(values | changes))


def bundle(network=None, **changes):
    """A bundle around a network (one that sees 3 pixels around each), with ``changes`` to its card."""
    network = Convolutions(7) if network is None else network
    return Bundle(network.eval(), card(**changes))


def threshold_bundle(**changes):
    """A bundle of one band and two classes: below and above 4."""
    return bundle(Threshold(), **({"bands": ("red",), "classes": 2} | changes))


def pixels(height, width, *, bands=2, seed=0, dtype=np.uint8, low=0):
    """Random whole numbers up to 9, axes (band, row, col)."""
    return np.random.default_rng(seed).integers(low, 10, (bands, height, width)).astype(dtype)


def write_scene(path, values, *, names=("red", "green", "blue", "nir"), tags=None, **profile):
    """A GeoTIFF of ``values`` (band, row, col) whose bands bear the first of ``names``."""
    count, height, width = values.shape
    settings = {
        "driver": "GTiff",
        "crs": "EPSG:32633",
        "transform": TRANSFORM,
        "dtype": values.dtype,
        "count": count,
        "height": height,
        "width": width,
    }
    with rasterio.open(path, "w", **(settings | profile)) as dataset:
        dataset.write(values)
        dataset.update_tags(**(tags or {}))
        for index, name in enumerate(names[:count], start=1):
            dataset.set_band_description(index, name)
    return Path(path)
