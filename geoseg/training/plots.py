"""Plots of a run: predictions for fixed validation crops, and curves of its metrics."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from lightning.fabric import Fabric
from torch import Tensor

from geoseg.data.crops.loader import CropDataset
from geoseg.data.crops.read_crop import Crop
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.models.network import SegmentationNetwork
from geoseg.plotting.images import ErrorColours, compose_panel, error_map, write_png
from geoseg.raster.display import RgbImage, choose_rgb_bands, render_rgb
from geoseg.raster.raster import Raster
from geoseg.training.loggers import read_metrics
from geoseg.training.module import TrainingModule
from geoseg.training.validation import evaluation_mode, predict_classes

CROP_COUNT = 8
CROP_SIDE_PIXELS = 256
"""Side length of a crop in pixels."""


def choose_fixed_crops(prepared: PreparedDataset, side: int) -> list[Crop]:
    """Choose eight validation crops (or fewer), spread evenly over the windows with labeled pixels."""
    scenes = prepared.scenes("val")
    side = min(side, max(max(scene.height, scene.width) for scene in scenes))
    sampler = GridSampler(scenes, side, rule="plain")
    crops = CropDataset(scenes, sampler, range(len(sampler)))
    places = np.linspace(0, len(crops) - 1, min(4 * CROP_COUNT, len(crops))).round().astype(int)
    labeled = [
        crop for crop in (crops[int(place)] for place in np.unique(places)) if (crop.target != IGNORE_INDEX).any()
    ]
    chosen = np.linspace(0, len(labeled) - 1, min(CROP_COUNT, len(labeled))).round().astype(int)
    return [labeled[place] for place in np.unique(chosen)]


class CropPlot:
    """Draws fixed crops with their targets, predictions and errors, two crops per row."""

    def __init__(self, prepared: PreparedDataset, side: int = CROP_SIDE_PIXELS) -> None:
        self.legend = prepared.legend
        self.bands = choose_rgb_bands(prepared.bands)
        self.crops = choose_fixed_crops(prepared, side)

    def draw(self, fabric: Fabric, step: TrainingModule, network: SegmentationNetwork, path: Path) -> None:
        """Write an image of the current predictions of a network.

        Args:
            fabric: The Fabric instance that runs the training.
            step: The training module, whose input normalization is used.
            network: The network, possibly the averaged one.
            path: PNG file to write.
        """
        rows = []
        with evaluation_mode(network):
            for crop in self.crops:
                one = Crop(*(field[None] for field in crop))
                rows += self._row(crop, predict_classes(fabric, step, network, one)[0].byte())
        if rows:
            write_png(path, compose_panel(rows, legend=self.legend, columns=8))

    def _row(self, crop: Crop, indices: Tensor) -> list[tuple[str, RgbImage]]:
        grid = Grid(None, Affine.identity(), *crop.target.shape)
        image = render_rgb(Raster(crop.image.numpy(), crop.valid.numpy(), grid), self.bands)
        target = crop.target.numpy()
        mask = np.where(crop.valid.numpy(), indices.numpy(), IGNORE_INDEX)
        return [
            ("image", image),
            ("target", self.legend.draw(target)),
            ("prediction", self.legend.draw(mask)),
            ("errors", error_map(image, mask, target, ErrorColours.for_legend(self.legend))),
        ]


VALIDATION = "validation in percent"
"""Title of the plot of scores, which are stored in the log as values from 0 to 1."""

CURVES = {
    "loss": ("loss",),
    "learning rate": ("learning_rate",),
    VALIDATION: ("mean_iou", "mean_f1", "overall_accuracy"),
    "images per second": ("images_per_second",),
}
"""Columns of ``metrics.csv`` in each plot, by plot title."""


def draw_curves(metrics: Path, path: Path, *, name: str, curves: dict[str, Sequence[str]] | None = None) -> None:
    """Plot the columns of a ``metrics.csv``.

    Args:
        metrics: Path of the CSV file.
        path: PNG file to write.
        name: Title of the figure.
        curves: Mapping from plot titles to columns; None for :data:`CURVES`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - the import takes half a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = read_metrics(metrics)
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(name)
    for axes, (title, columns) in zip(figure.subplots(2, 2).flat, (curves or CURVES).items(), strict=True):
        for column in columns:
            factor = 100 if title == VALIDATION else 1
            points = [(int(row["iteration"]), factor * float(row[column])) for row in rows if row.get(column)]
            if points:
                axes.plot(*zip(*points, strict=True), label=column, marker="." if len(points) < 40 else "")
        axes.set(title=title, xlabel="iteration")
        if axes.lines:
            axes.update_datalim([(axes.dataLim.x0, 0)])  # include 0, so that small changes do not look large
            axes.autoscale_view()
        axes.grid(alpha=0.3)
        if len(axes.lines) > 1:
            axes.legend()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    write_png(path, np.asarray(canvas.buffer_rgba())[..., :3].copy())
