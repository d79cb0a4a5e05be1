"""A mask in a file as a class raster: what can be polygonized, and what a user should know about it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._malloc import give_back
from geoseg.errors import ConfigError, SceneError, did_you_mean
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend, numbered
from geoseg.progress import Progress
from geoseg.raster.scene import Scene
from geoseg.vector.attributes import Attributes, class_name
from geoseg.vector.class_raster import ClassRaster
from geoseg.vector.io.arrow import Stream
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.trace_raster import STRIP_PIXELS, Classes

BACKGROUND_INT32 = int(np.iinfo(np.int32).min)
"""Stands for pixels that belong to no polygon in masks of more than 8 bit."""

TIDY = 16
"""After how many strips memory is given back."""

FEWEST_ROWS = 16
"""Of a strip, however wide."""


class Mask:
    """A scene that holds class indices. Remembers which classes its outlines had."""

    def __init__(self, scene: Scene, progress: Progress) -> None:
        _check(scene)
        self.scene = scene
        self.background = IGNORE_INDEX if scene.dtype == np.uint8 else BACKGROUND_INT32
        self._progress = progress
        self._values: set[int] = set()

    def raster(self) -> ClassRaster:
        """Its pixels; reading them reports progress."""
        return ClassRaster(self.scene.grid.width, self.background, self._strips)

    def seen(self, outlines: Iterable[Outlines]) -> Iterator[Outlines]:
        """The outlines as they come, and notes their classes."""
        for some in outlines:
            self._values.update(np.unique(some.values).tolist())
            yield some

    def chosen(self, outlines: Iterable[Outlines], classes: Sequence[str] | None) -> Iterator[Outlines]:
        """The outlines of these classes, by name; :class:`ConfigError`, at the end, if the mask has none of that name."""
        for some in outlines:
            if classes is None:
                yield some
            else:
                names = [class_name(value, self.scene.legend) for value in some.values.tolist()]
                yield some.chosen(np.flatnonzero(np.isin(names, list(classes))))
        known = {class_name(value, self.scene.legend) for value in self._values}
        known |= set(self.scene.legend.names if self.scene.legend else ())
        for name in classes or ():
            if name not in known:
                raise ConfigError(f"the mask has no class {name!r}", did_you_mean(name, known))

    def rows(self, outlines: Iterable[Outlines], *, crs: CRS | None, several: bool) -> Stream:
        """The outlines with their attributes, in a CRS (None: the mask's own)."""
        tags = self.scene.tags
        source = tags.get("GEOSEG_SOURCE") or Path(self.scene.path).name
        attributes = Attributes(
            self.scene.grid, self.scene.legend, source=source, model=tags.get("GEOSEG_MODEL") or None,
            crs=crs, several=several,
        )  # fmt: skip
        return attributes.stream(outlines, self.legend)

    def legend(self) -> Legend | None:
        """Its legend, else one that calls the classes that were :meth:`seen` by their values; None if these are no class
        indices.
        """
        if self.scene.legend is not None:
            return self.scene.legend
        if self._values and (min(self._values) < 0 or max(self._values) >= IGNORE_INDEX):
            return None
        return numbered(self._values)

    def notes(self) -> tuple[str, ...]:
        """What a user should know, one sentence each; when all outlines were :meth:`seen`."""
        scene, values = self.scene, self._values
        notes = [note for note in scene.notes if "palette" not in note]  # a palette is just right for a mask
        if scene.grid.crs is None and not notes:
            notes.append("no CRS: polygons are in the mask's own coordinates, without areas in square metres")
        legend = self.legend()
        if not values:
            notes.append("the mask holds no class anywhere: the layer is empty")
        elif legend is None:
            notes.append(
                "values below 0 or above 254 are no class indices: classes are named by their values, without colours"
            )
        elif scene.legend is not None and max(values) >= len(legend):
            notes.append(
                f"the mask holds values its legend of {len(legend)} classes does not know; they are named by their number"
            )
        elif scene.legend is None:
            notes.append("the mask has no legend: classes are named by their values")
        return tuple(notes)

    def _strips(self) -> Iterator[Classes]:
        """Whole rows of the file's blocks if these are few pixels, else fewer: GDAL keeps the blocks they lie in."""
        height, width = self.scene.grid.shape
        rows = max(STRIP_PIXELS // width, FEWEST_ROWS)
        rows = max(rows // self.scene.block[0] * self.scene.block[0], min(rows, self.scene.block[0]))
        windows = list(strips(height, width, rows))
        with self._progress(len(windows), "tracing") as task:
            for number, window in enumerate(windows, start=1):
                raster = self.scene.read(window)
                yield self._classes(raster.values[0], raster.valid)
                task.advance()
                if number % TIDY == 0:
                    give_back()

    def _classes(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> Classes:
        """The values as uint8 or int32, with the background's wherever there is no class."""
        if values.dtype != np.uint8:
            if values.dtype == np.uint32 and values.max(initial=0) > np.iinfo(np.int32).max:
                raise SceneError(f"{self.scene.path} holds values above 2147483647", "a mask holds class indices")
            values = values.astype(np.int32)
        classes: Classes = np.where(valid & (values != IGNORE_INDEX), values, values.dtype.type(self.background))
        return classes


def _check(scene: Scene) -> None:
    """:class:`SceneError` unless the scene is a mask: one band of whole numbers that fit 32 bit."""
    hint = "give the class-index raster that `geoseg predict` writes"
    if len(scene.bands) != 1:
        raise SceneError(f"{scene.path} has {len(scene.bands)} bands, but a mask has one", hint)
    if scene.dtype.kind not in "iub" or scene.dtype.itemsize > 4:
        raise SceneError(f"{scene.path} holds {scene.dtype} values, but a mask holds class indices", hint)
