"""Prepared scenes: pixels and class indices that can be cut at any window in microseconds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._files import part_path
from geoseg.data.preparation.class_locations import Cells
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.formats.compressed_geotiff import CompressedPixels
from geoseg.raster.formats.memmap_geotiff import map_pixels
from geoseg.raster.statistics import BandStatistics

MANIFEST = "manifest.json"
"""Written last: a folder without it is not finished."""

FORMAT = 2
"""Changes when scenes would be prepared differently, so that folders of older versions are made again."""

Pixels = NDArray[Any] | CompressedPixels
"""What is cut by ``pixels[rows, cols]``: mapped into memory, or read through GDAL."""


@dataclass(frozen=True)
class PreparedScene:
    """One labelled scene in a prepared folder."""

    name: str
    """The scene's name in its dataset."""
    split: str
    """The split it belongs to."""
    folder: Path
    """The prepared folder."""
    stem: str
    """File name of its rasters, without folder and suffix."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""
    gsd: float | None
    """Metres per pixel; None if unknown."""
    valid_pixels: int = 0
    """Pixels that are not nodata."""
    class_pixels: tuple[int, ...] = ()
    """Labelled pixels per class."""
    unknown: str = ""
    """What stood in the label file that is not declared, as text; empty if nothing."""
    unknown_share: float = 0.0
    """Share of the pixels that have an undeclared colour or value."""
    labelled: bool = True
    """False for a scene that has no label, or whose label must not be seen: there is no mask then."""
    compressed: bool = False
    """True if its files are compressed, and cannot be mapped."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What it shares with others, the domain for instance, by name of the group."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digests of the pixels of image and mask."""

    @property
    def image_path(self) -> Path:
        """The image, all bands, uncompressed."""
        return self.folder / "images" / f"{self.stem}.tif"

    @property
    def mask_path(self) -> Path:
        """Class indices, 255 where not labelled."""
        return self.folder / "masks" / f"{self.stem}.tif"

    @property
    def valid_path(self) -> Path:
        """1 where the image has data; only there if some pixel has none."""
        return self.folder / "valid" / f"{self.stem}.tif"

    @property
    def cells_path(self) -> Path:
        """Where each class lies; see :mod:`geoseg.data.preparation.class_locations`. Not there without labels."""
        return self.folder / "cells" / f"{self.stem}.npz"

    @property
    def is_whole(self) -> bool:
        """True if all its files are there."""
        paths = [self.image_path]
        paths += [self.mask_path, self.cells_path] if self.labelled else []
        paths += [self.valid_path] if self.valid_pixels < self.height * self.width else []
        return all(path.is_file() for path in paths)

    @cached_property
    def image(self) -> Pixels:
        """Pixels (row, col, band)."""
        return CompressedPixels(self.image_path) if self.compressed else map_pixels(self.image_path)

    @cached_property
    def mask(self) -> Pixels:
        """Class indices (row, col); there is none without labels."""
        assert self.labelled, f"{self.name} has no labels"
        return self._band(self.mask_path)

    @cached_property
    def valid(self) -> Pixels | None:
        """1 where the image has data (row, col); None if it has data everywhere."""
        return self._band(self.valid_path) if self.valid_pixels < self.height * self.width else None

    @cached_property
    def cells(self) -> Cells:
        """Where each class lies; there are none without labels."""
        with np.load(self.cells_path) as arrays:
            return Cells(**arrays)

    def _band(self, path: Path) -> Pixels:
        return CompressedPixels(path, band=0) if self.compressed else map_pixels(path)[..., 0]

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: another process maps the files anew instead of being sent their pixels."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def labels(self, window: Window) -> NDArray[np.uint8]:
        """Class indices of the part of a window that lies inside the scene."""
        rows, cols = window.clip_to(self.height, self.width).slices()
        return self.mask[rows, cols]

    def validity(self, window: Window) -> NDArray[np.bool_]:
        """True where the image has data, of the part of a window that lies inside the scene."""
        inside = window.clip_to(self.height, self.width)
        rows, cols = inside.slices()
        return np.ones(inside.shape, bool) if self.valid is None else self.valid[rows, cols] > 0

    def cut(self, window: Window) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.bool_]]:
        """(image (row, col, band), class indices (row, col), valid (row, col)) of a window, padded outside the scene."""
        inside = window.clip_to(self.height, self.width)
        rows, cols = inside.slices()
        if inside == window and self.labelled:
            return np.array(self.image[rows, cols]), np.array(self.mask[rows, cols]), self.validity(window)
        image = np.zeros((*window.shape, self.image.shape[2]), self.image.dtype)
        target = np.full(window.shape, IGNORE_INDEX, np.uint8)
        valid = np.zeros(window.shape, bool)
        place = inside.relative_to(window).slices()
        image[place] = self.image[rows, cols]
        valid[place] = self.validity(inside)
        if self.labelled:
            target[place] = self.mask[rows, cols]
        return image, target, valid

    def to_dict(self) -> dict[str, Any]:
        """The scene as it stands in the manifest."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}


def scene_from(content: Mapping[str, Any], folder: Path) -> PreparedScene:
    """The scene that :meth:`PreparedScene.to_dict` wrote, in a folder."""
    return PreparedScene(**{**content, "class_pixels": tuple(content["class_pixels"]), "folder": folder})


@dataclass(frozen=True)
class Prepared:
    """A prepared folder: everything training needs to know about its data."""

    folder: Path
    """Where it lies."""
    digest: str
    """Fingerprint of classes, bands, splits and every prepared pixel: equal data have equal ones, wherever they lie."""
    sources: str
    """Changes when a source file or the declaration does."""
    declaration: Mapping[str, Any]
    """What the recipe's data section said, without its paths."""
    legend: Legend
    """Classes in the order of their indices."""
    bands: tuple[str, ...]
    """Band names, in order."""
    dtype: str
    """Pixel type (numpy name)."""
    gsd: float | None
    """Metres per pixel of the training scenes (their median); None if unknown."""
    statistics: tuple[BandStatistics, ...]
    """Per band, over the valid pixels of the training scenes."""
    all_scenes: tuple[PreparedScene, ...]
    """Every scene of every split."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What a model that learns from it should remember: domains, protocol, licence."""

    def scenes(self, split: str) -> tuple[PreparedScene, ...]:
        """The scenes of a split; :class:`DataError` if there are none."""
        found = tuple(scene for scene in self.all_scenes if scene.split == split)
        if not found:
            raise DataError(f"there is no scene in the split {split!r}", "name scenes for it in data.splits")
        return found

    def class_pixels(self, split: str = "train") -> NDArray[np.int64]:
        """Labelled pixels of each class in a split."""
        counts = [scene.class_pixels for scene in self.scenes(split) if scene.labelled]
        total: NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
        return total

    def save(self) -> None:
        """Writes the manifest, whole or not at all."""
        content = {
            "format": FORMAT,
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
        path = self.folder / MANIFEST
        part = part_path(path)
        part.write_text(json.dumps(content, indent=1), "utf-8")
        part.replace(path)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The finished folder; None if it is not there, not finished, or made by another version of geoseg."""
        try:
            content = json.loads((folder / MANIFEST).read_text("utf-8"))
            if content["format"] != FORMAT:
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
                all_scenes=tuple(scene_from(row, folder) for row in content["scenes"]),
                about=content["about"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
