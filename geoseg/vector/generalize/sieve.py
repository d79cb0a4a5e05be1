"""Takes specks into their neighbours while a mask is still pixels: two readings, and memory by the polygon, not the pixel.

The first reading labels every strip and counts the pixels of regions and the sides they share with others; then it is
known what becomes of each (by the rule of ``specks``). The second labels again and gives every region its new class.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._concurrency import side_by_side
from geoseg._numba import compiled
from geoseg.vector.class_raster import ClassRaster, PixelSize
from geoseg.vector.generalize.merge_small import Borders, absorbed
from geoseg.vector.tracing.assemble_polygons import regions
from geoseg.vector.tracing.connected_components import Integers, diagonal_pairs, find_roots, label_block
from geoseg.vector.tracing.ragged_arrays import offsets
from geoseg.vector.tracing.trace_raster import Classes, Connectivity


@dataclass(frozen=True)
class Counted:
    """The regions of one strip, by label: those that turned out to be one region have one label here."""

    diagonal: Integers
    """(pair, 2): labels of one class that touch at corners; empty unless 8-connectivity is asked for."""
    top: Integers
    """(place,): labels of the row above the strip, at some columns; see :func:`_with_short_seams`."""
    bottom: Integers
    """(place,): labels of the strip's last row, at those of the strip below."""
    pixels: Integers
    """(label,): how many of the strip's own."""
    rows: Integers
    """(label,): the first row of the image it was seen in."""
    values: Integers
    """(label,): class."""
    sides: Integers
    """(pair, 4): two labels that share sides of pixels, one of them too small so far, how many lie along columns and how
    many along rows."""

    @property
    def parents(self) -> Integers:
        """(label,): which labels are one region: each is one of its own."""
        return np.arange(len(self.pixels))


def without_specks(
    raster: ClassRaster, size: PixelSize, min_area_m2: float, *, connectivity: Connectivity = 4
) -> ClassRaster:
    """The raster with every region under ``min_area_m2`` square metres given to the neighbour it shares the longest border
    with, the smallest first; regions without neighbours become background.
    """
    work = partial(_count, raster=raster, small=min_area_m2 / size.areas.max(), diagonals=connectivity == 8)
    counted = _with_short_seams(side_by_side(work, raster.blocks()))
    table = _new_classes(counted, raster, size, min_area_m2)
    firsts = offsets([len(strip.pixels) for strip in counted])

    def relabelled() -> Iterator[Classes]:
        strips = ((k, block) for k, (_, block) in enumerate(raster.blocks()))
        several = side_by_side(partial(_relabel, raster=raster, firsts=firsts, table=table), strips)
        for strip, _ in zip(several, range(len(counted) - 1), strict=False):  # the last one lies below the image
            yield strip

    return ClassRaster(raster.width, raster.background, relabelled)


def _with_short_seams(strips: Iterable[Counted]) -> list[Counted]:
    """The strips, their seams only at the columns where something new begins: whole rows of all strips would be much."""
    short: list[Counted] = []
    for strip in strips:
        if short:
            above = short[-1].bottom
            new = np.flatnonzero((np.diff(above, prepend=-1) != 0) | (np.diff(strip.top, prepend=-1) != 0))
            short[-1] = replace(short[-1], bottom=above[new])
            short.append(replace(strip, top=strip.top[new]))
        else:
            short.append(replace(strip, top=strip.top[:0]))
    return short


def _relabel(strip: tuple[int, NDArray[np.int32]], *, raster: ClassRaster, firsts: Integers, table: Classes) -> Classes:
    number, block = strip
    labels, names = _labelled(block, raster)
    new: Classes = table[firsts[number] : firsts[number + 1]][names][labels[1:, 1:-1]]
    return new


def _labelled(block: NDArray[np.int32], raster: ClassRaster) -> tuple[NDArray[np.int32], Integers]:
    """Labels of a block (row, col) as ``label_block`` gives them, and for each the region's, which are far fewer."""
    labels, parents = label_block(block, raster.background)
    roots = find_roots(parents)
    return labels, (np.cumsum(roots == np.arange(len(roots))) - 1)[roots]


