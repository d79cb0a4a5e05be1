"""Prepared scenes: a folder of images, masks and statistics from which windows can be read in microseconds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import atomic_path
from geoseg.data.preparation.class_locations import ClassLocations
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.formats.memmap_geotiff import open_memmap
from geoseg.raster.formats.tiled_geotiff import CompressedPixels
from geoseg.raster.statistics import BandStatistics

MANIFEST_NAME = "manifest.json"
"""Name of the file that is written last; a folder without it is incomplete."""

FORMAT_VERSION = 2
"""Version of the prepared files; folders with a different version are prepared again."""

PIXEL_RULES_VERSION = 2
"""Version of the rules for reading pixels, stored for each scene: which pixels are valid, which values of a label file are
classes, and which bands have which names. Increase it when these rules change; scenes converted under older rules remain
readable, and are converted again if their source files are available. Version 2 determines the validity of a pixel from all
bands, excludes only declared values of label files, and does not rely on the band names in the file alone."""

OLDEST_PIXEL_RULES = 1
"""Version of the rules for scenes without a version."""

PixelArray = NDArray[Any] | CompressedPixels
"""Pixels that can be read with ``pixels[rows, cols]``: a memory map, or a compressed file read with GDAL."""


@dataclass(frozen=True)
class PreparedScene:
    """One scene in a prepared folder. The field names are the keys in the manifest."""

    name: str
    """Name of the scene in the dataset."""
    split: str
    """Split that the scene belongs to."""
    folder: Path
    """Prepared folder."""
    stem: str
    """Name of its files, without folder and extension."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""
    gsd: float | None
    """Ground sampling distance in meters per pixel; None if unknown."""
    valid_pixels: int = 0
    """Number of pixels that are not nodata."""
    class_pixels: tuple[int, ...] = ()
    """Number of labeled pixels of each class."""
    unknown: str = ""
    """Undeclared colors or values of the label file, as text for messages; empty if there are none."""
    unknown_share: float = 0.0
    """Fraction of the pixels that have an undeclared color or value."""
    label_notes: tuple[str, ...] = ()
    """Notes on what was skipped, repaired or ambiguous in a vector file of labels, one sentence each."""
    touches: bool = True
    """False if the label file is a vector file and none of its polygons contains the center of a pixel."""
    assumed_pixels: int = 0
    """Number of pixels with the undeclared value 255, which count as not labeled."""
    labelled: bool = True
    """False for a scene without a mask, either because it has no label file or because its labels are withheld."""
    compressed: bool = False
    """True if its files are compressed and therefore cannot be memory-mapped."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Groups that the scene belongs to, keyed by kind of group, for example its domain."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digests of the image and mask pixels."""
    pixel_rules: int = OLDEST_PIXEL_RULES
    """Value of :data:`PIXEL_RULES_VERSION` when it was converted."""

    @property
    def image_path(self) -> Path:
        """Path of the raster file that contains all bands of the image."""
        return self.folder / "images" / f"{self.stem}.tif"

    @property
    def mask_path(self) -> Path:
        """Path of the raster file of class indices, which are 255 where not labeled."""
        return self.folder / "masks" / f"{self.stem}.tif"

    @property
    def valid_path(self) -> Path:
        """Path of the validity mask, which is 1 where the image has data; it exists only if some pixels have no data."""
        return self.folder / "valid" / f"{self.stem}.tif"

    @property
    def class_locations_path(self) -> Path:
        """Path of the file with the :class:`ClassLocations`; it exists only for labeled scenes."""
        return self.folder / "cells" / f"{self.stem}.npz"

    @property
    def has_current_rules(self) -> bool:
        """True if its pixels were read under the current rules."""
        return self.pixel_rules == PIXEL_RULES_VERSION

    @property
    def is_complete(self) -> bool:
        """True if all of its files exist."""
        paths = [self.image_path]
        paths += [self.mask_path, self.class_locations_path] if self.labelled else []
        paths += [self.valid_path] if self.valid_pixels < self.height * self.width else []
        return all(path.is_file() for path in paths)

    @cached_property
    def image(self) -> PixelArray:
        """Pixels (row, col, band)."""
        return CompressedPixels(self.image_path) if self.compressed else open_memmap(self.image_path)

    @cached_property
    def mask(self) -> PixelArray:
        """Class indices (row, col) of a labeled scene."""
        assert self.labelled, f"{self.name} has no labels"
        return self._open_band(self.mask_path)

    @cached_property
    def valid(self) -> PixelArray | None:
        """Validity mask (row, col), which is 1 where the image has data; None if it has data everywhere."""
        return self._open_band(self.valid_path) if self.valid_pixels < self.height * self.width else None

    @cached_property
    def class_locations(self) -> ClassLocations:
        """The locations of each class in a labeled scene."""
        return ClassLocations.load(self.class_locations_path)

    def _open_band(self, path: Path) -> PixelArray:
        return CompressedPixels(path, band=0) if self.compressed else open_memmap(path)[..., 0]

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields without open files, because each process must open the files itself."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def read_mask(self, window: Window) -> NDArray[np.uint8]:
        """Return the class indices (row, col) of a window, clipped to the scene."""
        rows, cols = window.clip_to(self.height, self.width).slices()
        return self.mask[rows, cols]

    def read_valid(self, window: Window) -> NDArray[np.bool_]:
        """Return the validity mask (row, col) of a window, clipped to the scene."""
        inside = window.clip_to(self.height, self.width)
        rows, cols = inside.slices()
        return np.ones(inside.shape, bool) if self.valid is None else self.valid[rows, cols] > 0

    def read(self, window: Window) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.bool_]]:
        """Read a window, padded where it extends beyond the scene.

        Returns:
            The image (row, col, band), 0 outside the scene; the class indices (row, col), 255 outside the scene or if
            there are no labels; and the validity mask (row, col), False outside the scene.
        """
        inside = window.clip_to(self.height, self.width)
        rows, cols = inside.slices()
        if inside == window and self.labelled:
            return np.array(self.image[rows, cols]), np.array(self.mask[rows, cols]), self.read_valid(window)
        image = np.zeros((*window.shape, self.image.shape[2]), self.image.dtype)
        target = np.full(window.shape, IGNORE_INDEX, np.uint8)
        valid = np.zeros(window.shape, bool)
        covered = inside.relative_to(window).slices()
        image[covered] = self.image[rows, cols]
        valid[covered] = self.read_valid(inside)
        if self.labelled:
            target[covered] = self.mask[rows, cols]
        return image, target, valid

    def to_dict(self) -> dict[str, Any]:
        """Return the scene's entry in the manifest."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], folder: Path) -> Self:
        """Return the scene in a folder from a manifest entry created by :meth:`to_dict`."""
        lists = {key: tuple(content[key]) for key in ("class_pixels", "label_notes") if key in content}
        return cls(**{**content, **lists, "folder": folder})


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared folder: the scenes of all splits, with the metadata needed for training."""

    folder: Path
    """The prepared folder."""
    digest: str
    """Digest of the classes, bands, splits and prepared pixels; identical for identical data in any folder."""
    sources: str
    """Digest of the declaration and of the state of all source files."""
    declaration: Mapping[str, Any]
    """The recipe's data section, without its paths."""
    legend: Legend
    """Classes in the order of their indices."""
    bands: tuple[str, ...]
    """Band names, in order."""
    dtype: str
    """Pixel type (numpy name)."""
    gsd: float | None
    """Ground sampling distance of the scenes in meters per pixel (median); None if unknown."""
    statistics: tuple[BandStatistics, ...]
    """Statistics of each band, over the valid pixels of the training scenes."""
    all_scenes: tuple[PreparedScene, ...]
    """Scenes of all splits."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Information to store in the card of a model trained on the data: domains, protocol, license."""

    def scenes(self, split: str) -> tuple[PreparedScene, ...]:
        """Return the scenes of a split.

        Raises:
            DataError: If the split has no scenes.
        """
        scenes = tuple(scene for scene in self.all_scenes if scene.split == split)
        if not scenes:
            raise DataError(f"there is no scene in the split {split!r}", "add scenes to it in data.splits")
        return scenes

    def class_pixels(self, split: str = "train") -> NDArray[np.int64]:
        """Return the number of labeled pixels of each class in a split."""
        counts = [scene.class_pixels for scene in self.scenes(split) if scene.labelled]
        total: NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
        return total

    def save(self) -> None:
        """Write the manifest atomically."""
        content = {
            "format": FORMAT_VERSION,
            "digest": self.digest,
            "sources": self.sources,
            "declaration": self.declaration,
            "legend": json.loads(self.legend.to_json()),
            "bands": self.bands,
            "dtype": self.dtype,
            "gsd": self.gsd,
            "statistics": [asdict(band) for band in self.statistics],
            "about": self.about,
            "scenes": [scene.to_dict() for scene in self.all_scenes],
        }
        path = self.folder / MANIFEST_NAME
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the manifest of a folder; None if there is none or it is from a different version of geoseg."""
        try:
            content = json.loads((folder / MANIFEST_NAME).read_text("utf-8"))
            if content["format"] != FORMAT_VERSION:
                return None
            return cls(
                folder=folder,
                digest=content["digest"],
                sources=content["sources"],
                declaration=content["declaration"],
                legend=Legend.from_json(json.dumps(content["legend"])),
                bands=tuple(content["bands"]),
                dtype=content["dtype"],
                gsd=content["gsd"],
                statistics=tuple(BandStatistics(**band) for band in content["statistics"]),
                all_scenes=tuple(PreparedScene.from_dict(row, folder) for row in content["scenes"]),
                about=content["about"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
