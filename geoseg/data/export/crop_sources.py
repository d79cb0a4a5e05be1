"""What can be cut into crops on disk: raster files with or without labels, and prepared scenes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.data.preparation.prepared_dataset import MANIFEST, Prepared
from geoseg.errors import DataError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

SUFFIXES = {".tif", ".tiff", ".vrt", ".png", ".jpg", ".jpeg", ".jp2", ".img"}
"""Files in a folder that are taken for scenes."""


class Piece(NamedTuple):
    """The pixels under a window."""

    values: NDArray[Any]
    """(band, row, col); 0 where not valid."""
    valid: NDArray[np.bool_]
    """(row, col); True where the scene has data."""
    target: NDArray[np.uint8] | None
    """Labels (row, col), 255 where there are none; None without a label file."""


@dataclass(frozen=True)
class CutScene:
    """Files that are cut along the same windows."""

    name: str
    """The scene's name."""
    image: Path
    """Raster file."""
    label: Path | None = None
    """One band of 8 bit on the image's grid."""
    valid: Path | None = None
    """One band, above 0 where the image has data; None: as the image file says."""
    split: str = ""
    """The split it belongs to, if it is prepared."""
    dataset: str = ""
    """The dataset it was prepared from."""

    @property
    def stem(self) -> str:
        """What its crops' names begin with."""
        return self.image.stem


class OpenScene:
    """A scene being cut; a context manager."""

    def __init__(self, scene: CutScene) -> None:
        self.image = Scene.open(scene.image)
        self.label = None if scene.label is None else Scene.open(scene.label)
        self.valid = None if scene.valid is None else Scene.open(scene.valid)
        if self.label is not None:
            self._refuse_misfit(scene, self.label)

    def cut(self, window: Window) -> Piece:
        """The pixels of a window, which may reach outside."""
        image = self.image.read(window)
        valid = image.valid if self.valid is None else image.valid & (self.valid.read(window).values[0] > 0)
        if self.label is None:
            return Piece(image.values, valid, None)
        labels = self.label.read(window, nearest=True)
        return Piece(image.values, valid, labels.fill(IGNORE_INDEX)[0])

    @property
    def grid(self) -> Grid:
        """Where the image lies."""
        return self.image.grid

    def _refuse_misfit(self, scene: CutScene, label: Scene) -> None:
        if label.grid.shape != self.image.grid.shape or len(label.bands) != 1 or label.dtype != np.uint8:
            (h, w), (height, width) = label.grid.shape, self.image.grid.shape
            raise DataError(
                f"{scene.label} holds {h} x {w} pixels, {len(label.bands)} bands of {label.dtype}, "
                f"its image has {height} x {width} pixels",
                "labels have one band of 8 bit and the image's size; prepare coloured ones first (geoseg prepare)",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self.image, self.label, self.valid):
            if file is not None:
                file.close()


def find_scenes(paths: Sequence[str | Path], labels: str | Path | None = None) -> list[CutScene]:
    """The scenes in files, folders and prepared folders; :class:`DataError` if there are none, or a label is missing.

    ``labels`` is a folder with a raster for each scene, of the same name but for the suffix.
    """
    found = [scene for path in paths for scene in _at(Path(path), None if labels is None else Path(labels))]
    if not found:
        raise DataError(f"there is no scene in {', '.join(map(str, paths))}", "give raster files, or folders of them")
    stems = [(scene.split, scene.stem) for scene in found]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None) if len(set(stems)) < len(stems) else None
    if twice is not None:
        raise DataError(f"two scenes are called {twice[1]}", "their crops would have the same names; cut them apart")
    return found


def _at(path: Path, labels: Path | None) -> Iterator[CutScene]:
    if (path / MANIFEST).is_file():
        yield from _prepared(path)
    elif path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
                yield CutScene(file.stem, file, _label(file, labels))
    else:
        yield CutScene(path.stem, path, _label(path, labels))


def _prepared(folder: Path) -> Iterator[CutScene]:
    prepared = Prepared.load(folder)
    if prepared is None:
        raise DataError(f"{folder} was prepared by another version of geoseg", "prepare it again")
    for scene in prepared.all_scenes:
        yield CutScene(
            scene.name,
            scene.image_path,
            scene.mask_path if scene.labelled else None,
            scene.valid_path if scene.valid is not None else None,
            scene.split,
            str(prepared.declaration.get("dataset", "")),
        )


def _label(image: Path, labels: Path | None) -> Path | None:
    if labels is None:
        return None
    fitting = [file for file in sorted(labels.glob(f"{image.stem}.*")) if file.suffix.lower() in SUFFIXES]
    if not fitting:
        raise DataError(f"{labels} holds no label for {image.name}", f"it should be called {image.stem}.tif or .png")
    return fitting[0]
