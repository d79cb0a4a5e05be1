"""Match references to a mask or scene by file name, and read them as class indices on its grid."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg._text import count
from geoseg.data.label_encoding import LabelEncoding, build_encoding, guess_kind
from geoseg.data.label_reader import LabelReader
from geoseg.errors import ConfigError, DataError, GridMismatch
from geoseg.evaluation.options import EvaluationOptions
from geoseg.grid.crs import make_transformer
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.class_values import IgnoredValues, integer_nodata
from geoseg.raster.discovery import is_collection, list_rasters_and_layers, match_by_name, scene_name
from geoseg.raster.scene import Scene
from geoseg.vector.io.require_file import require_file

if TYPE_CHECKING:
    from geoseg.vector.explain_miss import Miss

VALUES_HINT = (
    "the reference's values must be class names; exclude others by repeating --ignore VALUE (in Python ignore=), "
    "or omit --column and specify one class with --class"
)
"""Hint for attribute values of a reference that have no class."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneFiles:
    """The files of one evaluated scene."""

    name: str
    """Unique name of the scene."""
    path: Path
    """The mask or scene."""
    reference: Path
    """The reference raster or vector file."""
    confidence: Path | None = None
    """Raster with the confidence or the class probabilities."""
    image: Path | None = None
    """Scene that a mask was predicted from."""


def match_files(
    source: str | Path,
    reference: str | Path,
    *,
    confidence: str | Path | None = None,
    image: str | Path | None = None,
) -> list[SceneFiles]:
    """Match every mask or scene with the other files that have the same name.

    One vector file may be the reference for many masks. If the source and the reference are single files, they match
    regardless of their names.

    Args:
        source: Mask or scene: a file, a folder or a pattern.
        reference: References: a file, a folder or a pattern.
        confidence: Confidence or probability rasters.
        image: Scenes that the masks were predicted from.

    Raises:
        DataError: If a folder is empty, or a reference, confidence raster or image is missing.
    """
    files = [Path(path) for path in list_rasters_and_layers(str(source))]
    optional = [
        [None] * len(files) if word is None else _match(files, str(word), kind)
        for word, kind in ((confidence, "confidence"), (image, "scene"))
    ]
    references = _match(files, str(reference), "reference")
    return [SceneFiles(*each) for each in zip(_unique_names(files), files, references, *optional, strict=True)]


def _match(files: Sequence[Path], word: str, kind: str) -> list[Path]:
    """Return the file in ``word`` (a file, folder or pattern) that matches each of the files."""
    if not is_collection([word]) and (len(files) == 1 or Path(word).suffix.lower() in VECTOR_SUFFIXES):
        return [Path(word)] * len(files)
    return match_by_name(files, map(Path, list_rasters_and_layers(word)), folder=word, kind=kind)


