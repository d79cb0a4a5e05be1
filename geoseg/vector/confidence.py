"""How sure the model was, pixel by pixel: rasters of probabilities beside a mask.

Either one band, the confidence in whatever class the mask says, or one band per class, named after the classes; whole
numbers mean what the file's scale and offset make of them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.open_raster import open_raster
from geoseg.raster.scene import Scene
from geoseg.vector.tracing.trace_raster import Classes, Weights


class Confidence:
    """Probabilities of the classes of a mask on the same grid."""

    def __init__(self, scene: Scene, legend: Legend | None) -> None:
        self._scene = scene
        self._bands = _bands(scene, legend)
        with open_raster(scene.path) as dataset:
            self._scale, self._offset = dataset.scales[0], dataset.offsets[0]

    @classmethod
    @contextmanager
    def open(cls, path: str | Path, mask: Scene) -> Iterator["Confidence"]:
        """Of a raster file; :class:`SceneError` if it has other bands than a mask needs, or lies on another grid."""
        with Scene.open(path) as scene:
            mask.grid.require_same(scene.grid, f"the mask {mask.path}", f"the confidence raster {path}")
            yield cls(scene, mask.legend)

    def beside(self, strips: Iterable[Classes]) -> Iterator[tuple[Classes, Weights]]:
        """Each strip of classes with the probability of each pixel's class; NaN where there is none."""
        row = 0
        for classes in strips:
            yield classes, self._of(classes, row)
            row += len(classes)

    def _of(self, classes: Classes, row: int) -> Weights:
        raster = self._scene.read(Window(row, 0, *classes.shape))
        if self._bands is None:
            values = raster.values[0]
        else:
            table = np.zeros(256, np.int64)
            table[: len(self._bands)] = self._bands
            values = np.take_along_axis(raster.values, table[np.clip(classes, 0, 255)][None], axis=0)[0]
        known = raster.valid if self._bands is None else raster.valid & (classes >= 0) & (classes < len(self._bands))
        return np.where(known, values * self._scale + self._offset, np.nan).astype(np.float32)


def _bands(scene: Scene, legend: Legend | None) -> list[int] | None:
    """Which band holds which class; None if there is one band for all."""
    if len(scene.bands) == 1:
        return None
    if legend is not None and set(legend.names) <= set(scene.bands):
        return scene.band_positions(legend.names)
    if legend is None or len(legend) == len(scene.bands):
        return list(range(len(scene.bands)))
    raise SceneError(
        f"{scene.path} has {len(scene.bands)} bands, but the mask {len(legend)} classes",
        "give the raster that `geoseg predict` wrote beside the mask: one band of confidence, or one per class",
    )
