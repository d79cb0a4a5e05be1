"""The stations between a mask and its outlines, each taking what the one before gives, strip by strip."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from geoseg._concurrency import side_by_side
from geoseg.grid.grid import Grid
from geoseg.vector.class_raster import ClassRaster, PixelSize
from geoseg.vector.confidence import Confidence
from geoseg.vector.generalize.fill_holes import without_holes
from geoseg.vector.generalize.sieve import without_specks
from geoseg.vector.generalize.simplify_boundaries import Shaping, reshaped
from geoseg.vector.mask_source import Mask
from geoseg.vector.options import Wishes
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.trace_raster import trace_strips
from geoseg.vector.tracing.vertex_index import Corners, Vertices

CORNERS = 200_000
"""About how many corners are reshaped at a time."""


def classes_of(mask: Mask, wishes: Wishes) -> ClassRaster:
    """The mask without the holes and specks that are not wished for."""
    raster, grid = mask.raster(), mask.scene.grid
    if wishes.fill_holes_m2 > 0:
        raster = without_holes(raster, PixelSize.on(grid), wishes.fill_holes_m2, connectivity=wishes.connectivity)
    if wishes.min_area_m2 > 0:
        raster = without_specks(raster, PixelSize.on(grid), wishes.min_area_m2, connectivity=wishes.connectivity)
    return raster


def traced(raster: ClassRaster, grid: Grid, wishes: Wishes, confidence: Confidence | None) -> Iterator[Outlines]:
    """The outlines of a raster's regions as they end, simplified and smoothed as wished."""
    strips = ((strip, None) for strip in raster.strips()) if confidence is None else confidence.beside(raster.strips())
    reshapes = wishes.simplify_m > 0 or wishes.smooth
    corners = Corners() if reshapes else None
    outlines = trace_strips(
        strips,
        width=raster.width,
        background=raster.background,
        connectivity=wishes.connectivity,
        corners=corners,
    )
    return outlines if corners is None else _reshaped(outlines, corners, grid, wishes)


def _reshaped(outlines: Iterable[Outlines], corners: Corners, grid: Grid, wishes: Wishes) -> Iterator[Outlines]:
    size = PixelSize.on(grid)
    shaping = Shaping(wishes.simplify_m, wishes.smooth, size.across, size.down)

    def work(some: tuple[Outlines, Vertices]) -> Outlines:
        return reshaped(_with_fixed_corners(some[0], grid), some[1], shaping)

    return side_by_side(work, _portions(outlines, corners))


def _portions(outlines: Iterable[Outlines], corners: Corners) -> Iterator[tuple[Outlines, Vertices]]:
    """The outlines in portions, with all vertices around."""
    for some in outlines:
        vertices = corners.vertices()
        for portion in some.in_portions(CORNERS):
            yield portion, vertices


def _with_fixed_corners(outlines: Outlines, grid: Grid) -> Outlines:
    """The outlines with nodes at the corners of the image, which are to stay."""
    row, col = outlines.corners.T
    fixed = ((row == 0) | (row == grid.height)) & ((col == 0) | (col == grid.width))
    return replace(outlines, nodes=outlines.nodes | fixed)