def _unique_names(files: Sequence[Path]) -> list[str]:
    """Return short names, or full paths if short names are not unique."""
    names = [scene_name(file) for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


class ReferenceLabels(Protocol):
    """Class indices on the grid of the evaluated mask or scene."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read class indices (row, col) of a window inside the grid; 255 where not labeled."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what was skipped, repaired or ambiguous in a vector file, one sentence each; empty for rasters."""

    def find_miss(self) -> "Miss | None":
        """Return the likely reason why no polygon covers any pixel read so far; None for rasters."""


@contextmanager
def open_reference(
    path: Path, grid: Grid, legend: Legend, options: EvaluationOptions, values: Mapping[int, int] | None = None
) -> Iterator[ReferenceLabels]:
    """Open a reference file as class indices.

    Classes of a raster are matched by name if it has a legend, otherwise by color or value. Polygons may be in any CRS.

    Args:
        path: Raster or vector file.
        grid: Grid to read the reference on.
        legend: Classes that the indices refer to.
        options: How the reference is read.
        values: Mapping from values to class indices for a raster without a legend; by default, values are class
            indices.

    Raises:
        GridMismatch: If the raster has a different grid and ``options.resample`` is off.
        ConfigError: If the options do not apply to this kind of file.
        DataError: If the raster has values that are not in the legend; raised when the context closes.
    """
    encoding = _reference_encoding(path, legend, options, values)
    if encoding.kind == "polygon":
        require_file(path)
        hint = VALUES_HINT if options.column else ""
        with closing(LabelReader(path, grid, encoding, values_hint=hint)) as reader:
            yield reader
        return
    with Scene.open(path) as scene:
        own = scene.grid
    fits = grid.is_same_place(own)
    if not fits:
        _require_resampling(own, grid, str(path), allowed=options.resample)
    with closing(LabelReader(path, grid if fits else own, encoding)) as reader:
        yield reader if fits else ResampledLabels(reader, grid)
        _check_unknown(reader, scene.legend)


@dataclass(frozen=True)
class ResampledLabels:
    """Labels resampled to a different grid, possibly in a different CRS, by nearest neighbor."""

    reader: LabelReader
    """Reader for the labels on their own grid."""
    grid: Grid
    """Grid to resample to."""
    notes: tuple[str, ...] = ()
    """Empty, because a raster has no polygons."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read class indices (row, col); 255 where not labeled or outside the reference."""
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

    def find_miss(self) -> None:
        """Return None, because a raster has no polygons."""

    def _reference_pixels(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row and column of the reference pixel that contains the center of each window pixel, or -1."""
        own = self.reader.grid
        row, col = np.meshgrid(*(np.arange(size) + 0.5 for size in window.shape), indexing="ij")
        t = self.grid.window_transform(window)
        x, y = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
        if self.grid.crs is not None and self.grid.crs != own.crs:
            assert own.crs is not None  # checked by _require_resampling
            x, y = make_transformer(self.grid.crs, own.crs).transform(x, y)
        t = ~own.transform
        positions = t.d * x + t.e * y + t.f, t.a * x + t.b * y + t.c
        rows, cols = (np.floor(np.where(np.isfinite(each), each, -1)).astype(np.int64) for each in positions)
        return rows, cols


def _reference_encoding(
    path: Path, legend: Legend, options: EvaluationOptions, values: Mapping[int, int] | None
) -> LabelEncoding:
    """Return the encoding of the classes of ``legend`` in the file."""
    if path.suffix.lower() in VECTOR_SUFFIXES:
        ignored_names = set(options.ignore) & set(legend.names) if options.column else set()
        return build_encoding(
            legend,
            "polygon",
            values={name: [] for name in ignored_names},  # ignored values do not represent a class
            ignore=_parse_attribute_values(options.ignore) if options.column else (),
            column=options.column,
            polygon_class=options.polygon_class,
            background=options.background,
            priority=options.priority,
            layer=options.layer,
        )
    if options.has_polygon_options:
        raise ConfigError(
            f"{path} is a raster and has no attributes",
            "column, class, background, priority and layer apply to vector files",
        )
    with Scene.open(path) as scene:
        if scene.legend is None and guess_kind(path, len(scene.bands), has_palette=False) == "colour":
            if "none" in options.ignore:
                raise ConfigError(f"ignore: none does not apply to the colors of {path}", "list colors, like #000000")
            return build_encoding(legend, "colour", ignore=options.ignore)
        ignored = IgnoredValues.parse(options.ignore)
        indices = _indices_by_value(scene, legend, values)
        nodata = None if ignored.keeps_nodata else integer_nodata(scene)
        indices = {value: index for value, index in indices.items() if value != nodata}
        return LabelEncoding("index", values={**indices, **dict.fromkeys(ignored.values, IGNORE_INDEX)})


def _parse_attribute_values(words: Sequence[str]) -> list[Any]:
    """Return the attribute values that command-line words may represent: ``1`` is a number or a string, ``null`` is None."""
    values: list[Any] = [*words]
    for word in words:
        with suppress(ValueError, RecursionError):
            value = json.loads(word)
            if not isinstance(value, list | dict):  # a number, true, false or null
                values.append(value)
    return values


def _indices_by_value(scene: Scene, legend: Legend, values: Mapping[int, int] | None) -> dict[int, int]:
    """Return the class index for each value of a reference raster; 255 means no class only in files with a legend."""
    if scene.legend is None:
        return dict(values) if values is not None else {index: index for index in range(len(legend))}
    return {
        **{entry.index: legend.index_of(entry.name) for entry in scene.legend.entries if entry.name in legend.names},
        IGNORE_INDEX: IGNORE_INDEX,
    }


def _require_resampling(own: Grid, grid: Grid, path: str, *, allowed: bool) -> None:
    """Raise :class:`GridMismatch` unless labels on a different grid are allowed and can be resampled."""
    hint = "add --resample to resample the reference (nearest neighbor), or warp one of the two with gdalwarp"
    if not allowed:
        try:
            grid.require_same_place(own, "the mask", path)
        except GridMismatch as mismatch:
            raise GridMismatch(mismatch.message, hint) from None
    if (own.crs is None) != (grid.crs is None):
        which = path if own.crs is None else "the mask"
        raise GridMismatch(f"{which} has no CRS and cannot be resampled", "assign its CRS with gdal_edit.py -a_srs")


def _check_unknown(reader: LabelReader, own: Legend | None) -> None:
    """Warn about classes in a reference's legend that the masks lack; raise :class:`DataError` for other values."""
    names = {} if own is None else {str(entry.index): entry.name for entry in own.entries}
    for value in [value for value in reader.unknown if value in names]:
        pixels = reader.unknown.pop(value)
        logger.warning(
            "%s: the masks have no class %r; its %s will not be counted",
            reader.label,
            names[value],
            count(pixels, "pixel"),
        )
    require_known_values(reader, "the mask's classes")


def require_known_values(reader: LabelReader, classes: str) -> None:
    """Raise :class:`DataError` if values without a class were read; ``classes`` describes the classes in the message."""
    if reader.unknown:
        share, values = f"{reader.unknown_share:.2%}", reader.describe_unknown()
        raise DataError(
            f"{reader.label}: {share} of the pixels have values that are not in {classes}: {values}",
            "use --ignore for values that mean 'not labeled'; mask and reference must use the same classes",
        )
