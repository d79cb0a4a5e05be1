"""Merge small polygons into their neighbors, either in a layer or in a mask that is read in strips.

The mask is read twice, and memory use is proportional to the number of polygons. The first pass labels every strip, and
counts the pixels of each region and the pixel sides that it shares with other regions. Then the new class of each
region is determined (see ``find_merge_targets``). The second pass labels the strips again, and assigns the new classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg._concurrency import ordered_map
from geoseg._numba_jit import njit
from geoseg.vector.generalize.adjacency import Borders, find_merge_targets, find_shared_borders
from geoseg.vector.measure import PixelSize
from geoseg.vector.tracing.assemble_polygons import unite_regions
from geoseg.vector.tracing.connected_components import find_diagonal_pairs, find_roots, label_block, unite_pairs
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray, to_offsets
from geoseg.vector.tracing.raster_strips import Block, ClassArray, ClassRaster
from geoseg.vector.tracing.trace_raster import Connectivity

UNITS_PER_PIXEL = 2**20
"""Number of area units in the largest pixel. Areas are integers, so their sums do not depend on how strips are cut."""


def sieve_coverage(
    geometries: NDArray[np.object_], classes: IntArray, areas: FloatArray, min_area: float
) -> tuple[NDArray[np.object_], IntArray, int]:
    """Merge small polygons into the neighbor with the longest shared border, smallest first.

    Adjacent polygons that then have the same class become one polygon. Small polygons without neighbors are removed.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        classes: Number of each polygon's class.
        areas: Area of each polygon.
        min_area: Polygons smaller than this area are merged, in the unit of ``areas``.

    Returns:
        The remaining polygons, the original position of each, and the number of small polygons that were removed.
    """
    borders = find_shared_borders(geometries)
    owner = find_merge_targets(borders, areas, min_area)
    first, second = owner[borders.first], owner[borders.second]
    is_same = classes[first] == classes[second]
    owner = unite_pairs(np.arange(len(owner)), first[is_same], second[is_same])[owner]
    totals = np.bincount(owner, weights=areas, minlength=len(owner))
    is_merged = owner == np.arange(len(owner))
    remaining = np.flatnonzero(is_merged & (totals >= min_area))
    return _dissolve(geometries, owner, remaining), remaining, int(is_merged.sum()) - len(remaining)


def _dissolve(geometries: NDArray[np.object_], owner: IntArray, remaining: IntArray) -> NDArray[np.object_]:
    """Return the union of the polygons of each remaining owner."""
    order = np.argsort(owner, kind="stable")
    starts, stops = (np.searchsorted(owner[order], remaining, side) for side in ("left", "right"))
    result = geometries[remaining]
    for k in np.flatnonzero(stops - starts > 1):
        result[k] = shapely.coverage_union_all(geometries[order[starts[k] : stops[k]]])
    return result


def sieve_raster(
    raster: ClassRaster, size: PixelSize, min_area_m2: float, *, connectivity: Connectivity = 4
) -> tuple[ClassRaster, int]:
    """Merge small regions into the neighbor with the longest shared border, smallest first.

    Small regions without neighbors become background.

    Args:
        raster: The class raster; it is read immediately, and again each time the result is read.
        size: Size of the raster's pixels.
        min_area_m2: Regions smaller than this area, in square meters, are merged.
        connectivity: Which pixels of a class form a region, 4 or 8.

    Returns:
        The class raster, and the number of small regions that became background.
    """
    largest = float(size.areas_m2.max())
    units = np.append(np.rint(size.areas_m2 * (UNITS_PER_PIXEL / largest)).astype(np.int64), 0)  # 0: below the image
    small = min_area_m2 / max(float(size.areas_m2.min()), largest / UNITS_PER_PIXEL)
    count = partial(_count_regions, raster=raster, units=units, small=small, connectivity=connectivity)
    strips = _shorten_seams(ordered_map(count, raster.blocks(close=True)))
    table, removed = _choose_classes(strips, raster, size, min_area_m2)
    first_labels = to_offsets([len(strip.pixels) for strip in strips])

    def read() -> Iterator[ClassArray]:
        reclassify = partial(_reclassify, raster=raster, first_labels=first_labels, table=table)
        return ordered_map(reclassify, enumerate(raster.blocks()))

    return ClassRaster(raster.width, raster.background, read), removed


@dataclass(frozen=True)
class _StripRegions:
    """The regions in one strip, each of which has a single label."""

    diagonal: IntArray
    """(pair, 2): labels of the same class that touch at corners; empty with 4-connectivity."""
    top: IntArray
    """(position,): labels in the row above the strip, at selected columns; see :func:`_shorten_seams`."""
    bottom: IntArray
    """(position,): labels in the last row of the strip, at the columns of the next strip's ``top``."""
    pixels: IntArray
    """(label,): number of pixels in the strip."""
    units: IntArray
    """(label,): area of these pixels, in units of the largest pixel divided by :data:`UNITS_PER_PIXEL`."""
    values: IntArray
    """(label,): class."""
    sides: IntArray
    """(pair, 4): two labels that share pixel sides, at least one of which has only a few pixels in this strip, and the
    numbers of shared sides between pixels in the same column and in the same row."""

    @property
    def parents(self) -> IntArray:
        """(label,): the label itself, because each label is a separate region."""
        return np.arange(len(self.pixels))


