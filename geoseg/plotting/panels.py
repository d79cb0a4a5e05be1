"""One picture of a scene and what was made of it: scene, mask, reference, where they differ, polygons."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg._files import VECTOR_SUFFIXES, check_writable
from geoseg.errors import GridMismatch
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend, numbered
from geoseg.plotting.images import Picture, blend, error_map, outlined, overview, panel, shown_bands, stretch, write_png
from geoseg.raster.scene import Scene
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.rasterize import read_near

POLYGON_COLOUR = (255, 255, 0)
REFERENCE_COLOUR = (0, 255, 255)
"""Colours of outlines: seen on roofs, roads and trees alike."""

THIN = 700
"""Images smaller than this, in pixels, get outlines one pixel wide; others two."""
COLUMNS = 3
"""Images side by side."""


def scene_picture(
    scene: str | Path,
    output: str | Path,
    *,
    mask: str | Path | None = None,
    reference: str | Path | None = None,
    polygons: str | Path | None = None,
    longest: int = 1024,
    overwrite: bool = False,
) -> Path:
    """Draws a scene beside its mask, reference and polygons into one PNG; ``longest`` is the side of each image, pixels.

    Mask and reference raster lie on the scene's grid (:class:`GridMismatch` otherwise), polygons in any CRS. Given a mask
    and a reference raster of class indices, one more image shows where they differ.
    """
    check_writable(output, overwrite)
    with Scene.open(scene) as opened:
        seen = overview(opened, longest)
        base = _Base(stretch(seen, shown_bands(opened.bands)), opened.grid, seen.grid)
        images = [(opened.name, base.image)]
    labels = {"mask": _labels(mask, base), "reference": _labels(reference, base)}
    legend = _common_legend(list(labels.values()))
    images += [(name, _drawn(shown, legend, base)) for name, shown in labels.items() if shown is not None]
    images += _differences(labels["mask"], labels["reference"], base)
    for path, colour in ((_if_vector(reference), REFERENCE_COLOUR), (polygons, POLYGON_COLOUR)):
        if path is not None:
            width = 1 if max(base.reduced.shape) < THIN else 2
            drawn = outlined(base.image, _lines(path, base.reduced), colour=colour, width=width)
            images.append((Path(path).name, drawn))
    write_png(output, panel(images, legend=legend, columns=COLUMNS))
    return Path(output)


def _lines(path: str | Path, grid: Grid) -> list[NDArray[np.float64]]:
    """The outlines of a file's polygons in pixels of the grid, (point, 2: row, col)."""
    frame = read_near(path, grid)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)].assign(class_index=0)
    return [line for _, line in pixel_lines(PolygonLayer(frame, None), grid)]


@dataclass(frozen=True)
class _Base:
    """The scene as it is drawn."""

    image: Picture
    """In its colours."""
    full: Grid
    """The scene's grid."""
    reduced: Grid
    """The grid of ``image``."""


@dataclass(frozen=True)
class _Labels:
    """A mask or a reference as it is drawn."""

    class_index: NDArray[np.uint8] | None
    """Axes (row, col), 255 = none; None for labels written as colours."""
    legend: Legend | None
    """What the file says its values mean."""
    image: Picture
    """The file in its own colours, for labels written as colours."""


def _if_vector(path: str | Path | None) -> str | Path | None:
    return path if path is not None and Path(path).suffix.lower() in VECTOR_SUFFIXES else None


def _labels(path: str | Path | None, base: _Base) -> _Labels | None:
    """A mask or a raster of labels at the size of the picture; None if there is no such raster."""
    if path is None or _if_vector(path):
        return None
    with Scene.open(path) as scene:
        _require_fits(scene, base.full)
        raster = scene.read(scene.grid.window, shape=base.reduced.shape, nearest=True)
        if len(scene.bands) > 1 or scene.dtype != np.uint8:
            return _Labels(None, None, stretch(raster, shown_bands(scene.bands)))
        class_index = raster.fill(IGNORE_INDEX)[0]
        image = stretch(raster) if scene.palette is None else scene.palette[class_index][..., :3]
        return _Labels(class_index, scene.legend, image)


def _require_fits(scene: Scene, grid: Grid) -> None:
    """Labels must have the scene's size; where both say where they lie, they must say the same."""
    if scene.grid.crs is not None and grid.crs is not None:
        grid.require_same(scene.grid, "the scene", scene.path)
    if scene.grid.shape != grid.shape:
        (h, w), (height, width) = scene.grid.shape, grid.shape
        raise GridMismatch(f"{scene.path} has {h} x {w} pixels, the scene has {height} x {width}", "they must match")


def _common_legend(labels: list[_Labels | None]) -> Legend | None:
    """The first legend that a file brings, else one by number for all values; None if there are no class indices."""
    for shown in labels:
        if shown is not None and shown.legend is not None:
            return shown.legend
    values = [np.unique(shown.class_index) for shown in labels if shown is not None and shown.class_index is not None]
    found = sorted({int(value) for part in values for value in part if value != IGNORE_INDEX})
    return numbered(found) if found else None


def _drawn(shown: _Labels, legend: Legend | None, base: _Base) -> Picture:
    """Class indices in the legend's colours, the scene showing where there are none."""
    if shown.class_index is None or legend is None:
        return shown.image
    colours = legend.draw(shown.class_index)
    return blend(base.image, colours, opacity=1.0, valid=shown.class_index < len(legend))


def _differences(mask: _Labels | None, reference: _Labels | None, base: _Base) -> list[tuple[str, Picture]]:
    """The image of where mask and reference differ, if both are class indices."""
    if mask is None or reference is None or mask.class_index is None or reference.class_index is None:
        return []
    expected = reference.class_index
    if mask.legend is not None and reference.legend is not None:
        expected = reference.legend.mapping_to(mask.legend)[expected]
    return [("differences", error_map(base.image, mask.class_index, expected))]


Line = NDArray[np.float64]
"""(point, 2): row and col in pixels, counted from the upper left corner of the grid's first pixel; closed."""


def pixel_lines(layer: PolygonLayer, grid: Grid) -> list[tuple[int, Line]]:
    """Each ring (shells and holes) of the polygons whose boxes touch the grid: class index and line.

    The layer is reprojected to the grid's CRS if both have one; without, its coordinates are taken as the grid's.
    """
    frame = layer.frame
    if grid.crs is not None and layer.crs is not None and layer.crs != grid.crs:
        frame = frame.to_crs(grid.crs)
    left, bottom, right, top = grid.bounds
    frame = frame.cx[left:right, bottom:top] if len(frame) else frame
    parts, owner = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    lines = np.split(_rows_cols(points, grid), np.flatnonzero(np.diff(point_ring)) + 1) if len(rings) else []
    values = frame["class_index"].to_numpy()[owner[ring_part]]
    return [(int(value), line) for value, line in zip(values, lines, strict=True)]


def _rows_cols(points: NDArray[np.float64], grid: Grid) -> Line:
    """(x, y) in CRS units to (row, col) of pixel corners: the inverse of the grid's transform."""
    t = grid.transform
    x, y = points[:, 0] - t.c, points[:, 1] - t.f
    cols = (t.e * x - t.b * y) / t.determinant
    rows = (t.a * y - t.d * x) / t.determinant
    return np.stack([rows, cols], axis=1)
