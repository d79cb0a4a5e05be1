"""Label files to class indices, strip by strip, counting what stands in them that nobody declared."""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.data.label_encoding import Encoding
from geoseg.errors import DataError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

Codes = tuple[NDArray[np.int64], Mapping[int, int], str]
"""Numbers that stand for values or colours (row, col); class index of each declared one; how to spell one in words."""

NAMED = 5
"""So many unknown colours or values are named in a message."""

logger = logging.getLogger(__name__)


@dataclass
class LabelReader:
    """The labels of one scene, on the grid of its image.

    ``read`` gives class indices for a window; ``unknown`` counts the pixels whose colour or value is not declared,
    which come out as "not labelled".
    """

    label: Path
    """Raster or vector file."""
    grid: Grid
    """Grid of the image."""
    encoding: Encoding
    """What the file's numbers, colours or attributes mean."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Pixels by undeclared colour or value."""
    decode_seconds: float = 0.0
    """Time spent reading the file, without finding out what its pixels mean."""

    def __post_init__(self) -> None:
        self._scene = None if self.encoding.kind == "polygon" else self._opened()

    def _opened(self) -> Scene:
        scene = Scene.open(self.label)
        placed = scene.grid.crs is not None and self.grid.crs is not None
        if scene.grid.shape != self.grid.shape:
            (h, w), (height, width) = scene.grid.shape, self.grid.shape
            raise DataError(f"{self.label} has {h} x {w} pixels, its image has {height} x {width}", "they must match")
        if placed:
            self.grid.require_same(scene.grid, "the image", str(self.label))
        return scene

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (row, col) of a window inside the grid; 255 where not labelled."""
        if self._scene is None:
            return self._burnt(window)
        started = time.perf_counter()
        raster = self._scene.read(window, nearest=True)
        self.decode_seconds += time.perf_counter() - started
        if self.encoding.kind == "index" and raster.values.dtype == np.uint8:
            return self._bytes(raster.values[0], raster.valid)
        codes, known, spelling = (self._colours if self.encoding.kind == "colour" else self._numbers)(raster.values)
        valid = raster.valid
        if self._nodata_is_declared:  # 0 is often called nodata and is a class all the same: the recipe knows better
            codes, valid = np.where(valid, codes, np.int64(self._scene.nodata or 0)), np.ones_like(valid)
        return self._looked_up(codes, valid, known, spelling=spelling)

    @property
    def _nodata_is_declared(self) -> bool:
        return self._scene is not None and self.encoding.kind == "index" and self._scene.nodata in self.encoding.values

    def close(self) -> None:
        """Closes the label file."""
        if self._scene is not None:
            self._scene.close()

    def unknown_share(self) -> float:
        """Share of the scene's pixels with an undeclared colour or value, counted over what was read so far."""
        return sum(self.unknown.values()) / max(self.grid.height * self.grid.width, 1)

    def unknown_text(self) -> str:
        """The most frequent undeclared colours or values with their shares, for a message."""
        total = max(self.grid.height * self.grid.width, 1)
        named = [f"{what} ({count / total:.2%})" for what, count in self.unknown.most_common(NAMED)]
        more = len(self.unknown) - len(named)
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")

    def check_unknown(self, allowed: float) -> None:
        """:func:`check_unknown` of what was read so far."""
        check_unknown(self.label, self.unknown_share(), self.unknown_text(), allowed=allowed)

    def _burnt(self, window: Window) -> NDArray[np.uint8]:
        from geoseg.vector.rasterize import rasterize  # brings GeoPandas along, which most labels do without

        return rasterize(
            self.label,
            self.grid.crop(window),
            column=self.encoding.column,
            classes=self.encoding.values if self.encoding.column else None,
            value=None if self.encoding.column else self.encoding.polygon_class,
            fill=self.encoding.background,
        )

    def _colours(self, values: NDArray[np.generic]) -> Codes:
        assert self._scene is not None
        palette = self._scene.palette
        coloured = values[:3] if palette is None else palette[values[0]][..., :3].transpose(2, 0, 1)
        if len(coloured) < 3 or coloured.dtype != np.uint8:
            raise DataError(f"{self.label} holds no 8 bit colours", "say data.encoding_kind: index if it holds numbers")
        red, green, blue = coloured.astype(np.int64)
        known = {(r << 16) | (g << 8) | b: index for (r, g, b), index in self.encoding.colours.items()}
        return (red << 16) | (green << 8) | blue, known, "#{:06x}"

    def _numbers(self, values: NDArray[np.generic]) -> Codes:
        if not np.issubdtype(values.dtype, np.integer):
            raise DataError(f"{self.label} holds {values.dtype} numbers", "label rasters hold whole numbers")
        return values[0].astype(np.int64), {int(value): index for value, index in self.encoding.values.items()}, "{}"

    def _bytes(self, values: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Class indices of bytes (row, col): by one table, in a tenth of the time that numbers of any size take."""
        assert self._scene is not None
        if self._nodata_is_declared:
            values, valid = np.where(valid, values, np.uint8(self._scene.nodata or 0)), np.ones_like(valid)
        table, declared = np.full(256, IGNORE_INDEX, np.uint8), np.zeros(256, np.bool_)
        for value, index in self.encoding.values.items():
            if 0 <= int(value) < len(table):
                table[int(value)], declared[int(value)] = index, True
        strange = np.bincount(values[valid & ~declared[values]], minlength=len(table))
        for value in np.flatnonzero(strange):
            self.unknown[str(value)] += int(strange[value])
        return np.where(valid, table[values], np.uint8(IGNORE_INDEX))

    def _looked_up(
        self, codes: NDArray[np.int64], valid: NDArray[np.bool_], known: Mapping[int, int], *, spelling: str
    ) -> NDArray[np.uint8]:
        """Class index of each code, 255 where not valid; undeclared codes are counted and become 255."""
        keys = np.array(sorted(known), np.int64)
        indices = np.array([known[int(key)] for key in keys], np.uint8)
        position = np.minimum(np.searchsorted(keys, codes), len(keys) - 1)
        declared = keys[position] == codes
        strange = codes[valid & ~declared]
        for code, count in zip(*np.unique(strange, return_counts=True), strict=True):
            self.unknown[spelling.format(int(code))] += int(count)
        return np.where(valid & declared, indices[position], np.uint8(IGNORE_INDEX))


def check_unknown(label: Path | None, share: float, text: str, *, allowed: float) -> None:
    """Warns of undeclared colours or values; :class:`DataError` if more than the share ``allowed`` of pixels has one."""
    if share > allowed:
        raise DataError(
            f"{label}: {share:.2%} of the pixels are not in the legend: {text}",
            "add them to data.legend, data.values or data.ignore, or raise data.unknown_share",
        )
    if share:
        logger.warning("%s: not in the legend, taken as not labelled: %s", label, text)
