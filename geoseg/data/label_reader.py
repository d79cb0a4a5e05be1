"""Read label files as class indices, strip by strip, and count undeclared colors or values."""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geoseg._text import count, join_names
from geoseg.data.label_encoding import EncodingKind, LabelEncoding, guess_kind
from geoseg.errors import DataError, LayerError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

if TYPE_CHECKING:
    from geoseg.vector.explain_miss import Miss
    from geoseg.vector.label_polygons import LabelPolygons

CodedLabels = tuple[NDArray[np.int64], Mapping[int, int], str]
"""Values or colors as integers (row, col), the class index of each declared integer, and a format string for messages."""

NO_CODE = int(np.iinfo(np.int64).min)
"""Code that no pixel has, used if no values are declared."""

MAX_NAMED_VALUES = 5
"""Maximum number of unknown colors or values listed in a message."""

logger = logging.getLogger(__name__)


@dataclass
class LabelReader:
    """Reads the labels of one scene on the grid of its image.

    Pixels with an undeclared color or value are read as "not labeled" and counted in ``unknown``.
    """

    label: Path
    """Raster or vector file."""
    grid: Grid
    """Grid of the image."""
    encoding: LabelEncoding
    """Meaning of the values, colors or attributes in the file."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Number of pixels of each undeclared color or value."""
    assumed: int = 0
    """Number of pixels with the value 255 that are read as "not labeled" although neither file nor recipe declares 255."""
    decode_seconds: float = 0.0
    """Time spent reading the file, excluding the conversion to class indices."""
    values_hint: str = "list them in data.values, or in data.ignore: {values}"
    """Hint for attribute values that have no class; ``{values}`` is replaced by these values."""
    touches: bool = True
    """False for polygons if none of them contains the center of a pixel in the windows read so far."""

    def __post_init__(self) -> None:
        self._polygons = self._read_polygons() if self.encoding.kind == "polygon" else None
        self._scene = self._open() if self._polygons is None else None

    def _read_polygons(self) -> "LabelPolygons":
        from geoseg.vector.label_polygons import LabelPolygons  # imports GeoPandas, not needed for rasters

        self.touches = False
        polygons = LabelPolygons.read(
            self.label,
            self.grid,
            column=self.encoding.column,
            classes=self.encoding.values if self.encoding.column else None,
            value=None if self.encoding.column else self.encoding.polygon_class,
            priority=self.encoding.priority,
            layer=self.encoding.layer,
            hint=self.values_hint,
        )
        miss = None if len(polygons.geometries) else self.find_miss()
        if miss is not None and miss.is_impossible:
            raise LayerError(miss.message, miss.hint)
        return polygons

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what was skipped, repaired or ambiguous in a vector file, one sentence each."""
        return () if self._polygons is None else self._polygons.notes

    def find_miss(self) -> "Miss | None":
        """Return the likely reason why no polygon covers the center of any pixel read so far; None if one does."""
        return None if self.touches else explain_label_miss(self.label, self.grid, self.encoding)

    def _open(self) -> Scene:
        scene = Scene.open(self.label)
        if scene.grid.shape != self.grid.shape:
            (h, w), (height, width) = scene.grid.shape, self.grid.shape
            hint = "each label must have the same size as its image"
            raise DataError(f"{self.label} has {h} x {w} pixels, but its image has {height} x {width}", hint)
        self.grid.require_same_place(scene.grid, "the image", str(self.label))
        if self.encoding.kind == "index" and self.encoding.values.get(scene.nodata, IGNORE_INDEX) != IGNORE_INDEX:
            # Files often declare a class, such as 0, as nodata: the recipe takes precedence, but not over alpha or masks.
            return scene.without_nodata()
        return scene

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Return the class indices (row, col) of a window inside the grid, 255 where not labeled.

        Raises:
            DataError: If a raster does not contain the colors or integers that the encoding requires.
            LayerError: If a vector file cannot be read.
        """
        if self._polygons is not None:
            mask, touches = self._polygons.burn(self.grid.crop(window), fill=self.encoding.background)
            self.touches |= touches
            return mask
        assert self._scene is not None
        started = time.perf_counter()
        raster = self._scene.read(window, nearest=True)
        self.decode_seconds += time.perf_counter() - started
        if self.encoding.assumes_255 and self._scene.legend is None:
            self.assumed += int(np.count_nonzero(raster.valid & (raster.values[0] == IGNORE_INDEX)))
        if self.encoding.kind == "index" and raster.values.dtype == np.uint8:
            return self._look_up_bytes(raster.values[0], raster.valid)
        encode = self._encode_colors if self.encoding.kind == "colour" else self._encode_values
        codes, indices, spelling = encode(raster.values)
        return self._look_up(codes, raster.valid, indices, spelling=spelling)

    def close(self) -> None:
        """Close the label file."""
        if self._scene is not None:
            self._scene.close()

    @property
    def unknown_share(self) -> float:
        """Fraction of all pixels that have an undeclared color or value in the windows read so far."""
        return sum(self.unknown.values()) / max(self.grid.height * self.grid.width, 1)

    def describe_unknown(self) -> str:
        """Return the most frequent undeclared colors or values with their fractions, for messages."""
        total = max(self.grid.height * self.grid.width, 1)
        shares = [f"{value} ({number / total:.2%})" for value, number in self.unknown.most_common()]
        return join_names(shares, limit=MAX_NAMED_VALUES)

    def _encode_colors(self, values: NDArray[np.generic]) -> CodedLabels:
        assert self._scene is not None
        palette = self._scene.palette
        colors = values[:3] if palette is None else palette[values[0]][..., :3].transpose(2, 0, 1)
        if len(colors) < 3 or colors.dtype != np.uint8:
            hint = "set data.encoding_kind: index if it has one band of class values"
            raise DataError(f"{self.label} has no 8-bit colors", hint)
        red, green, blue = colors.astype(np.int64)
        indices = {(r << 16) | (g << 8) | b: index for (r, g, b), index in self.encoding.colours.items()}
        return (red << 16) | (green << 8) | blue, indices, "#{:06x}"

    def _encode_values(self, values: NDArray[np.generic]) -> CodedLabels:
        if not np.issubdtype(values.dtype, np.integer):
            raise DataError(
                f"{self.label} has {values.dtype} values", "convert it to integers: gdal_translate -ot Byte"
            )
        indices = {int(value): index for value, index in self.encoding.values.items()}
        return values[0].astype(np.int64), indices, "{}"

    def _look_up_bytes(self, values: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return the class indices of bytes (row, col) from a lookup table, ten times as fast as :meth:`_look_up`."""
        table, is_declared = np.full(256, IGNORE_INDEX, np.uint8), np.zeros(256, np.bool_)
        for value, index in self.encoding.values.items():
            if 0 <= int(value) < len(table):
                table[int(value)], is_declared[int(value)] = index, True
        unknown = np.bincount(values[valid & ~is_declared[values]], minlength=len(table))
        for value in np.flatnonzero(unknown):
            self.unknown[str(value)] += int(unknown[value])
        return np.where(valid, table[values], np.uint8(IGNORE_INDEX))

    def _look_up(
        self, codes: NDArray[np.int64], valid: NDArray[np.bool_], indices: Mapping[int, int], *, spelling: str
    ) -> NDArray[np.uint8]:
        """Return the class index of each code, 255 where not valid; count undeclared codes, which become 255."""
        indices = indices or {NO_CODE: IGNORE_INDEX}
        keys = np.array(sorted(indices), np.int64)
        index_of_key = np.array([indices[int(key)] for key in keys], np.uint8)
        position = np.minimum(np.searchsorted(keys, codes), len(keys) - 1)
        is_declared = keys[position] == codes
        unknown = codes[valid & ~is_declared]
        for code, number in zip(*np.unique(unknown, return_counts=True), strict=True):
            self.unknown[spelling.format(int(code))] += int(number)
        return np.where(valid & is_declared, index_of_key[position], np.uint8(IGNORE_INDEX))


def explain_label_miss(label: Path, grid: Grid, encoding: LabelEncoding) -> "Miss":
    """Return the likely reason why no polygon in a vector file of labels covers a pixel of a grid."""
    from geoseg.vector.explain_miss import explain_miss  # imports GeoPandas

    return explain_miss(label, grid, layer=encoding.layer)


def check_unknown_share(label: Path | None, share: float, values: str, *, max_share: float) -> None:
    """Check the fraction of undeclared colors or values in a label file, and log a warning if it is not 0.

    Args:
        label: The label file, for the message.
        share: Fraction of pixels with an undeclared color or value.
        values: The undeclared colors or values, as returned by :meth:`LabelReader.describe_unknown`.
        max_share: Largest accepted fraction.

    Raises:
        DataError: If the fraction is larger than ``max_share``.
    """
    if share > max_share:
        raise DataError(
            f"{label}: {share:.2%} of the pixels are not in the legend: {values}",
            "add them to data.legend, data.values or data.ignore, or raise data.unknown_share",
        )
    if share:
        logger.warning("%s: not in the legend, read as not labeled: %s", label, values)


def describe_assumed(pixels: int) -> str:
    """Return a note that pixels with the undeclared value 255 are read as "not labeled"; empty if there are none."""
    if not pixels:
        return ""
    return (
        f"{count(pixels, 'pixel')} with the value 255 {'is' if pixels == 1 else 'are'} read as not labeled, although "
        "neither the labels nor the recipe declare it; set ignore: [255] to confirm this, "
        "or values: {CLASS: [255]} to make it a class"
    )


def guess_file_kind(label: Path) -> EncodingKind:
    """Infer the type of a label file from its extension, or from the bands and the palette in its header.

    Raises:
        SceneError: If a raster cannot be opened.
    """
    kind = guess_kind(label, 0, has_palette=False)
    if kind == "polygon":
        return kind
    with Scene.open(label) as scene:
        return guess_kind(label, len(scene.bands), has_palette=scene.palette is not None)
