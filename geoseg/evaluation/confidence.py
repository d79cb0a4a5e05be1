"""How sure a model was of each pixel, as ``geoseg predict`` writes it: bytes, confidence = value / 254, 255 for none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError
from geoseg.evaluation.accumulate_counts import Reader
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics.calibration import levels_of
from geoseg.raster.scene import Scene

BAND = "confidence"
"""What the band of a raster of confidences is called."""


@contextmanager
def open_confidence(path: Path, grid: Grid, legend: Legend) -> Iterator[Reader]:
    """Confidence in steps of 1/254 from a raster of confidences (one band) or of probabilities (one band per class).

    The confidence of a pixel is the probability of its most probable class. :class:`SceneError` if it is neither.
    """
    with Scene.open(path) as scene:
        if scene.grid.shape != grid.shape:
            grid.require_same(scene.grid, "the mask", str(path))
        positions = _positions(scene, legend)

        def read(window: Window) -> NDArray[np.uint8]:
            raster = scene.read(window, positions, nearest=True)
            most = raster.values.max(axis=0)
            levels = most if most.dtype == np.uint8 else levels_of(most)
            return np.where(raster.valid, levels, np.uint8(IGNORE_INDEX))

        yield read


def _positions(scene: Scene, legend: Legend) -> list[int]:
    """Positions of the bands to look at."""
    if scene.dtype != np.uint8 and scene.dtype.kind != "f":
        raise SceneError(f"{scene.path} holds {scene.dtype} pixels", "confidences are bytes (x 254) or floats (0 to 1)")
    if BAND in scene.bands:
        return [scene.bands.index(BAND)]
    if set(legend.names) <= set(scene.bands):
        return scene.band_positions(legend.names)
    if len(scene.bands) not in (1, len(legend)):
        raise SceneError(
            f"{scene.path} has {len(scene.bands)} bands, which are neither confidence nor {len(legend)} classes",
            "give a file that geoseg predict --probabilities wrote",
        )
    return list(range(len(scene.bands)))
