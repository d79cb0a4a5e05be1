"""Use samples of torchgeo datasets as scenes: read the image, mask and grid of a sample, in any process."""

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

from geoseg.data.memory_scenes import UNDECLARED_INDEX, ArrayStorage
from geoseg.data.torchgeo.class_names import NO_COLOUR, MaskValues
from geoseg.data.torchgeo.dataset_factory import DatasetFactory, is_geo_dataset, open_cached, suppress_output
from geoseg.errors import ConfigError, DataError
from geoseg.grid.grid import Grid
from geoseg.raster.raster import Raster


@dataclass(frozen=True)
class SampleReader:
    """Reads the image, mask and grid of the samples of a dataset."""

    mask: str
    """Key of the mask."""
    layer: int | None
    """Index of the mask layer to read, if there are several."""
    by_colour: bool
    """True if torchgeo derives masks from colors; see :class:`DatasetOverrides`."""

    def read(self, dataset: Any, index: int) -> tuple[NDArray[Any], MaskValues | None, Grid]:
        """Read one sample.

        Args:
            dataset: The dataset.
            index: Index of the sample; for a dataset indexed by coordinates, the position of the file in its index.

        Returns:
            The image (band, row, col), the mask (row, col) with torchgeo's values, or None, and the grid of both.

        Raises:
            ConfigError: If the sample has no image, or its mask does not contain classes.
            DataError: If a file is corrupted or missing.
        """
        name = type(dataset).__name__
        if self.by_colour and dataset.colormap[0] != NO_COLOUR:
            dataset.colormap = (NO_COLOUR, *dataset.colormap)
        try:
            with suppress_output(), _select_sample(dataset, index) as (query, grid):
                sample = dataset[query]
        except (OSError, ValueError, LookupError, RuntimeError) as error:
            message = f"torchgeo cannot read sample {index} of {name}: {error}"
            raise DataError(message, "a file is damaged or missing: unpack it again") from error
        if "image" not in sample:
            message = f"samples of torchgeo's {name} have {', '.join(sample)}, but no image"
            raise ConfigError(message, "choose a different dataset")
        image = _to_layers(sample["image"])
        if grid is None or grid.shape != image.shape[1:]:
            grid = Grid(None, Affine.identity(), *image.shape[1:])
        return image, self._to_mask_values(sample[self.mask], grid) if self.mask in sample else None, grid

    def _to_mask_values(self, mask: Any, grid: Grid) -> MaskValues:
        layers = _to_layers(mask)
        if len(layers) > 1 and self.layer not in range(len(layers)):
            hint = f"choose one of 0 to {len(layers) - 1}: --set data.mask_layer=0"
            raise ConfigError(f"torchgeo returns {len(layers)} masks with each image", hint)
        layer = layers[self.layer or 0] if len(layers) > 1 else layers[0]
        if layer.shape != grid.shape or (layer != np.floor(layer)).any():
            raise ConfigError(f"torchgeo's {self.mask} has no classes for the image's pixels", "choose data.mask")
        values = layer.astype(np.int64)
        return np.where(values == 0, UNDECLARED_INDEX, values - 1) if self.by_colour else values


def _to_layers(values: Any) -> NDArray[Any]:
    """Return an array (layer, row, col); time steps become additional layers."""
    array = np.asarray(values)
    return array.reshape(-1, *array.shape[-2:])


@contextlib.contextmanager
def _select_sample(dataset: Any, index: int) -> Iterator[tuple[Any, Grid | None]]:
    """Yield the query of a sample, and the grid of the sample if it is known.

    For a query by coordinates, torchgeo merges all files at that location. The dataset's index is therefore
    temporarily reduced to one file.
    """
    if not is_geo_dataset(dataset):
        yield index, None
        return
    row = dataset.index.iloc[index]
    parts = enumerate(getattr(dataset, "datasets", ()), start=1)  # an intersection consists of images and masks
    selected = [(part, part.index["filepath"] == row[f"filepath_{n}"]) for n, part in parts if f"filepath_{n}" in row]
    selected = selected or [(dataset, np.arange(len(dataset)) == index)]
    full = [(part, part.index) for part, _ in selected]
    west, south, east, north = row.geometry.bounds
    x_res, y_res = dataset.res
    shape = max(round((north - south) / y_res), 1), max(round((east - west) / x_res), 1)
    crs = None if dataset.crs is None else CRS.from_user_input(dataset.crs)
    try:
        for part, is_selected in selected:
            part.index = part.index[is_selected]
        yield (slice(west, east), slice(south, north)), Grid(crs, Affine(x_res, 0, west, 0, -y_res, north), *shape)
    finally:
        for part, full_index in full:
            part.index = full_index


@dataclass(frozen=True)
class TorchgeoSource:
    """One sample of a torchgeo dataset as the source of a scene."""

    factory: DatasetFactory
    """Factory that creates the dataset."""
    index: int
    """Index of the sample."""
    reader: SampleReader
    """Reader for the sample."""
    storage: ArrayStorage
    """Pixel type and label table shared by all scenes."""
    files: tuple[Path, ...] = field(default=(), repr=False)
    """Files of the sample, as far as torchgeo lists them."""

    def read(self) -> tuple[Raster, NDArray[np.uint8] | None]:
        """Return the image and the class indices.

        Raises:
            DataError: If they cannot be read, or do not match the storage of the first scene.
        """
        image, mask, grid = self.reader.read(open_cached(self.factory), self.index)
        raster = self.storage.to_raster(image, grid, f"sample {self.index} of torchgeo's {self.factory.name}")
        return raster, None if mask is None else self.storage.to_class_indices(mask)

    def fingerprint(self) -> tuple[str, int, int]:
        """Return the settings as text, and the size and modification time of the listed files, or else of the folder."""
        stats = [path.stat() for path in self.files or (self.factory.root,)]
        return self._settings(), sum(each.st_size for each in stats), max(each.st_mtime_ns for each in stats)

    def _settings(self) -> str:
        """Return the settings as text for records; any change in this text, even in a name, causes a new conversion."""
        factory, reader, storage = self.factory, self.reader, self.storage
        return (
            f"TorchgeoSource(call=Call(name={factory.name!r}, root={factory.root!r}, arguments={factory.arguments!r}, "
            f"words={factory.label!r}), place={self.index!r}, "
            f"reading=Reading(mask={reader.mask!r}, layer={reader.layer!r}, by_colour={reader.by_colour!r}), "
            f"keeping=Keeping(bands={storage.bands!r}, dtype={storage.dtype!r}, nodata={storage.nodata!r}, "
            f"meaning={storage.indices!r}, classes={storage.class_count!r}))"
        )


def list_sample_files(dataset: Any, index: int) -> tuple[Path, ...]:
    """Return the files of a sample, the image first, as far as torchgeo lists them."""
    if is_geo_dataset(dataset):
        row = dataset.index.iloc[index]
        files = [row[column] for column in row.index if str(column).startswith("filepath")]
    else:
        listed = getattr(dataset, "files", None)
        entry = listed[index] if isinstance(listed, list) and len(listed) == len(dataset) else ()
        files = list(entry.values()) if isinstance(entry, Mapping) else [entry]
    return tuple(Path(each) for each in files if isinstance(each, str | os.PathLike) and Path(each).is_file())
