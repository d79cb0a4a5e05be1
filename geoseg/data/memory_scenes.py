"""Scenes that are read from an in-memory source instead of raster files.

Such a scene is written to two temporary, uncompressed raster files while it is used. Windows, resampling, validity and
counting therefore use the same code for all scenes.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.data.dataset import LabelledScene
from geoseg.errors import DataError
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.formats.memmap_geotiff import create_contiguous, create_geotiff
from geoseg.raster.raster import Raster

DTYPES = ("uint8", "uint16", "float32")
"""Pixel types of stored arrays, narrowest first."""

UNDECLARED_INDEX = 254
"""Index that marks a label value without a declared class, if the value itself is the index of a class."""


@dataclass(frozen=True)
class ArrayStorage:
    """Pixel type, nodata value and label table used to store the arrays of all scenes in a dataset."""

    bands: int
    """Number of bands."""
    dtype: str
    """One of :data:`DTYPES`."""
    nodata: float | None
    """Value that pixels without data have in all bands; pixels with non-finite values also have no data."""
    indices: tuple[tuple[int, int], ...]
    """Pairs of a declared mask value and its class index, 255 for "not labeled"."""
    class_count: int
    """Number of classes."""

    def to_raster(self, values: NDArray[Any], grid: Grid, name: str) -> Raster:
        """Convert an image to a raster with the storage type.

        Args:
            values: Pixels (band, row, col).
            grid: Grid of the pixels.
            name: Name of the image, for messages.

        Raises:
            DataError: If the image has a different number of bands, or the type cannot represent its values.
        """
        if len(values) != self.bands:
            message = f"{name} has {len(values)} bands, but the first scene has {self.bands}"
            raise DataError(message, "choose bands or time steps that all images have in common")
        if not can_hold(self.dtype, values):
            message = f"{name} does not fit into {self.dtype}, the type of the first scene"
            raise DataError(message, "choose a type for all images: --set data.dtype=float32 (or uint16)")
        valid = np.isfinite(values).all(axis=0) if self.dtype == "float32" else np.ones(grid.shape, np.bool_)
        if self.nodata is not None:
            valid &= (values != self.nodata).any(axis=0)
        stored = values.astype(self.dtype)
        stored[:, ~valid] = 0
        return Raster(stored, valid, grid)

    def to_class_indices(self, values: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class indices for the values (row, col) of a mask.

        An undeclared value is kept unless it is the index of a class, in which case it becomes
        :data:`UNDECLARED_INDEX`. This way, undeclared labels can be counted later, mostly under their own value.
        """
        indices = dict(self.indices)
        low, high = (
            min(*indices, 0) - 1,
            max(*indices, IGNORE_INDEX) + 1,
        )  # every value outside this range is undeclared
        table = np.full(high - low + 1, indices.get(UNDECLARED_INDEX, UNDECLARED_INDEX), np.uint8)
        free = np.arange(self.class_count, UNDECLARED_INDEX)
        table[free - low] = free
        for value, index in indices.items():
            table[value - low] = index
        looked_up: NDArray[np.uint8] = table[np.clip(values, low, high) - low]
        return looked_up


def narrowest_dtype(values: NDArray[Any]) -> str:
    """Return the first of :data:`DTYPES` that can represent all values of an array."""
    return next(dtype for dtype in DTYPES if can_hold(dtype, values))


def can_hold(dtype: str, values: NDArray[Any]) -> bool:
    """Return True if a pixel type can represent all values of an array; always True for float32."""
    if dtype == "float32":
        return True
    limits = np.iinfo(dtype)
    if not (np.isfinite(values).all() and values.min() >= limits.min and values.max() <= limits.max):
        return False
    return values.dtype.kind in "iub" or bool((values == np.floor(values)).all())


@contextmanager
def materialize(scene: LabelledScene) -> Iterator[LabelledScene]:
    """Yield the scene as raster files: the scene itself, or its source written to a temporary folder.

    Raises:
        DataError: If the source cannot be read, or has no labels although the scene has labels.
        OutputError: If the temporary files cannot be written.
    """
    if scene.source is None:
        yield scene
        return
    raster, labels = scene.source.read()
    with tempfile.TemporaryDirectory(prefix="geoseg-") as folder:
        image, label = Path(folder, "image.tif"), Path(folder, "label.tif")
        _write_image(image, raster, scene.name)
        if scene.label is not None:
            _write_label(label, raster.grid, labels, scene.name)
        yield replace(scene, image=image, label=None if scene.label is None else label, source=None)


def _write_image(path: Path, raster: Raster, name: str) -> None:
    """Write an image in which invalid pixels have the nodata value."""
    values: NDArray[Any] = raster.values
    layout: Mapping[str, Any] = {}
    if not raster.valid.all():
        nodata = np.nan if values.dtype.kind == "f" else _find_unused_value(raster, name)
        values, layout = raster.fill(nodata), {"nodata": nodata}
    with create_geotiff(path, raster.grid, bands=len(values), dtype=values.dtype, layout=layout) as file:
        file.write(raster.grid.window, values)


def _write_label(path: Path, grid: Grid, labels: NDArray[np.uint8] | None, name: str) -> None:
    if labels is None:
        raise DataError(f"{name} has no labels", "remove it from the split")
    with create_contiguous(path, grid, bands=1, dtype=np.uint8) as file:
        file.write(grid.window, labels[None])


def _find_unused_value(raster: Raster, name: str) -> int:
    """Return the lowest value that no valid pixel has in all of its bands."""
    limits = np.iinfo(raster.values.dtype)
    for value in range(limits.min, limits.max + 1):
        if not ((raster.values == value).all(axis=0) & raster.valid).any():
            return value
    raise DataError(f"no value is unused to mark the nodata pixels of {name}", "store it with more bits per band")
