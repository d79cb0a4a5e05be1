"""Provide the pixels of a mask as a class raster, together with its classes and notes for the user."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._malloc import trim
from geoseg._text import did_you_mean
from geoseg.errors import ConfigError, SceneError
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import Progress, silent
from geoseg.raster.class_values import NOTHING_IGNORED, ClassValues, IgnoredValues, integer_nodata
from geoseg.raster.scene import Scene
from geoseg.vector.tracing.raster_strips import ClassArray, ClassRaster
from geoseg.vector.tracing.trace_raster import STRIP_PIXELS

if TYPE_CHECKING:
    from geoseg.vector.attributes import Attributes

INT32_BACKGROUND = int(np.iinfo(np.int32).min)
"""Value of pixels without a class in masks with more than 8 bits."""

TRIM_EVERY_STRIPS = 16
"""Interval, in strips, at which freed memory is returned to the operating system."""

MIN_STRIP_ROWS = 16
"""Minimum number of rows per strip, regardless of the width of the mask."""


@dataclass(frozen=True)
class MaskSource:
    """A raster of class indices.

    Raises:
        SceneError: If the raster does not have exactly one band of integers with at most 32 bits.
    """

    scene: Scene
    """The open raster."""
    ignored: IgnoredValues = NOTHING_IGNORED
    """Values without a class, as specified by the user."""
    progress: Progress = silent
    """Progress reporter; each step is one strip."""

    def __post_init__(self) -> None:
        scene, hint = self.scene, "use a raster of class indices, as written by `geoseg predict`"
        if len(scene.bands) != 1:
            raise SceneError(f"{scene.path} has {len(scene.bands)} bands, but a mask must have one", hint)
        if scene.dtype.kind not in "iub" or scene.dtype.itemsize > 4:
            raise SceneError(f"{scene.path} contains {scene.dtype} values, but a mask must contain class indices", hint)

    @property
    def background(self) -> int:
        """Value of pixels without a class in :meth:`raster`; no pixel with a class has this value.

        8-bit masks without a nodata value may use all 256 values, so they are converted to 32 bits.
        """
        if self.scene.dtype != np.uint8:
            return INT32_BACKGROUND
        nodata = None if self.ignored.keeps_nodata else integer_nodata(self.scene)
        unused = [*self._ignored, *([] if nodata is None else [nodata])]
        return next((value for value in unused if 0 <= value <= IGNORE_INDEX), INT32_BACKGROUND)

    @property
    def _ignored(self) -> list[int]:
        """Valid values without a class; 255 is included only if the file has a legend, because geoseg wrote it."""
        return [*([] if self.scene.legend is None else [IGNORE_INDEX]), *sorted(self.ignored.values)]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about the file."""
        notes = tuple(
            note for note in self.scene.notes if "palette" not in note
        )  # masks are expected to have a palette
        if self.scene.grid.crs is None and not notes:
            return ("no CRS: polygons have the coordinates of the mask, and no areas in square meters",)
        return notes

    def raster(self) -> ClassRaster:
        """Return the pixels as a raster that is read in strips."""
        return ClassRaster(self.scene.grid.width, self.background, self._read_strips)

    def attributes(self, *, crs: CRS | None, is_multi: bool) -> "Attributes":
        """Return the attributes of the mask's polygons.

        Args:
            crs: CRS of the polygons; None to use the CRS of the mask.
            is_multi: True if polygons may have several parts.
        """
        from geoseg.vector.attributes import Attributes

        tags = self.scene.tags
        return Attributes(
            grid=self.scene.grid,
            legend=self.scene.legend,
            source=tags.get("GEOSEG_SOURCE") or Path(self.scene.path).name,
            model=tags.get("GEOSEG_MODEL") or None,
            crs=crs,
            is_multi=is_multi,
        )

    def _read_strips(self) -> Iterator[ClassArray]:
        """Yield strips of whole rows of blocks, or fewer pixel rows if these are large; GDAL caches the blocks."""
        height, width = self.scene.grid.shape
        rows = max(STRIP_PIXELS // width, MIN_STRIP_ROWS)
        block_rows = self.scene.block_shape[0]
        rows = max(rows // block_rows * block_rows, min(rows, block_rows))
        windows = list(strips(height, width, rows))
        with self.progress(len(windows), "tracing") as task:
            for number, window in enumerate(windows, start=1):
                raster = self.scene.read(window)
                yield self._to_classes(raster.values[0], raster.valid)
                task.advance()
                if number % TRIM_EVERY_STRIPS == 0:
                    trim()

    def _to_classes(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> ClassArray:
        """Convert values to uint8 or int32, with the background value where there is no class."""
        if self.background == INT32_BACKGROUND:
            if values.dtype == np.uint32 and values.max(initial=0) > np.iinfo(np.int32).max:
                raise SceneError(f"{self.scene.path} contains values above 2147483647", "use a raster of class indices")
            values = values.astype(np.int32)
        for value in self._ignored:
            valid = valid & (values != value)
        classes: ClassArray = np.where(valid, values, values.dtype.type(self.background))
        return classes


@dataclass(frozen=True)
class MaskClasses:
    """The classes that occur in a mask; known once the whole mask has been traced."""

    values: frozenset[int]
    """Pixel values for which polygons were traced."""
    stored_legend: Legend | None
    """The legend stored in the mask file."""

    @property
    def legend(self) -> Legend | None:
        """The stored legend, or one with the values as names; None if there are too many or any is outside 0 to 255."""
        if self.stored_legend is not None:
            return self.stored_legend
        fits = not self.values or (0 <= min(self.values) <= max(self.values) <= IGNORE_INDEX)
        return ClassValues.of(self.values).legend if fits and len(self.values) <= IGNORE_INDEX else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about the classes."""
        legend = self.legend
        if not self.values:
            return ("the mask contains no classes: the layer is empty",)
        if legend is None:
            return (
                "values below 0 or above 255 are not class indices: classes are named by their values, without colors",
            )
        if self.stored_legend is None:
            named = "the mask has no legend: classes are named by their values"
            if IGNORE_INDEX not in self.values:
                return (named,)
            return (named, "255 is a class, because the mask does not declare it as nodata: --ignore 255 excludes it")
        if max(self.values) >= len(legend):
            return (
                f"the mask contains values that are not in its legend of {len(legend)} classes: they are named by value",
            )
        return ()

    def require(self, names: Iterable[str]) -> None:
        """Raise :class:`ConfigError` if a class occurs neither in the mask nor in its legend."""
        from geoseg.vector.attributes import name_class

        known = {name_class(value, self.stored_legend) for value in self.values}
        known |= set(self.stored_legend.names if self.stored_legend else ())
        for name in names:
            if name not in known:
                raise ConfigError(f"the mask has no class {name!r}", did_you_mean(name, known))