def _shorten_seams(strips: Iterable[_StripRegions]) -> list[_StripRegions]:
    """Keep only the seam columns at which a run of labels begins; storing full rows would take too much memory."""
    shortened: list[_StripRegions] = []
    for strip in strips:
        if shortened:
            above = shortened[-1].bottom
            begins = np.flatnonzero((np.diff(above, prepend=-1) != 0) | (np.diff(strip.top, prepend=-1) != 0))
            shortened[-1] = replace(shortened[-1], bottom=above[begins])
            shortened.append(replace(strip, top=strip.top[begins]))
        else:
            shortened.append(replace(strip, top=strip.top[:0]))
    return shortened


def _reclassify(
    strip: tuple[int, Block], *, raster: ClassRaster, first_labels: IntArray, table: ClassArray
) -> ClassArray:
    number, block = strip
    labels, regions = _label_regions(block, raster)
    classes: ClassArray = table[first_labels[number] : first_labels[number + 1]][regions][labels[1:, 1:-1]]
    return classes


def _label_regions(block: Block, raster: ClassRaster) -> tuple[NDArray[np.int32], IntArray]:
    """Label a block (row, col), and return the region number of each label; there are far fewer regions than labels."""
    labels, parents = label_block(block.classes, raster.background)
    roots = find_roots(parents)
    return labels, (np.cumsum(roots == np.arange(len(roots))) - 1)[roots]


def _count_regions(
    block: Block, *, raster: ClassRaster, units: IntArray, small: float, connectivity: Connectivity
) -> _StripRegions:
    labels, regions = _label_regions(block, raster)
    count = int(regions.max()) + 1
    pixels, values = np.zeros(count, np.int64), np.full(count, raster.background, np.int64)
    areas = np.zeros(count, np.int64)
    _count_pixels(block.classes, labels, regions, units[block.row :], pixels, areas, values)
    sides = np.empty((2 * labels.size, 3), np.int64)
    sides = sides[: _list_sides(labels, regions, pixels, small, sides)]
    if connectivity == 8:
        diagonal = regions[find_diagonal_pairs(block.classes, labels, raster.background)]
    else:
        diagonal = np.empty((0, 2), np.int64)
    return _StripRegions(
        diagonal=diagonal,
        top=regions[labels[0]],
        bottom=regions[labels[-1]],
        pixels=pixels,
        units=areas,
        values=values,
        sides=_sum_pairs(sides[:, 0], sides[:, 1], np.stack([1 - sides[:, 2], sides[:, 2]], axis=1)),
    )


