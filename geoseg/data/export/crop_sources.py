"""Sources of exported crops: raster files with or without labels, and prepared scenes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import RASTER_SUFFIXES, VRT_SUFFIX
from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset
from geoseg.errors import DataError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.discovery import match_by_name
from geoseg.raster.scene import Scene

SCENE_SUFFIXES = {*RASTER_SUFFIXES, VRT_SUFFIX}
"""File extensions of scenes in a folder."""


class WindowPixels(NamedTuple):
    """The pixels of one window of a source."""

    values: NDArray[Any]
    """Image (band, row, col); 0 where not valid."""
    valid: NDArray[np.bool_]
    """(row, col); True where the image has data."""
    target: NDArray[np.uint8] | None
    """Class indices (row, col), 255 where not labeled; None if there is no label file."""


@dataclass(frozen=True)
class CropSource:
    """An image with its labels and validity mask, which are cut into the same windows."""

    name: str
    """Name of the scene."""
    image: Path
    """Raster file."""
    label: Path | None = None
    """Raster file with one 8-bit band on the grid of the image."""
    valid: Path | None = None
    """Raster file with one band that is above 0 where the image has data; None to use the validity of the image file."""
    split: str = ""
    """Split of the scene, if it is a prepared scene."""
    dataset: str = ""
    """Dataset of the scene, if it is a prepared scene."""

    @property
    def stem(self) -> str:
        """Prefix of the names of its crops."""
        return self.image.stem


class CropSourceReader:
    """Context manager that reads windows of a source.

    Raises:
        SceneError: If a file cannot be opened.
        DataError: If the label does not match the image.
    """

    def __init__(self, source: CropSource) -> None:
        self.image = Scene.open(source.image)
        self.label = None if source.label is None else Scene.open(source.label)
        self.valid = None if source.valid is None else Scene.open(source.valid)
        if self.label is not None:
            self._require_match(source, self.label)

    def read(self, window: Window) -> WindowPixels:
        """Return the pixels of a window, which may extend beyond the image."""
        image = self.image.read(window)
        valid = image.valid if self.valid is None else image.valid & (self.valid.read(window).values[0] > 0)
        if self.label is None:
            return WindowPixels(image.values, valid, None)
        labels = self.label.read(window, nearest=True)
        return WindowPixels(image.values, valid, labels.fill(IGNORE_INDEX)[0])

    @property
    def grid(self) -> Grid:
        """Grid of the image."""
        return self.image.grid

    def _require_match(self, source: CropSource, label: Scene) -> None:
        if label.grid.shape != self.image.grid.shape or len(label.bands) != 1 or label.dtype != np.uint8:
            (h, w), (height, width) = label.grid.shape, self.image.grid.shape
            raise DataError(
                f"{source.label} has {h} x {w} pixels and {len(label.bands)} {label.dtype} band(s), "
                f"but its image has {height} x {width} pixels",
                "labels must have one 8-bit band and the size of the image; convert colored labels with geoseg prepare",
            )
        self.image.grid.require_same_place(label.grid, str(source.image), str(source.label))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self.image, self.label, self.valid):
            if file is not None:
                file.close()


def find_crop_sources(paths: Sequence[str | Path], labels: str | Path | None = None) -> list[CropSource]:
    """Find the scenes in files, folders and prepared folders.

    Args:
        paths: Raster files, folders of raster files, or folders written by :func:`geoseg.prepare`.
        labels: Folder of label rasters with the same names as the scenes.

    Raises:
        DataError: If there are no scenes, two scenes have the same name, or a label is missing.
    """
    sources = [
        source for path in paths for source in _list_sources(Path(path), None if labels is None else Path(labels))
    ]
    if not sources:
        raise DataError(f"there is no scene in {', '.join(map(str, paths))}", "specify raster files or folders of them")
    (_, stem), count = Counter((source.split, source.stem) for source in sources).most_common(1)[0]
    if count > 1:
        raise DataError(f"two scenes are named {stem}", "export them separately: their crops would have the same names")
    return sources


def _list_sources(path: Path, labels: Path | None) -> Iterator[CropSource]:
    if (path / MANIFEST_NAME).is_file():
        yield from _list_prepared(path)
        return
    images = _list_rasters(path) if path.is_dir() else [path]
    if labels is None:
        yield from (CropSource(image.stem, image) for image in images)
        return
    candidates = _list_rasters(labels) if labels.is_dir() else []
    matches = match_by_name(images, candidates, folder=labels, kind="label")
    yield from (CropSource(image.stem, image, label) for image, label in zip(images, matches, strict=True))


def _list_rasters(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir())
    return [file for file in files if file.suffix.lower() in SCENE_SUFFIXES and not file.name.startswith(".")]


def _list_prepared(folder: Path) -> Iterator[CropSource]:
    prepared = PreparedDataset.load(folder)
    if prepared is None:
        raise DataError(f"{folder} was prepared by a different version of geoseg", "prepare it again")
    for scene in prepared.all_scenes:
        yield CropSource(
            scene.name,
            scene.image_path,
            scene.mask_path if scene.labelled else None,
            scene.valid_path if scene.valid is not None else None,
            scene.split,
            str(prepared.declaration.get("dataset", "")),
        )
