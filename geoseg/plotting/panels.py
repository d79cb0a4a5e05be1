"""A figure of one scene: the scene, its mask, its reference, their differences, and polygons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg._output_files import VECTOR_SUFFIXES, check_writable
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.plotting.images import ErrorColours, blend, compose_panel, draw_lines, error_map, write_png
from geoseg.raster.class_values import ClassValues
from geoseg.raster.display import RgbImage, choose_rgb_bands, render_rgb
from geoseg.raster.scene import Scene
from geoseg.vector.io.require_file import require_file

if TYPE_CHECKING:
    from geoseg.vector.layer import PolygonLayer

POLYGON_COLOUR = (255, 255, 0)
REFERENCE_COLOUR = (0, 255, 255)
"""Outline colors that stand out against roofs, roads and trees."""

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
    """Write a PNG file that shows a scene next to its mask, reference and polygons.

    If the mask and the reference are rasters of class indices, an additional image shows their differences.

    Args:
        scene: The scene.
        output: The PNG file to write.
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
    for layer in (_if_vector(reference), polygons):
        if layer is not None:
            require_file(layer)
    with Scene.open(scene) as opened:
        reduced = opened.read_overview(longest)
        base = _Base(render_rgb(reduced, choose_rgb_bands(opened.bands)), opened.grid, reduced.grid)
        images = [(opened.name, base.image)]
    given = {"mask": _read_labels(mask, base), "reference": _read_labels(reference, base)}
    labels = {name: layer for name, layer in given.items() if layer is not None}
    classes = _common_classes(list(labels.values()))
    images += [(name, _render(layer, classes, base)) for name, layer in labels.items()]
    images += _render_differences(labels, classes, base)
    for path, colour in ((_if_vector(reference), REFERENCE_COLOUR), (polygons, POLYGON_COLOUR)):
        if path is not None:
            width = 1 if max(base.reduced.shape) < THIN_LINE_SIZE else 2
            image = draw_lines(base.image, _read_lines(path, base.reduced), colour=colour, width=width)
            images.append((Path(path).name, image))
    write_png(output, compose_panel(images, legend=None if classes is None else classes.legend, columns=COLUMNS))
    return Path(output)


def _read_lines(path: str | Path, grid: Grid) -> list[NDArray[np.float64]]:
    """Read the outlines of polygons as points (row, col) in pixels of the grid."""
    from geoseg.vector.io.reader import read_features
    from geoseg.vector.layer import PolygonLayer

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

    values: NDArray[Any] | None
    """Class values, axes (row, col); None for labels that are stored as colors."""
    valid: NDArray[np.bool_]
    """Axes (row, col); True where there is a class. 255 is a class, except in files with a legend."""
    legend: Legend | None
    """Legend of the file, if it has one."""
    image: RgbImage
    """The labels in the colors of the file, or in gray if it has none."""


def _if_vector(path: str | Path | None) -> str | Path | None:
    return path if path is not None and Path(path).suffix.lower() in VECTOR_SUFFIXES else None


def _read_labels(path: str | Path | None, base: _Base) -> _Labels | None:
    """Read a mask or label raster at the size of the image; return None for a vector file or if no path is given."""
    if path is None or _if_vector(path):
        return None
    with Scene.open(path) as scene:
        base.full.require_same_place(scene.grid, "the scene", scene.path)
        raster = scene.read(scene.grid.window, shape=base.reduced.shape, nearest=True)
        if len(scene.bands) > 1 or scene.dtype.kind not in "iub":
            return _Labels(None, raster.valid, None, render_rgb(raster, choose_rgb_bands(scene.bands)))
        values = raster.values[0]
        valid = raster.valid & (values != IGNORE_INDEX) if scene.legend is not None else raster.valid
        palette = scene.palette if scene.dtype == np.uint8 else None
        image = render_rgb(raster) if palette is None else palette[values][..., :3]
        return _Labels(values, valid, scene.legend, image)


def _common_classes(labels: Sequence[_Labels]) -> ClassValues | None:
    """Return the first legend, or else one class per value; None if there are no values, or too many to be classes."""
    for layer in labels:
        if layer.legend is not None:
            return ClassValues(layer.legend, {index: index for index in range(len(layer.legend))})
    values = {
        int(value) for layer in labels if layer.values is not None for value in np.unique(layer.values[layer.valid])
    }
    return ClassValues.of(values) if 0 < len(values) < IGNORE_INDEX else None


def _to_indices(labels: _Labels, classes: ClassValues) -> NDArray[np.uint8] | None:
    """Return the class indices, axes (row, col), with 255 where there is no class; None for labels stored as colors."""
    if labels.values is None:
        return None
    own = classes.indices
    if labels.legend is not None:
        names = classes.legend.names
        own = {entry.index: names.index(entry.name) for entry in labels.legend.entries if entry.name in names}
    class_index = np.full(labels.values.shape, IGNORE_INDEX, np.uint8)
    for value, index in own.items():
        class_index[labels.valid & (labels.values == value)] = index
    return class_index


def _render(labels: _Labels, classes: ClassValues | None, base: _Base) -> RgbImage:
    """Render class indices in the colors of the legend; other pixels show the scene."""
    class_index = None if classes is None else _to_indices(labels, classes)
    if classes is None or class_index is None:
        return labels.image
    return blend(base.image, classes.legend.draw(class_index), opacity=1.0, valid=class_index < len(classes.legend))


def _render_differences(
    labels: dict[str, _Labels], classes: ClassValues | None, base: _Base
) -> list[tuple[str, RgbImage]]:
    """Return the error map with its title, if both the mask and the reference contain class indices."""
    if classes is None or len(labels) < 2:
        return []
    predicted, expected = (_to_indices(labels[name], classes) for name in ("mask", "reference"))
    if predicted is None or expected is None:
        return []
    colours = ErrorColours.for_legend(classes.legend)
    return [("differences", error_map(base.image, predicted, expected, colours))]


Line = NDArray[np.float64]
"""A closed line of points (row, col) in pixels from the corner of the first pixel, shape (point, 2)."""


def rings_in_pixels(layer: "PolygonLayer", grid: Grid) -> list[tuple[int, Line]]:
    """Convert the rings (shells and holes) of polygons that overlap a grid to pixel coordinates.

    Args:
        layer: The polygons; reprojected to the CRS of the grid if both have one.
        grid: The grid.

    Returns:
        The class index and the closed line of each ring.
    """
    from geoseg.vector.io.reproject import match_crs

    frame = layer.frame
    if grid.crs is not None and layer.crs is not None and layer.crs != grid.crs:
        frame = match_crs(frame, grid.crs)
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
