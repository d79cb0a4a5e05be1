"""Small holes are filled with the class around them, with the same result for any strips."""

import numpy as np
import shapely
from helpers.vectors import BACKGROUND, masks, shapes
from hypothesis import given
from hypothesis import strategies as st

from geoseg.vector.generalize.fill_holes import fill_raster_holes
from geoseg.vector.measure import PixelSize
from geoseg.vector.tracing.raster_strips import ClassRaster
from geoseg.vector.tracing.trace_raster import trace_mask

connectivities = st.sampled_from([4, 8])


def fill_mask(mask, area, *, rows=100, connectivity=4):
    """The mask after fill_raster_holes, read in strips of some rows, with pixels of one square meter."""
    starts = range(0, len(mask), rows)
    raster = ClassRaster(mask.shape[1], BACKGROUND, lambda: (mask[row : row + rows] for row in starts))
    size = PixelSize(np.ones(len(mask)), 1.0, 1.0)
    return np.concatenate(list(fill_raster_holes(raster, size, area, connectivity=connectivity).strips()))


def traced(mask, connectivity):
    return trace_mask(mask, background=BACKGROUND, connectivity=connectivity)


@given(masks, st.integers(2, 6), connectivities, st.integers(1, 4))
def test_strips_leave_no_trace(mask, area, connectivity, rows):
    full = fill_mask(mask, area, connectivity=connectivity)
    assert np.array_equal(fill_mask(mask, area, connectivity=connectivity, rows=rows), full)


@given(masks, st.integers(2, 6))
def test_no_small_hole_is_left_and_only_holes_change(mask, area):
    after = fill_mask(mask, area)
    for polygon in shapes(traced(after, 4)):
        assert all(shapely.Polygon(hole).area >= area for hole in polygon.interiors)
    before = shapes(traced(mask, 4))
    filled = shapely.union_all([shapely.Polygon(hole) for polygon in before for hole in polygon.interiors])
    differs = shapely.union_all([shapely.box(c, r, c + 1, r + 1) for r, c in np.argwhere(after != mask)])
    assert filled.covers(differs) or differs.is_empty


def test_a_hole_is_filled_with_all_that_is_inside():
    mask = np.zeros((5, 5), np.uint8)
    mask[1:4, 1:4] = [[1, 1, 1], [1, 255, 1], [1, 1, 2]]
    assert (fill_mask(mask, 9.5) == 0).all()
    assert np.array_equal(fill_mask(mask, 3)[1:4, 1:4], [[1, 1, 1], [1, 1, 1], [1, 1, 2]])
