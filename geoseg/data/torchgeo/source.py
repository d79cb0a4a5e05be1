"""Samples of torchgeo's datasets as sources: an image, its mask and where they lie, read in whatever process."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.data.in_memory import UNDECLARED, Keeping
from geoseg.data.torchgeo.class_names import NO_COLOUR, Numbers
from geoseg.data.torchgeo.dataset_factory import Call, has_places, opened, quiet
from geoseg.errors import ConfigError, DataError
from geoseg.grid.grid import Grid
from geoseg.raster.raster import Raster


@dataclass(frozen=True)
class Reading:
    """What is taken from the samples of a dataset."""

    mask: str
    """Key of the mask."""
    layer: int | None
    """Which of several masks."""
    by_colour: bool
    """As in :class:`Meaning`."""

    def read(self, dataset: Any, place: int) -> tuple[NDArray[Any], Numbers | None, Grid]:
        """Image (band, row, col), mask (row, col) in torchgeo's numbers, None if it gives none, and their grid."""
        name = type(dataset).__name__
        if self.by_colour and dataset.colormap[0] != NO_COLOUR:
            dataset.colormap = (NO_COLOUR, *dataset.colormap)
        try:
            with quiet(), _asked(dataset, place) as (query, grid):
                sample = dataset[query]
        except (OSError, ValueError, LookupError, RuntimeError) as error:
            said = f"torchgeo cannot read sample {place} of {name}: {error}"
            raise DataError(said, "a file is damaged or missing: unpack it again") from None
        if "image" not in sample:
            raise ConfigError(f"torchgeo's {name} gives {', '.join(sample)}, but no image", "take another dataset")
        image = _layers(sample["image"])
        if grid is None or grid.shape != image.shape[1:]:
            grid = Grid(None, Affine.identity(), *image.shape[1:])
        return image, self._numbers(sample[self.mask], grid) if self.mask in sample else None, grid

    def _numbers(self, given: Any, grid: Grid) -> Numbers:
        layers = _layers(given)
        if len(layers) > 1 and self.layer not in range(len(layers)):
            hint = f"choose one of 0 to {len(layers) - 1}: --set data.mask_layer=0"
            raise ConfigError(f"torchgeo gives {len(layers)} masks with each image", hint)
        mask = layers[self.layer or 0] if len(layers) > 1 else layers[0]
        if mask.shape != grid.shape or (mask != np.floor(mask)).any():
            raise ConfigError(f"torchgeo's {self.mask} holds no classes of the image's pixels", "choose data.mask")
        numbers = mask.astype(np.int64)
        return np.where(numbers == 0, UNDECLARED, numbers - 1) if self.by_colour else numbers


def _layers(given: Any) -> NDArray[Any]:
    """(layer, row, col): a layer without its axis gets one, points in time become further layers."""
    array = np.asarray(given)
    return array.reshape(-1, *array.shape[-2:])


@contextlib.contextmanager
def _asked(dataset: Any, place: int) -> Iterator[tuple[Any, Grid | None]]:
    """What a dataset is asked with, and the grid of its answer if that is known.

    torchgeo merges all files that lie where it is asked; while one file is asked for, its index holds no other.
    """
    if not has_places(dataset):
        yield place, None
        return
    row = dataset.index.iloc[place]
    parts = enumerate(getattr(dataset, "datasets", ()), start=1)  # of an intersection: images and masks
    kept = [(part, part.index["filepath"] == row[f"filepath_{n}"]) for n, part in parts if f"filepath_{n}" in row]
    kept = kept or [(dataset, np.arange(len(dataset)) == place)]
    whole = [(part, part.index) for part, _ in kept]
    west, south, east, north = row.geometry.bounds
    across, down = dataset.res
    shape = max(round((north - south) / down), 1), max(round((east - west) / across), 1)
    crs = None if dataset.crs is None else CRS.from_user_input(dataset.crs)
    try:
        for part, mine in kept:
            part.index = part.index[mine]
        yield (slice(west, east), slice(south, north)), Grid(crs, Affine(across, 0, west, 0, -down, north), *shape)
    finally:
        for part, index in whole:
            part.index = index


@dataclass(frozen=True)
class TorchgeoSource:
    """One sample of a dataset of torchgeo, read when it is needed, in whatever process."""

    call: Call
    """How its dataset is opened."""
    place: int
    """Its number there."""
    reading: Reading
    """What is taken from it."""
    keeping: Keeping
    """As what it is kept."""
    files: tuple[Path, ...] = field(default=(), repr=False)
    """The files it is made of, as far as torchgeo lists them."""

    def read(self) -> tuple[Raster, NDArray[np.uint8] | None]:
        """Image and class indices; :class:`DataError` if they cannot be read, or not be kept like the first ones."""
        image, mask, grid = self.reading.read(opened(self.call), self.place)
        raster = self.keeping.image(image, grid, f"sample {self.place} of torchgeo's {self.call.name}")
        return raster, None if mask is None else self.keeping.labels(mask)

    def state(self) -> tuple[str, int, int]:
        """How it is read, bytes and date of its files; of the folder where torchgeo lists no files."""
        states = [path.stat() for path in self.files or (self.call.root,)]
        return repr(self), sum(each.st_size for each in states), max(each.st_mtime_ns for each in states)


def files_of(dataset: Any, place: int) -> tuple[Path, ...]:
    """The files of a sample, the image first, as far as torchgeo lists them."""
    if has_places(dataset):
        row = dataset.index.iloc[place]
        named = [row[column] for column in row.index if str(column).startswith("filepath")]
    else:
        listed = getattr(dataset, "files", None)
        entry = listed[place] if isinstance(listed, list) and len(listed) == len(dataset) else ()
        named = list(entry.values()) if isinstance(entry, Mapping) else [entry]
    return tuple(Path(each) for each in named if isinstance(each, str | os.PathLike) and Path(each).is_file())