def _count(strip: tuple[int, NDArray[np.int32]], *, raster: ClassRaster, small: float, diagonals: bool) -> Counted:
    row, block = strip
    labels, names = _labelled(block, raster)
    count = int(names.max()) + 1
    pixels, values = np.zeros(count, np.int64), np.full(count, raster.background, np.int64)
    rows = np.full(count, np.iinfo(np.int64).max)
    _tally(block, labels, names, pixels, rows, values)
    sides = np.empty((2 * block.size, 3), np.int64)
    sides = sides[: _list_sides(labels, names, pixels, small, sides)]
    return Counted(
        diagonal=names[diagonal_pairs(block, labels, raster.background)] if diagonals else np.empty((0, 2), np.int64),
        top=names[labels[0]],
        bottom=names[labels[-1]],
        pixels=pixels,
        rows=rows + row - 1,
        values=values,
        sides=_counted_sides(sides),
    )


def _new_classes(counted: list[Counted], raster: ClassRaster, size: PixelSize, min_area_m2: float) -> Classes:
    """For every label of every strip the class it gets."""
    _, polygon = regions(counted)
    values = np.concatenate([strip.values for strip in counted])
    names, position = np.unique(polygon, return_inverse=True)
    pixels = np.bincount(position, np.concatenate([strip.pixels for strip in counted]))
    first = np.full(len(names), len(size.areas) - 1)
    np.minimum.at(first, position, np.concatenate([strip.rows for strip in counted]))
    areas = pixels * size.areas[np.maximum(first, 0)]
    owner = absorbed(_borders(counted, position, size), areas, min_area_m2)
    totals = np.bincount(owner, areas, len(names))
    classes = np.where(totals[owner] >= min_area_m2, values[names][owner], raster.background)
    wide: Any = np.uint8 if classes.min() >= 0 and classes.max() <= 255 and raster.background == 255 else np.int32
    table: Classes = classes.astype(wide)[position]
    return table


def _borders(counted: list[Counted], position: Integers, size: PixelSize) -> Borders:
    """The lengths in metres of the borders that polygons share, each in both orders."""
    firsts = offsets([len(strip.pixels) for strip in counted])[:-1]
    pairs = np.concatenate([strip.sides[:, :2] + first for strip, first in zip(counted, firsts, strict=True)])
    number = np.concatenate([strip.sides[:, 2:] for strip in counted])
    sides = _counted_pairs(position[pairs[:, 0]], position[pairs[:, 1]], number)
    length = sides[:, 2] * size.across + sides[:, 3] * size.down
    first, second = sides[:, 0], sides[:, 1]
    return np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([length, length])


def _counted_sides(sides: Integers) -> Integers:
    return _counted_pairs(sides[:, 0], sides[:, 1], np.stack([1 - sides[:, 2], sides[:, 2]], axis=1))


def _counted_pairs(first: Integers, second: Integers, number: Integers) -> Integers:
    """(pair, 4): equal pairs once, the smaller name first, with their numbers (pair, 2) added up; none with itself."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    key = (low << 32) | high
    order = np.argsort(key, kind="stable")
    order = order[low[order] != high[order]]
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    if not len(starts):
        return np.empty((0, 4), np.int64)
    sums = np.add.reduceat(number[order], starts, axis=0)
    return np.column_stack([low[order][starts], high[order][starts], sums])


@compiled
def _tally(
    block: NDArray[np.int32],
    labels: NDArray[np.int32],
    names: Integers,
    pixels: Integers,
    rows: Integers,
    values: Integers,
) -> None:
    """Fills the last three by the ``names`` of labels."""
    for i in range(labels.shape[0]):
        for j in range(1, labels.shape[1] - 1):
            if labels[i, j]:
                name = names[labels[i, j]]
                values[name] = block[i, j]
                if i:
                    pixels[name] += 1
                    rows[name] = min(rows[name], i)


@compiled
def _list_sides(labels: NDArray[np.int32], names: Integers, pixels: Integers, small: float, sides: Integers) -> int:
    """Fills ``sides`` (side, 3: two labels, 1 if they lie side by side in a row, else 0); gives how many there are."""
    count = 0
    for i in range(1, labels.shape[0]):
        for j in range(1, labels.shape[1] - 1):
            own = names[labels[i, j]]
            for along in range(2):
                other = names[labels[i, j - 1] if along else labels[i - 1, j]]
                if own and other and own != other and (pixels[own] < small or pixels[other] < small):
                    sides[count, 0], sides[count, 1], sides[count, 2] = own, other, along
                    count += 1
    return count
