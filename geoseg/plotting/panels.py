"""A figure of one scene: the scene, its mask, its reference, their differences, and polygons."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg._output_files import VECTOR_SUFFIXES, check_writable
from geoseg.errors import GridMismatch
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend, make_numbered_legend
from geoseg.plotting.images import blend, compose_panel, draw_lines, error_map, write_png
from geoseg.raster.display import RgbImage, choose_rgb_bands, render_rgb
from geoseg.raster.scene import Scene
from geoseg.vector.io.reader import read_features
from geoseg.vector.layer import PolygonLayer

POLYGON_COLOUR = (255, 255, 0)
REFERENCE_COLOUR = (0, 255, 255)
"""Colors of outlines that are visible on roofs, roads and trees."""

THIN_LINE_SIZE = 700
"""Length of the longer side, in pixels, below which outlines are one pixel wide instead of two."""

COLUMNS = 3
"""Images per row."""


def plot_scene(
    scene: str | Path,
    output: str | Path,
    *,
    mask: str | Path | None = None,
    reference: str | Path | None = None,
    polygons: str | Path | None = None,
    longest: int = 1024,
    overwrite: bool = False,
) -> Path:
    """Write a PNG with a scene next to its mask, reference and polygons.

    If the mask and the reference are rasters of class indices, an additional image shows their differences.

    Args:
        scene: The scene.
        output: The PNG to write.
        mask: Predicted mask, on the grid of the scene.
        reference: Reference labels: a raster on the grid of the scene, or polygons in any CRS.
        polygons: Predicted polygons in any CRS.
        longest: Length of the longer side of each image in pixels.
        overwrite: True to replace an existing file.

    Returns:
        ``output``.

    Raises:
        GridMismatch: If the mask or the reference is not on the grid of the scene.
        OutputError: If the file cannot be written.
    """
    check_writable(output, overwrite)
    with Scene.open(scene) as opened:
        reduced = opened.read_overview(longest)
        base = _Base(render_rgb(reduced, choose_rgb_bands(opened.bands)), opened.grid, reduced.grid)
        images = [(opened.name, base.image)]
    labels = {"mask": _read_labels(mask, base), "reference": _read_labels(reference, base)}
    legend = _common_legend(list(labels.values()))
    images += [(name, _render(layer, legend, base)) for name, layer in labels.items() if layer is not None]
    images += _render_differences(labels["mask"], labels["reference"], base)
    for path, colour in ((_if_vector(reference), REFERENCE_COLOUR), (polygons, POLYGON_COLOUR)):
        if path is not None:
            width = 1 if max(base.reduced.shape) < THIN_LINE_SIZE else 2
            image = draw_lines(base.image, _read_lines(path, base.reduced), colour=colour, width=width)
            images.append((Path(path).name, image))
    write_png(output, compose_panel(images, legend=legend, columns=COLUMNS))
    return Path(output)


def _read_lines(path: str | Path, grid: Grid) -> list[NDArray[np.float64]]:
    """Read the outlines of polygons as points (row, col) in pixels of the grid."""
    frame = read_features(path, grid)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)].assign(class_index=0)
    return [line for _, line in rings_in_pixels(PolygonLayer(frame, None), grid)]


@dataclass(frozen=True)
class _Base:
    """The scene as displayed."""

    image: RgbImage
    """The scene in color."""
    full: Grid
    """Grid of the scene."""
    reduced: Grid
    """Grid of ``image``."""


@dataclass(frozen=True)
class _Labels:
    """A mask or a reference as displayed."""

    class_index: NDArray[np.uint8] | None
    """Axes (row, col), 255 = none; None for labels that are stored as colors."""
    legend: Legend | None
    """Legend of the file, if it has one."""
    image: RgbImage
    """The labels in their own colors."""


def _if_vector(path: str | Path | None) -> str | Path | None:
    return path if path is not None and Path(path).suffix.lower() in VECTOR_SUFFIXES else None


def _read_labels(path: str | Path | None, base: _Base) -> _Labels | None:
    """Read a mask or a label raster at the size of the image; return None if there is none."""
    if path is None or _if_vector(path):
        return None
    with Scene.open(path) as scene:
        _require_same_grid(scene, base.full)
        raster = scene.read(scene.grid.window, shape=base.reduced.shape, nearest=True)
        if len(scene.bands) > 1 or scene.dtype != np.uint8:
            return _Labels(None, None, render_rgb(raster, choose_rgb_bands(scene.bands)))
        class_index = raster.fill(IGNORE_INDEX)[0]
        image = render_rgb(raster) if scene.palette is None else scene.palette[class_index][..., :3]
        return _Labels(class_index, scene.legend, image)


def _require_same_grid(scene: Scene, grid: Grid) -> None:
    """Raise GridMismatch unless the sizes are the same and, if both have a CRS, the grids match."""
    if scene.grid.crs is not None and grid.crs is not None:
        grid.require_match(scene.grid, "the scene", scene.path)
    if scene.grid.shape != grid.shape:
        (h, w), (height, width) = scene.grid.shape, grid.shape
        raise GridMismatch(f"{scene.path} has {h} x {w} pixels, the scene has {height} x {width}", "they must match")


def _common_legend(labels: list[_Labels | None]) -> Legend | None:
    """Return the first legend found in a file, else a numbered one for all values; None without class indices."""
    for layer in labels:
        if layer is not None and layer.legend is not None:
            return layer.legend
    values = [np.unique(layer.class_index) for layer in labels if layer is not None and layer.class_index is not None]
    indices = sorted({int(value) for part in values for value in part if value != IGNORE_INDEX})
    return make_numbered_legend(indices) if indices else None


def _render(labels: _Labels, legend: Legend | None, base: _Base) -> RgbImage:
    """Render class indices in the colors of the legend; other pixels show the scene."""
    if labels.class_index is None or legend is None:
        return labels.image
    colours = legend.draw(labels.class_index)
    return blend(base.image, colours, opacity=1.0, valid=labels.class_index < len(legend))


def _render_differences(mask: _Labels | None, reference: _Labels | None, base: _Base) -> list[tuple[str, RgbImage]]:
    """Return the error map with its title, if mask and reference are class indices."""
    if mask is None or reference is None or mask.class_index is None or reference.class_index is None:
        return []
    expected = reference.class_index
    if mask.legend is not None and reference.legend is not None:
        expected = reference.legend.mapping_to(mask.legend)[expected]
    return [("differences", error_map(base.image, mask.class_index, expected))]


Line = NDArray[np.float64]
"""A closed line of points (row, col) in pixels from the corner of the first pixel, shape (point, 2)."""


def rings_in_pixels(layer: PolygonLayer, grid: Grid) -> list[tuple[int, Line]]:
    """Convert the rings (shells and holes) of polygons that overlap a grid to pixel coordinates.

    Args:
        layer: The polygons; reprojected to the CRS of the grid if both have one.
        grid: The grid.

    Returns:
        The class index and the line of each ring.
    """
    frame = layer.frame
    if grid.crs is not None and layer.crs is not None and layer.crs != grid.crs:
        frame = frame.to_crs(grid.crs)
    left, bottom, right, top = grid.bounds
    frame = frame.cx[left:right, bottom:top] if len(frame) else frame
    parts, owner = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    lines = np.split(_to_rows_cols(points, grid), np.flatnonzero(np.diff(point_ring)) + 1) if len(rings) else []
    values = frame["class_index"].to_numpy()[owner[ring_part]]
    return [(int(value), line) for value, line in zip(values, lines, strict=True)]


def _to_rows_cols(points: NDArray[np.float64], grid: Grid) -> Line:
    """Convert (x, y) in CRS units to (row, col): the inverse of the transform of the grid."""
    t = grid.transform
    x, y = points[:, 0] - t.c, points[:, 1] - t.f
    cols = (t.e * x - t.b * y) / t.determinant
    rows = (t.a * y - t.d * x) / t.determinant
    return np.stack([rows, cols], axis=1)
