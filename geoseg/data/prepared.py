"""Prepared scenes: pixels and class indices that can be cut at any window in microseconds."""

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.contiguous import map_pixels
from geoseg.raster.statistics import BandStatistics

MANIFEST = "manifest.json"
"""Written last: a folder without it is not finished."""


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
    """Metres per pixel; None without CRS."""
    valid_pixels: int = 0
    """Pixels that are not nodata."""
    class_pixels: tuple[int, ...] = ()
    """Labelled pixels per class."""
    unknown: str = ""
    """What stood in the label file that is not declared, as text; empty if nothing."""

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

    @cached_property
    def image(self) -> NDArray[Any]:
        """Pixels (row, col, band), mapped."""
        return map_pixels(self.image_path)

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """Class indices (row, col), mapped."""
        return map_pixels(self.mask_path)[..., 0]

    @cached_property
    def valid(self) -> NDArray[np.uint8] | None:
        """1 where the image has data (row, col), mapped; None if it has data everywhere."""
        return map_pixels(self.valid_path)[..., 0] if self.valid_pixels < self.height * self.width else None

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: another process maps the files anew instead of being sent their pixels."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def labels(self, window: Window) -> NDArray[np.uint8]:
        """Class indices of the part of a window that lies inside the scene."""
        return self.mask[window.clip_to(self.height, self.width).slices()]

    def cut(self, window: Window) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.bool_]]:
        """(image (row, col, band), class indices (row, col), valid (row, col)) of a window, padded outside the scene."""
        inside = window.clip_to(self.height, self.width)
        rows, cols = inside.slices()
        image = np.zeros((*window.shape, self.image.shape[2]), self.image.dtype)
        target = np.full(window.shape, IGNORE_INDEX, np.uint8)
        valid = np.zeros(window.shape, bool)
        place = inside.relative_to(window).slices()
        image[place] = self.image[rows, cols]
        target[place] = self.mask[rows, cols]
        valid[place] = True if self.valid is None else self.valid[rows, cols] > 0
        return image, target, valid

    def to_dict(self) -> dict[str, Any]:
        """The scene as it stands in the manifest."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}


@dataclass(frozen=True)
class Prepared:
    """A prepared folder: everything training needs to know about its data."""

    folder: Path
    """Where it lies."""
    digest: str
    """Changes when a source file, a label or the declaration changes."""
    legend: Legend
    """Classes in the order of their indices."""
    bands: tuple[str, ...]
    """Band names, in order."""
    dtype: str
    """Pixel type (numpy name)."""
    gsd: float | None
    """Metres per pixel of the training scenes (their median); None without CRS."""
    statistics: tuple[BandStatistics, ...]
    """Per band, over the valid pixels of the training scenes."""
    all_scenes: tuple[PreparedScene, ...]
    """Every scene of every split."""

    def scenes(self, split: str) -> tuple[PreparedScene, ...]:
        """The scenes of a split; :class:`DataError` if there are none."""
        found = tuple(scene for scene in self.all_scenes if scene.split == split)
        if not found:
            raise DataError(f"there is no scene in the split {split!r}", "name scenes for it in data.splits")
        return found

    def save(self) -> None:
        """Writes the manifest, whole or not at all."""
        content = {
            "digest": self.digest,
            "legend": json.loads(self.legend.to_json()),
            "bands": self.bands,
            "dtype": self.dtype,
            "gsd": self.gsd,
            "statistics": [asdict(band) for band in self.statistics],
            "scenes": [scene.to_dict() for scene in self.all_scenes],
        }
        part = self.folder / f".{MANIFEST}.part"
        part.write_text(json.dumps(content, indent=1), "utf-8")
        part.replace(self.folder / MANIFEST)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The finished folder; None if it is not there or not finished."""
        try:
            content = json.loads((folder / MANIFEST).read_text("utf-8"))
            scenes = [row | {"class_pixels": tuple(row["class_pixels"]), "folder": folder} for row in content["scenes"]]
            return cls(
                folder,
                content["digest"],
                Legend.from_json(json.dumps(content["legend"])),
                tuple(content["bands"]),
                content["dtype"],
                content["gsd"],
                tuple(BandStatistics(**band) for band in content["statistics"]),
                tuple(PreparedScene(**row) for row in scenes),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
