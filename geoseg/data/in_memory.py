"""Scenes that come out of memory rather than out of raster files: as what their arrays are kept, and how they are read.

Everything that reads scenes reads files: windows, resampling, validity and counting are the same for all scenes because
they are the same code. So what a source gives is laid into two files, uncompressed, for as long as they are needed.
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
from geoseg.raster.formats.memmap_geotiff import writing, writing_contiguous
from geoseg.raster.raster import Raster

TYPES = ("uint8", "uint16", "float32")
"""Pixel types that arrays are kept as, the narrowest first."""

UNDECLARED = 254
"""What stands for a label that nobody declared where its own number is that of a class."""


@dataclass(frozen=True)
class Keeping:
    """As what the arrays of all scenes of a dataset are kept."""

    bands: int
    """How many there are."""
    dtype: str
    """One of :data:`TYPES`."""
    nodata: float | None
    """The value of pixels that hold nothing in any band, besides those that are not finite."""
    meaning: tuple[tuple[int, int], ...]
    """Class index of each number a mask may hold, 255 for "not labelled"."""
    classes: int
    """How many classes there are."""

    def image(self, values: NDArray[Any], grid: Grid, name: str) -> Raster:
        """An image from its values (band, row, col); :class:`DataError` if they do not fit."""
        if len(values) != self.bands:
            said = f"{name} has {len(values)} bands, the first scene has {self.bands}"
            raise DataError(said, "choose bands, or points in time, that all images have")
        if not holds(self.dtype, values):
            said = f"{name} does not fit into {self.dtype}, as the first scene does"
            raise DataError(said, "choose a type for all of them: --set data.dtype=float32 (or uint16)")
        valid = np.isfinite(values).all(axis=0) if self.dtype == "float32" else np.ones(grid.shape, np.bool_)
        if self.nodata is not None:
            valid &= (values != self.nodata).any(axis=0)
        kept = values.astype(self.dtype)
        kept[:, ~valid] = 0
        return Raster(kept, valid, grid)

    def labels(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Class indices of a mask (row, col).

        An undeclared number stays what it is where no class has it, else it becomes :data:`UNDECLARED`: whoever counts
        undeclared labels finds it, and mostly by its own name.
        """
        meaning = dict(self.meaning)
        low, high = min(*meaning, 0) - 1, max(*meaning, IGNORE_INDEX) + 1  # further out, all is undeclared
        table = np.full(high - low + 1, meaning.get(UNDECLARED, UNDECLARED), np.uint8)
        spare = np.arange(self.classes, UNDECLARED)
        table[spare - low] = spare
        for number, index in meaning.items():
            table[number - low] = index
        indices: NDArray[np.uint8] = table[np.clip(numbers, low, high) - low]
        return indices


def narrowest(values: NDArray[Any]) -> str:
    """The first of :data:`TYPES` that holds every value of an array unchanged (as float32 does)."""
    return next(name for name in TYPES if holds(name, values))


def holds(dtype: str, values: NDArray[Any]) -> bool:
    """True if an integer type holds every value of an array unchanged; float32 holds anything."""
    if dtype == "float32":
        return True
    limits = np.iinfo(dtype)
    if not (np.isfinite(values).all() and values.min() >= limits.min and values.max() <= limits.max):
        return False
    return values.dtype.kind in "iub" or bool((values == np.floor(values)).all())


@contextmanager
def in_files(scene: LabelledScene) -> Iterator[LabelledScene]:
    """The scene as raster files: itself, or its source read once, into a folder that is gone afterwards.

    :class:`DataError` if the source cannot be read, :class:`OutputError` if there is no room for it.
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
    """Pixels that are not valid get a value that the file calls nodata."""
    values: NDArray[Any] = raster.values
    layout: Mapping[str, Any] = {}
    if not raster.valid.all():
        nodata = np.nan if values.dtype.kind == "f" else _free_value(raster, name)
        values, layout = raster.fill(nodata), {"nodata": nodata}
    with writing(path, raster.grid, bands=len(values), dtype=values.dtype, layout=layout) as file:
        file.write(raster.grid.window, values)


def _write_label(path: Path, grid: Grid, labels: NDArray[np.uint8] | None, name: str) -> None:
    if labels is None:
        raise DataError(f"{name} has no labels", "take it out of the split")
    with writing_contiguous(path, grid, bands=1, dtype=np.uint8) as file:
        file.write(grid.window, labels[None])


def _free_value(raster: Raster, name: str) -> int:
    """The lowest value that no valid pixel has in all its bands."""
    limits = np.iinfo(raster.values.dtype)
    for value in range(limits.min, limits.max + 1):
        if not ((raster.values == value).all(axis=0) & raster.valid).any():
            return value
    raise DataError(f"no value is left to mark the pixels of {name} that hold nothing", "give its pixels more bits")
