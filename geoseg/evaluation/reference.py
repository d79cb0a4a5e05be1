"""What is right for a mask or a scene: a raster or polygons, in the mask's classes and on its grid."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geoseg._files import VECTOR_SUFFIXES
from geoseg.data.label_encoding import Encoding, encoding, kind_of
from geoseg.data.label_reader import LabelReader
from geoseg.errors import ConfigError, DataError, GridMismatch
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.scene import Scene


@dataclass(frozen=True)
class ReferenceOptions:
    """How a reference is to be understood."""

    column: str | None = None
    """Attribute of polygons that names their class."""
    polygon_class: str | None = None
    """Class of all polygons; None: the legend's last."""
    background: str | None = None
    """Class outside polygons; None: no pixel there counts."""
    resample: bool = False
    """Look up references on another grid instead of refusing them."""

    ignore: tuple[str, ...] = ()
    """Numbers or colours (``#rrggbb``) of rasters that mean "not labelled"."""

    @property
    def about_polygons(self) -> bool:
        """True if something was said that only polygons have."""
        return any((self.column, self.polygon_class, self.background))


class Labels(Protocol):
    """Class indices on the grid that is judged."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (row, col) of a window inside the grid; 255 where not labelled."""


@contextmanager
def open_reference(path: Path, grid: Grid, legend: Legend, options: ReferenceOptions) -> Iterator[Labels]:
    """The labels in a file, on ``grid`` and in the classes of ``legend``.

    A raster's classes are matched by name where it has a legend, by colour or by index otherwise; polygons may be in any
    CRS. A raster on another grid raises :class:`GridMismatch` unless ``options.resample``; values that are no class raise
    :class:`DataError` when everything was read.
    """
    meaning = _meaning(path, legend, options)
    if meaning.kind == "polygon":
        with closing(LabelReader(path, grid, meaning)) as reader:
            yield reader
        return
    with Scene.open(path) as scene:
        own = scene.grid
    fits = _is_same(own, grid)
    if not fits:
        _require_resampling(own, grid, str(path), allowed=options.resample)
    with closing(LabelReader(path, grid if fits else own, meaning)) as reader:
        yield reader if fits else NearestLabels(reader, grid)
        _require_known(reader)


@dataclass(frozen=True)
class NearestLabels:
    """Labels of another grid, in another CRS maybe: of each pixel, those at its centre."""

    reader: LabelReader
    """Reads them on their own grid."""
    grid: Grid
    """The grid to read them on."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (row, col); 255 where not labelled, and outside the reference."""
        rows, cols = self._places(window)
        own = self.reader.grid
        inside = (rows >= 0) & (rows < own.height) & (cols >= 0) & (cols < own.width)
        labels = np.full(window.shape, IGNORE_INDEX, np.uint8)
        if inside.any():
            rows, cols = rows[inside], cols[inside]
            row, col = int(rows.min()), int(cols.min())
            part = self.reader.read(Window(row, col, int(rows.max()) - row + 1, int(cols.max()) - col + 1))
            labels[inside] = part[rows - row, cols - col]
        return labels

    def _places(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of the reference's pixel under the centre of each pixel of the window; -1 where there is none."""
        own = self.reader.grid
        row, col = np.meshgrid(*(np.arange(size) + 0.5 for size in window.shape), indexing="ij")
        t = self.grid.window_transform(window)
        x, y = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
        if self.grid.crs is not None and self.grid.crs != own.crs:
            x, y = Transformer.from_crs(self.grid.crs, own.crs, always_xy=True).transform(x, y)
        t = ~own.transform
        places = t.d * x + t.e * y + t.f, t.a * x + t.b * y + t.c
        rows, cols = (np.floor(np.where(np.isfinite(place), place, -1)).astype(np.int64) for place in places)
        return rows, cols


def _meaning(path: Path, legend: Legend, options: ReferenceOptions) -> Encoding:
    """How a reference writes the classes of ``legend``."""
    if path.suffix.lower() in VECTOR_SUFFIXES:
        return encoding(
            legend, "polygon",
            column=options.column, polygon_class=options.polygon_class, background=options.background,
        )  # fmt: skip
    if options.about_polygons:
        raise ConfigError(
            f"{path} is a raster, so it has no attributes", "column, class and background are for polygons"
        )
    with Scene.open(path) as scene:
        if scene.legend is None:
            kind = kind_of(path, len(scene.bands), has_palette=False)
            return encoding(legend, kind, ignore=[_value(word) for word in options.ignore])
        table = scene.legend.mapping_to(legend)
        return Encoding("index", values={i: int(table[i]) for i in (*range(len(scene.legend)), IGNORE_INDEX)})


def _value(word: str) -> int | str:
    """What stands in a label file: a number, or a colour."""
    return int(word) if word.lstrip("-").isdecimal() else word


def _is_same(own: Grid, grid: Grid) -> bool:
    """True if pixels lie on each other; where one says nothing of where it lies, size is all there is."""
    return own.shape == grid.shape and (own.crs is None or grid.crs is None or grid.same_as(own))


def _require_resampling(own: Grid, grid: Grid, path: str, *, allowed: bool) -> None:
    """:class:`GridMismatch` unless labels on another grid may, and can, be looked up."""
    hint = "add --resample to take the reference's pixel nearest to each of the mask, or warp one of them (gdalwarp)"
    if not allowed:
        try:
            grid.require_same(own, "the mask", path)
        except GridMismatch as mismatch:
            raise GridMismatch(mismatch.message, hint) from None
    if (own.crs is None) != (grid.crs is None):
        which = path if own.crs is None else "the mask"
        raise GridMismatch(f"{which} does not say where it lies, so nothing can be resampled", "give it its CRS")


def _require_known(reader: LabelReader) -> None:
    if reader.unknown:
        raise DataError(
            f"{reader.label}: {reader.unknown_share():.2%} of the pixels are no class of the mask: {reader.unknown_text()}",
            "what means not labelled is named by --ignore; else mask and reference must use the same classes",
        )
