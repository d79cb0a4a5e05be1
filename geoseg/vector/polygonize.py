"""Mask to polygons: the whole way from a file of class indices to a layer in a GIS.

The mask is read in strips of rows; what grows with the scene is only the number of vertices, not of pixels.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, LayerError, OutputError, SceneError
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend, numbered
from geoseg.progress import Progress, Task, silent
from geoseg.raster.scene import Scene
from geoseg.vector.formats import check_output
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.outlines import STRIP_PIXELS, Connectivity, trace_strips
from geoseg.vector.join import Outlines

BACKGROUND_INT32 = int(np.iinfo(np.int32).min)
"""Stands for pixels that belong to no polygon in masks of more than 8 bit."""


def polygonize(
    mask: str | Path | Scene,
    output: str | Path | None = None,
    *,
    connectivity: Connectivity = 4,
    min_area_m2: float = 0.0,
    simplify_m: float = 0.0,
    classes: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> PolygonLayer:
    """Polygons of the classes in a mask, written to ``output`` (the mask's name with ``.gpkg`` if None).

    The mask has one band of whole numbers; its nodata and 255 are left out. Names and colours come from its legend if
    geoseg wrote it, else classes are called by their values. With ``connectivity`` 4, pixels of a class that touch at
    corners only are two polygons, with 8 one of two parts. Then, in this order: polygons under ``min_area_m2`` square
    metres go into their neighbours, borders are simplified by ``simplify_m`` metres (0: not at all), and only
    ``classes`` are kept (None: all).

    :class:`SceneError` if the raster is no mask, :class:`OutputError` if the result cannot be written (said before the
    work begins), :class:`ConfigError` for unknown classes, :class:`LayerError` for metres without CRS.
    """
    if connectivity not in (4, 8):
        raise ConfigError(f"pixels are connected by 4 or 8 neighbours, not {connectivity}")
    path = Path(mask.path if isinstance(mask, Scene) else mask)
    output = path.with_suffix(".gpkg") if output is None else Path(output)
    with nullcontext(mask) if isinstance(mask, Scene) else Scene.open(mask) as scene:
        check_mask(scene)
        check_output(output, overwrite)
        _check_wishes(scene, output, metres=bool(min_area_m2 or simplify_m), classes=classes)
        layer = _layer(scene, connectivity, progress)
    layer = layer.without_small(min_area_m2).simplified(simplify_m)
    if classes is not None:
        layer = layer.selected(classes)
    layer.write(output, overwrite=overwrite)
    return layer


def _check_wishes(scene: Scene, output: Path, *, metres: bool, classes: Sequence[str] | None) -> None:
    """Refuses before the work what could only fail after it."""
    if scene.grid.crs is None and metres:
        raise LayerError(f"{scene.path} has no CRS, so metres mean nothing", "give it one first (gdal_edit -a_srs)")
    if scene.grid.crs is None and output.suffix.lower() == ".geojson":
        raise OutputError(f"{scene.path} has no CRS, and GeoJSON is in longitude and latitude", "write .gpkg instead")
    for name in classes or ():
        if scene.legend is not None:
            scene.legend.index_of(name)


def _layer(scene: Scene, connectivity: Connectivity, progress: Progress) -> PolygonLayer:
    """The mask's polygons as they are traced."""
    outlines = trace_scene(scene, connectivity=connectivity, progress=progress)
    legend = scene.legend or _legend(outlines.values)
    return PolygonLayer.from_outlines(outlines, scene.grid, legend=legend, notes=_notes(scene, outlines, legend))


def trace_scene(scene: Scene, *, connectivity: Connectivity = 4, progress: Progress = silent) -> Outlines:
    """The outlines of a mask's regions in pixel corners, read strip by strip."""
    height, width = scene.grid.shape
    rows = max(STRIP_PIXELS // width // scene.block[0], 1) * scene.block[0]
    windows = list(strips(height, width, rows))
    with progress(len(windows), "tracing") as task:
        return trace_strips(
            _class_strips(scene, rows, task),
            width=width,
            background=_background(scene.dtype),
            connectivity=connectivity,
        )


def check_mask(scene: Scene) -> None:
    """:class:`SceneError` unless the scene is a mask: one band of whole numbers that fit 32 bit."""
    hint = "give the class-index raster that `geoseg predict` writes"
    if len(scene.bands) != 1:
        raise SceneError(f"{scene.path} has {len(scene.bands)} bands, but a mask has one", hint)
    if scene.dtype.kind not in "iub" or scene.dtype.itemsize > 4:
        raise SceneError(f"{scene.path} holds {scene.dtype} values, but a mask holds class indices", hint)


def _background(dtype: np.dtype[Any]) -> int:
    return IGNORE_INDEX if dtype == np.uint8 else BACKGROUND_INT32


def _class_strips(scene: Scene, rows: int, task: Task) -> Iterator[NDArray[np.uint8] | NDArray[np.int32]]:
    """The mask's strips as uint8 or int32, with the background's value wherever there is no class."""
    background = _background(scene.dtype)
    for window in strips(*scene.grid.shape, rows):
        raster = scene.read(window)
        values = raster.values[0]
        if scene.dtype != np.uint8:
            if scene.dtype == np.uint32 and values.max(initial=0) > np.iinfo(np.int32).max:
                raise SceneError(f"{scene.path} holds values above 2147483647", "a mask holds class indices")
            values = values.astype(np.int32)
        yield np.where(raster.valid & (values != IGNORE_INDEX), values, values.dtype.type(background))
        task.advance()


def _legend(values: NDArray[np.int64]) -> Legend | None:
    """A legend that calls classes by their values; None if these are no class indices."""
    if len(values) and (values.min() < 0 or values.max() >= IGNORE_INDEX):
        return None
    return numbered(int(value) for value in np.unique(values))


def _notes(scene: Scene, outlines: Outlines, legend: Legend | None) -> tuple[str, ...]:
    notes = [note for note in scene.notes if "palette" not in note]  # a palette is just right for a mask
    if scene.grid.crs is None and not notes:
        notes.append("no CRS: polygons are in the mask's own coordinates, without areas in square metres")
    if legend is None:
        notes.append(
            "values below 0 or above 254 are no class indices: classes are named by their values, without colours"
        )
    elif scene.legend is not None and len(outlines) and outlines.values.max() >= len(legend):
        notes.append(
            f"the mask holds values its legend of {len(legend)} classes does not know; they are named by their number"
        )
    return tuple(notes)
