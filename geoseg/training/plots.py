"""Pictures of a run: what the network makes of the same eight validation crops each time, and curves of its numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from lightning.fabric import Fabric
from torch import Tensor

from geoseg.data.crops.crop import Crop
from geoseg.data.crops.loader import Crops
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.data.preparation.prepared_dataset import Prepared
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.models.network import SegmentationNetwork
from geoseg.plotting.images import Picture, error_map, panel, shown_bands, stretch, write_png
from geoseg.raster.raster import Raster
from geoseg.training.loggers import read
from geoseg.training.module import TrainingStep
from geoseg.training.validation import evaluating, predicted

COUNT = 8
SIDE = 256
"""Side of a shown crop in pixels."""


def fixed_crops(prepared: Prepared, side: int) -> list[Crop]:
    """Eight validation crops (fewer if there are no more), spread evenly over the windows with labelled pixels."""
    scenes = prepared.scenes("val")
    side = min(side, max(max(scene.height, scene.width) for scene in scenes))
    sampler = GridSampler(scenes, side, rule="plain")
    crops = Crops(scenes, sampler, range(len(sampler)))
    places = np.linspace(0, len(crops) - 1, min(4 * COUNT, len(crops))).round().astype(int)
    labelled = [
        crop for crop in (crops[int(place)] for place in np.unique(places)) if (crop.target != IGNORE_INDEX).any()
    ]
    chosen = np.linspace(0, len(labelled) - 1, min(COUNT, len(labelled))).round().astype(int)
    return [labelled[place] for place in np.unique(chosen)]


class CropPictures:
    """Draws fixed crops with target, prediction and error, two crops to a row."""

    def __init__(self, prepared: Prepared, side: int = SIDE) -> None:
        self.legend = prepared.legend
        self.bands = shown_bands(prepared.bands)
        self.crops = fixed_crops(prepared, side)

    def draw(self, fabric: Fabric, step: TrainingStep, network: SegmentationNetwork, path: Path) -> None:
        """Writes the picture of what a network predicts now."""
        rows = []
        with evaluating(network):
            for crop in self.crops:
                one = Crop(*(field[None] for field in crop))
                rows += self._row(crop, predicted(fabric, step, network, one)[0].byte())
        if rows:
            write_png(path, panel(rows, legend=self.legend, columns=8))

    def _row(self, crop: Crop, indices: Tensor) -> list[tuple[str, Picture]]:
        grid = Grid(None, Affine.identity(), *crop.target.shape)
        image = stretch(Raster(crop.image.numpy(), crop.valid.numpy(), grid), self.bands)
        target = crop.target.numpy()
        mask = np.where(crop.valid.numpy(), indices.numpy(), IGNORE_INDEX)
        return [
            ("image", image),
            ("target", self.legend.draw(target)),
            ("prediction", self.legend.draw(mask)),
            ("errors", error_map(image, mask, target)),
        ]


CURVES = {
    "loss": ("loss",),
    "learning rate": ("learning_rate",),
    "validation": ("mean_iou", "mean_f1", "overall_accuracy"),
    "images per second": ("images_per_second",),
}
"""Title of each curve's axes, and the columns it shows."""


def draw_curves(metrics: Path, path: Path, *, name: str, curves: dict[str, Sequence[str]] | None = None) -> None:
    """Writes the curves of a ``metrics.csv`` into one picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = read(metrics)
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(name)
    for axes, (title, columns) in zip(figure.subplots(2, 2).flat, (curves or CURVES).items(), strict=True):
        for column in columns:
            points = [(int(row["iteration"]), float(row[column])) for row in rows if row.get(column)]
            if points:
                axes.plot(*zip(*points, strict=True), label=column, marker="." if len(points) < 40 else "")
        axes.set(title=title, xlabel="iteration")
        if axes.lines:
            axes.update_datalim([(axes.dataLim.x0, 0)])  # or the smallest change would look like a great one
            axes.autoscale_view()
        axes.grid(alpha=0.3)
        if len(axes.lines) > 1:
            axes.legend()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    write_png(path, np.asarray(canvas.buffer_rgba())[..., :3].copy())
