"""Read confidence rasters: probabilities of the predicted class, or of all classes, on the grid of a mask.

``geoseg predict`` writes both kinds as bytes with a scale of 1/254. Rasters from other programs may contain
floating-point numbers from 0 to 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.open_raster import open_raster
from geoseg.raster.output_bands import SHARE_STEPS
from geoseg.raster.scene import Scene

CONFIDENCE_BAND = "confidence"
"""Description of the band that contains the probability of the predicted class."""


@dataclass(frozen=True)
class ConfidenceBands:
    """Positions of the bands in a confidence raster; at least one of the two fields is set."""

    confidence: int | None
    """Position of the band with the probability of the predicted class."""
    classes: tuple[int, ...] | None
    """Positions of the bands with the probability of each class, in order of class index."""

    @classmethod
    def find(cls, scene: Scene, legend: Legend | None) -> "ConfidenceBands":
        """Find the bands by their descriptions or, if these do not match, by the number of bands.

        Args:
            scene: The confidence raster.
            legend: The classes of the mask; None accepts one band per class for any number of classes.

        Raises:
            SceneError: If the raster has neither a confidence band nor one band per class.
        """
        count = len(scene.bands)
        if count == 1:
            return cls(0, None)
        confidence = scene.bands.index(CONFIDENCE_BAND) if CONFIDENCE_BAND in scene.bands else None
        if legend is not None and set(legend.names) <= set(scene.bands):
            return cls(confidence, tuple(scene.band_positions(legend.names)))
        if legend is None or len(legend) == count:
            return cls(confidence, tuple(range(count)))
        if confidence is None:
            raise SceneError(
                f"{scene.path} has {count} bands, but the mask has {len(legend)} classes",
                "use a file written by `geoseg predict --confidence` or `geoseg predict --probabilities`",
            )
        return cls(confidence, None)


@dataclass(frozen=True)
class ConfidenceRaster:
    """An open confidence raster; see :func:`open_confidence`."""

    scene: Scene
    """The raster."""
    bands: ConfidenceBands
    """Positions of the bands."""
    scale: float
    """Scale factor for converting stored values to probabilities."""
    offset: float
    """Offset for converting stored values to probabilities: the probability that a stored 0 represents."""

    def read_levels(self, window: Window) -> NDArray[np.uint8]:
        """Read the probability of the most probable class in steps of 1/254.

        Args:
            window: A window in the raster.

        Returns:
            Values from 0 to 254, axes (row, col); 255 where the raster is invalid.

        Raises:
            SceneError: If the raster contains neither bytes (which are returned unchanged) nor floating-point numbers,
                or if it contains 255 without declaring it as nodata.
        """
        scene, bands = self.scene, self.bands
        if scene.dtype != np.uint8 and scene.dtype.kind != "f":
            raise SceneError(
                f"{scene.path} contains {scene.dtype} pixels", "use a raster of bytes (0 to 254) or floats (0 to 1)"
            )
        positions = bands.classes if bands.confidence is None else [bands.confidence]
        raster = scene.read(window, positions, nearest=True)
        highest = raster.values.max(axis=0)
        if highest.dtype == np.uint8 and (raster.valid & (highest == IGNORE_INDEX)).any():
            raise SceneError(
                f"{scene.path} contains 255, but probabilities are stored as 0 to 254",
                "declare 255 as nodata (gdal_edit -a_nodata 255), or convert the values to floats from 0 to 1",
            )
        levels = (
            highest if highest.dtype == np.uint8 else np.rint(np.clip(highest, 0, 1) * SHARE_STEPS).astype(np.uint8)
        )
        return np.where(raster.valid, levels, np.uint8(IGNORE_INDEX))

    def read_probabilities(self, classes: NDArray[Any], row: int) -> NDArray[np.float32]:
        """Read the probability of the class that a mask assigns to each pixel.

        Args:
            classes: Class indices in full rows of the mask, axes (row, col); other values have no probability.
            row: Index of the first of these rows.

        Returns:
            Probabilities, axes (row, col); NaN where unknown.
        """
        window = Window(row, 0, *classes.shape)
        positions = self.bands.classes
        if positions is None:
            raster = self.scene.read(window, None if self.bands.confidence is None else [self.bands.confidence])
            values, known = raster.values[0], raster.valid
        else:
            raster = self.scene.read(window)
            table = np.zeros(256, np.int64)
            table[: len(positions)] = positions
            values = np.take_along_axis(raster.values, table[np.clip(classes, 0, 255)][None], axis=0)[0]
            known = raster.valid & (classes >= 0) & (classes < len(positions))
        return np.where(known, values * self.scale + self.offset, np.nan).astype(np.float32)


@contextmanager
def open_confidence(path: str | Path, grid: Grid, legend: Legend | None) -> Iterator[ConfidenceRaster]:
    """Open the confidence raster of a mask; it is closed when the context exits.

    Args:
        path: A raster with one confidence band, or one probability band per class.
        grid: The grid of the mask.
        legend: The classes of the mask; None if unknown.

    Raises:
        GridMismatch: If the raster and the mask are on different grids.
        SceneError: If the raster cannot be read, or does not have the required bands.
    """
    with Scene.open(path) as scene:
        grid.require_same_place(scene.grid, "the mask", str(path))
        with open_raster(scene.path) as dataset:
            scale, offset = dataset.scales[0], dataset.offsets[0]
        yield ConfidenceRaster(scene, ConfidenceBands.find(scene, legend), scale, offset)
