"""Networks whose numbers are as crooked as real ones', and scenes tall enough to be written in several slabs."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.inference.options import PredictOptions
from geoseg.inference.parallel import predict_parts
from geoseg.inference.predictor import Predictor
from geoseg.inference.predictor_cache import PredictorCache
from geoseg.inference.task import PredictionTask, open_task
from geoseg.inference.tile_pipeline import TileCounter, TileRunner
from geoseg.models.build import build_network
from geoseg.progress import silent
from geoseg.raster.writers.memory import MemoryWriter
from helpers.models import EXACT, Threshold, bundle, pixels, write_scene

PRODUCTS = ("mask", "probabilities")


class Crooked(nn.Module):
    """Convolutions and batch norm of random float32 numbers."""

    def __init__(self, *, bands=2, classes=3):
        super().__init__()
        state = torch.get_rng_state()
        torch.manual_seed(11)
        norms = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        for norm in norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)
        first, second = nn.Conv2d(bands, 8, 5, padding=2), nn.Conv2d(8, 8, 3, padding=1)
        last = nn.Conv2d(8, classes, 1)
        self.layers = nn.Sequential(first, norms[0], nn.ReLU(), second, norms[1], nn.ReLU(), last).eval()
        with torch.no_grad():  # so that every class has its pixels
            logits = self.layers(torch.randint(-4, 6, (1, bands, 64, 64)).float())
            last.bias -= logits.mean(dim=(0, 2, 3))
            last.weight *= 4
        torch.set_rng_state(state)

    def forward(self, images):
        return self.layers(images)


class Fickle(Crooked):
    """Says something else of an image among others: what real networks do in the last bit, loud enough to be seen."""

    def forward(self, images):
        place = torch.arange(len(images))[:, None, None, None]
        return self.layers(images) * (1 + len(images) / 2 + place / 4)


class Interrupted(Threshold):
    """Does something (raises an error, mostly) when it is shown its batch number ``at``; counts what it gets to see."""

    def __init__(self, at, act):
        super().__init__()
        self.at, self.act = at, act

    def forward(self, images):
        if len(self.seen) == self.at:
            self.act()
        return super().forward(images)


def raising(error):
    """A function that raises."""

    def act():
        raise error

    return act


def tall_scene(path, height=1500, width=60, **more):
    """One band, several slabs of 512 rows."""
    return write_scene(path, pixels(height, width, bands=1), **more)


def products_of(job: PredictionTask, model: Bundle, parts, *, batch=4, predictors=1):
    """By product: the bytes of a job done in parts."""
    sink = MemoryWriter(PRODUCTS)
    sink.open(job.grid, job.card.legend)
    counter = TileCounter(silent(0, ""))
    runners = [TileRunner(Predictor(model, "cpu"), batch, counter) for _ in range(predictors)]
    predict_parts(job.strategy, parts, sink, runners)
    sink.finish()
    return sink.pixels


def opened(path, model, **options):
    """The job of a scene with some options."""
    return open_task(path, PredictorCache.of(model), PredictOptions(**EXACT, **options))


def saved_model(path: Path, **card) -> Path:
    """A bundle that other processes can load: a small network with random weights, for one band and three classes."""
    section = ModelSection.model_validate(
        {"backbone": "lcnet_050", "head": {"name": "fcn", "channels": 8}, "output_stride": 16, "auxiliary_weight": 0}
    )
    state = torch.get_rng_state()
    torch.manual_seed(5)
    network = build_network(section, bands=1, classes=3).eval()
    last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.out_channels == 3][-1]
    with torch.no_grad():  # so that every class has its pixels
        logits = network(torch.randint(-4, 6, (4, 1, 64, 64)).float())
        last.bias -= logits.mean(dim=(0, 2, 3))
        last.weight /= logits.std()
        last.bias /= logits.std()
    torch.set_rng_state(state)
    return bundle(network, model=section, bands=("red",), **({"tile": 64, "halo": 8} | card)).save(path)


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too, by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def same(one, other) -> bool:
    """True if the same products have the same bytes."""
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