def _choose_classes(
    strips: list[_StripRegions], raster: ClassRaster, size: PixelSize, min_area_m2: float
) -> tuple[ClassArray, int]:
    """Choose the new class of every label in every strip, and count the regions that become background."""
    _, polygon = unite_regions(strips)
    values = np.concatenate([strip.values for strip in strips])
    polygons, position = np.unique(polygon, return_inverse=True)
    units = np.zeros(len(polygons), np.int64)
    np.add.at(units, position, np.concatenate([strip.units for strip in strips]))
    areas: FloatArray = units.astype(np.float64) * (float(size.areas_m2.max()) / UNITS_PER_PIXEL)
    owner = find_merge_targets(_sum_borders(strips, position, size), areas, min_area_m2)
    totals = np.bincount(owner, areas, len(polygons))
    is_small = totals[owner] < min_area_m2
    classes = np.where(is_small, raster.background, values[polygons][owner])
    is_region = (owner == np.arange(len(owner))) & (values[polygons] != raster.background)
    is_uint8 = classes.min() >= 0 and classes.max() <= 255 and raster.background == 255
    dtype: Any = np.uint8 if is_uint8 else np.int32
    table: ClassArray = classes.astype(dtype)[position]
    return table, int((is_small & is_region).sum())


def describe_removed(count: int, min_area_m2: float) -> tuple[str, ...]:
    """Return the note on small polygons that were removed; no note if there are none."""
    if not count:
        return ()
    return (f"polygons removed, because they are smaller than {min_area_m2:g} m2 and have no neighbor: {count}",)


def _sum_borders(strips: list[_StripRegions], position: IntArray, size: PixelSize) -> Borders:
    """Sum the lengths, in meters, of the borders that polygons share."""
    first_labels = to_offsets([len(strip.pixels) for strip in strips])[:-1]
    pairs = np.concatenate([strip.sides[:, :2] + first for strip, first in zip(strips, first_labels, strict=True)])
    counts = np.concatenate([strip.sides[:, 2:] for strip in strips])
    sides = _sum_pairs(position[pairs[:, 0]], position[pairs[:, 1]], counts)
    length = sides[:, 2] * size.width_m + sides[:, 3] * size.height_m
    first, second = sides[:, 0], sides[:, 1]
    return Borders(np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([length, length]))


def _sum_pairs(first: IntArray, second: IntArray, counts: IntArray) -> IntArray:
    """Sum the counts (pair, 2) of pairs in either order; return (pair, 4): smaller label, larger label, both sums."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    key = (low << 32) | high
    order = np.argsort(key, kind="stable")
    order = order[low[order] != high[order]]
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    if not len(starts):
        return np.empty((0, 4), np.int64)
    sums = np.add.reduceat(counts[order], starts, axis=0)
    return np.column_stack([low[order][starts], high[order][starts], sums])


@njit
def _count_pixels(
    block: NDArray[np.int32],
    labels: NDArray[np.int32],
    regions: IntArray,
    units: IntArray,
    pixels: IntArray,
    areas: IntArray,
    values: IntArray,
) -> None:
    """Fill the last three arrays, which are indexed by region; ``units`` is the pixel area in each row of the strip."""
    for i in range(labels.shape[0]):
        for j in range(1, labels.shape[1] - 1):
            if labels[i, j]:
                region = regions[labels[i, j]]
                values[region] = block[i, j]
                if i:
                    pixels[region] += 1
                    areas[region] += units[i - 1]


@njit
def _list_sides(labels: NDArray[np.int32], regions: IntArray, pixels: IntArray, small: float, sides: IntArray) -> int:
    """Fill ``sides`` (side, 3: two regions, 1 if they are adjacent in a row, else 0); return the number of sides."""
    count = 0
    for i in range(1, labels.shape[0]):
        for j in range(1, labels.shape[1] - 1):
            own = regions[labels[i, j]]
            for is_in_row in range(2):
                other = regions[labels[i, j - 1] if is_in_row else labels[i - 1, j]]
                if own and other and own != other and (pixels[own] < small or pixels[other] < small):
                    sides[count, 0], sides[count, 1], sides[count, 2] = own, other, is_in_row
                    count += 1
    return count
