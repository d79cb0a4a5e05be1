"""References of masks and scenes: matched by file name, and read on the mask's grid and in its classes."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.data.label_encoding import LabelEncoding, build_encoding, guess_kind
from geoseg.data.label_reader import LabelReader
from geoseg.errors import ConfigError, DataError, GridMismatch
from geoseg.evaluation.options import EvaluationOptions
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.discovery import is_collection, list_rasters_and_layers, match_by_name, scene_name
from geoseg.raster.scene import Scene


@dataclass(frozen=True)
class SceneFiles:
    """The files of one evaluated scene."""

    name: str
    """Name of the scene; unique."""
    path: Path
    """Mask or scene."""
    reference: Path
    """Reference raster or vector file."""
    confidence: Path | None = None
    """Raster of confidence or class probabilities."""
    image: Path | None = None
    """Scene that a mask was predicted from."""


def match_files(
    source: str | Path,
    reference: str | Path,
    *,
    confidence: str | Path | None = None,
    image: str | Path | None = None,
) -> list[SceneFiles]:
    """Match every mask or scene with the other files of the same name.

    One vector file may be the reference of many masks. If both are single files, they match regardless of their names.

    Args:
        source: Mask or scene: a file, a folder or a pattern.
        reference: References: a file, a folder or a pattern.
        confidence: Rasters of confidence or class probabilities.
        image: Scenes that the masks were predicted from.

    Raises:
        DataError: A folder is empty, or a reference, confidence or image is missing.
    """
    files = [Path(path) for path in list_rasters_and_layers(str(source))]
    optional = [
        [None] * len(files) if word is None else _match(files, str(word), kind)
        for word, kind in ((confidence, "confidence"), (image, "scene"))
    ]
    references = _match(files, str(reference), "reference")
    return [SceneFiles(*each) for each in zip(_unique_names(files), files, references, *optional, strict=True)]


def _match(files: Sequence[Path], word: str, kind: str) -> list[Path]:
    """Return the matching file of each file."""
    if not is_collection([word]) and (len(files) == 1 or Path(word).suffix.lower() in VECTOR_SUFFIXES):
        return [Path(word)] * len(files)
    return match_by_name(files, map(Path, list_rasters_and_layers(word)), folder=word, kind=kind)


def _unique_names(files: Sequence[Path]) -> list[str]:
    """Return short names, or whole paths if short names are not unique."""
    names = [scene_name(file) for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


class ReferenceLabels(Protocol):
    """Class indices on the grid of the evaluated mask or scene."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read class indices (row, col) of a window inside the grid; 255 where not labeled."""


@contextmanager
def open_reference(path: Path, grid: Grid, legend: Legend, options: EvaluationOptions) -> Iterator[ReferenceLabels]:
    """Open a reference file as class indices.

    Classes of a raster are matched by name if it has a legend, otherwise by color or index. Polygons may be in any CRS.

    Args:
        path: Raster or vector file.
        grid: Grid to read on.
        legend: Classes of the indices.
        options: How the reference is read.

    Raises:
        GridMismatch: The raster has another grid and ``options.resample`` is off.
        ConfigError: The options do not apply to the kind of file.
        DataError: When the context closes: values of the raster are not in the legend.
    """
    encoding = _reference_encoding(path, legend, options)
    if encoding.kind == "polygon":
        with closing(LabelReader(path, grid, encoding)) as reader:
            yield reader
        return
    with Scene.open(path) as scene:
        own = scene.grid
    fits = _is_same(own, grid)
    if not fits:
        _require_resampling(own, grid, str(path), allowed=options.resample)
    with closing(LabelReader(path, grid if fits else own, encoding)) as reader:
        yield reader if fits else ResampledLabels(reader, grid)
        _require_known(reader)


@dataclass(frozen=True)
class ResampledLabels:
    """Labels resampled to another grid, possibly in another CRS, by nearest neighbor."""

    reader: LabelReader
    """Reads the labels on their own grid."""
    grid: Grid
    """Grid to resample to."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read class indices (row, col); 255 where not labeled, and outside the reference."""
        rows, cols = self._reference_pixels(window)
        own = self.reader.grid
        inside = (rows >= 0) & (rows < own.height) & (cols >= 0) & (cols < own.width)
        labels = np.full(window.shape, IGNORE_INDEX, np.uint8)
        if inside.any():
            rows, cols = rows[inside], cols[inside]
            row, col = int(rows.min()), int(cols.min())
            part = self.reader.read(Window(row, col, int(rows.max()) - row + 1, int(cols.max()) - col + 1))
            labels[inside] = part[rows - row, cols - col]
        return labels

    def _reference_pixels(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of the reference pixel at the center of each window pixel; -1 where undefined."""
        own = self.reader.grid
        row, col = np.meshgrid(*(np.arange(size) + 0.5 for size in window.shape), indexing="ij")
        t = self.grid.window_transform(window)
        x, y = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
        if self.grid.crs is not None and self.grid.crs != own.crs:
            x, y = Transformer.from_crs(self.grid.crs, own.crs, always_xy=True).transform(x, y)
        t = ~own.transform
        positions = t.d * x + t.e * y + t.f, t.a * x + t.b * y + t.c
        rows, cols = (np.floor(np.where(np.isfinite(each), each, -1)).astype(np.int64) for each in positions)
        return rows, cols


def _reference_encoding(path: Path, legend: Legend, options: EvaluationOptions) -> LabelEncoding:
    """Return how the file encodes the classes of ``legend``."""
    if path.suffix.lower() in VECTOR_SUFFIXES:
        return build_encoding(
            legend, "polygon",
            column=options.column, polygon_class=options.polygon_class, background=options.background,
        )  # fmt: skip
    if options.has_polygon_options:
        raise ConfigError(
            f"{path} is a raster and has no attributes", "column, class and background apply to vector files"
        )
    with Scene.open(path) as scene:
        if scene.legend is None:
            kind = guess_kind(path, len(scene.bands), has_palette=False)
            return build_encoding(legend, kind, ignore=[_parse_value(word) for word in options.ignore])
        table = scene.legend.mapping_to(legend)
        return LabelEncoding("index", values={i: int(table[i]) for i in (*range(len(scene.legend)), IGNORE_INDEX)})


def _parse_value(word: str) -> int | str:
    return int(word) if word.lstrip("-").isdecimal() else word


def _is_same(own: Grid, grid: Grid) -> bool:
    """Return True if the grids are equal; without a CRS, only their sizes are compared."""
    return own.shape == grid.shape and (own.crs is None or grid.crs is None or grid.matches(own))


def _require_resampling(own: Grid, grid: Grid, path: str, *, allowed: bool) -> None:
    """Raise :class:`GridMismatch` unless labels on another grid are allowed and can be resampled."""
    hint = "add --resample for nearest-neighbor resampling of the reference, or warp one of them with gdalwarp"
    if not allowed:
        try:
            grid.require_match(own, "the mask", path)
        except GridMismatch as mismatch:
            raise GridMismatch(mismatch.message, hint) from None
    if (own.crs is None) != (grid.crs is None):
        which = path if own.crs is None else "the mask"
        raise GridMismatch(f"{which} has no CRS and cannot be resampled", "assign its CRS with gdal_edit.py -a_srs")


def _require_known(reader: LabelReader) -> None:
    if reader.unknown:
        share, values = f"{reader.unknown_share:.2%}", reader.describe_unknown()
        raise DataError(
            f"{reader.label}: {share} of the pixels have no class of the mask: {values}",
            "name values that mean not labelled with --ignore; mask and reference must use the same classes",
        )
