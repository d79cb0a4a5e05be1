"""Specks and holes taken away while a mask is still pixels: as with polygons, and the same for any strips."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.features import rasterize
from strategies_vector import BACKGROUND, FIVE_METRES, ROTATED, UTM, masks, random_masks, shapes, smooth_mask

from geoseg.grid.grid import Grid
from geoseg.vector.class_raster import ClassRaster, PixelSize
from geoseg.vector.generalize.fill_holes import without_holes
from geoseg.vector.generalize.merge_small import absorb_specks
from geoseg.vector.generalize.sieve import without_specks
from geoseg.vector.tracing.trace_raster import trace

connectivities = st.sampled_from([4, 8])


def raster(mask, rows):
    starts = range(0, len(mask), rows)
    return ClassRaster(mask.shape[1], BACKGROUND, lambda: (mask[row : row + rows] for row in starts))


def changed(work, mask, area, *, rows=100, connectivity=4):
    size = PixelSize(np.ones(len(mask)), 1.0, 1.0)
    return np.concatenate(list(work(raster(mask, rows), size, area, connectivity=connectivity).strips()))


def traced(mask, connectivity):
    return trace(mask, background=BACKGROUND, connectivity=connectivity)


@given(masks, st.integers(2, 6), connectivities, st.integers(1, 4))
@pytest.mark.parametrize("work", [without_specks, without_holes])
def test_strips_leave_no_trace(work, mask, area, connectivity, rows):
    whole = changed(work, mask, area, connectivity=connectivity)
    assert np.array_equal(changed(work, mask, area, connectivity=connectivity, rows=rows), whole)


@given(masks, st.integers(2, 6), connectivities)
def test_no_speck_is_left_and_nothing_else_is_lost(mask, area, connectivity):
    after = changed(without_specks, mask, area, connectivity=connectivity)
    assert (traced(after, connectivity).pixels >= area).all()
    assert ((after == BACKGROUND) >= (mask == BACKGROUND)).all()
    if not (mask == BACKGROUND).any() and mask.size >= area:
        assert not (after == BACKGROUND).any()


def test_pixels_and_polygons_lose_their_specks_alike():
    for k, mask in enumerate([*random_masks(500, seed=5), smooth_mask(60)]):
        connectivity, area = (4, 8)[k % 2], 2 + k % 4
        before = traced(mask, connectivity)
        before = before.chosen(np.argsort(before.ids))  # ties are for the first
        left, source = absorb_specks(shapes(before), before.values, before.pixels.astype(float), area)
        pairs = list(zip(left, before.values[source], strict=True))
        burnt = rasterize(pairs, mask.shape, fill=255, dtype="uint8") if pairs else np.full(mask.shape, 255)
        assert np.array_equal(changed(without_specks, mask, area, connectivity=connectivity), burnt)


@given(masks, st.integers(2, 6))
def test_no_small_hole_is_left_and_only_holes_change(mask, area):
    after = changed(without_holes, mask, area)
    for polygon in shapes(traced(after, 4)):
        assert all(shapely.Polygon(hole).area >= area for hole in polygon.interiors)
    before = shapes(traced(mask, 4))
    filled = shapely.union_all([shapely.Polygon(hole) for polygon in before for hole in polygon.interiors])
    differs = shapely.union_all([shapely.box(c, r, c + 1, r + 1) for r, c in np.argwhere(after != mask)])
    assert filled.covers(differs) or differs.is_empty


def test_a_hole_is_filled_with_all_that_lies_in_it():
    mask = np.zeros((5, 5), np.uint8)
    mask[1:4, 1:4] = [[1, 1, 1], [1, 255, 1], [1, 1, 2]]
    assert (changed(without_holes, mask, 9.5) == 0).all()
    assert np.array_equal(changed(without_holes, mask, 3)[1:4, 1:4], [[1, 1, 1], [1, 1, 1], [1, 1, 2]])


def test_wide_values_are_sieved_too():
    mask = np.array([[70_000, 70_000, -3, 70_000]], np.int32)
    wide = ClassRaster(4, -(2**31), lambda: iter([mask]))
    after = list(without_specks(wide, PixelSize(np.ones(1), 1.0, 1.0), 2).strips())
    assert np.concatenate(after).tolist() == [[70_000] * 4]


@pytest.mark.parametrize("transform", [FIVE_METRES, ROTATED])
def test_pixels_of_a_grid_are_measured_on_the_ground(transform):
    size = PixelSize.on(Grid(UTM, transform, 10, 20))
    assert size.areas == pytest.approx(np.full(10, 25 / 0.9996**2), rel=1e-3)
    assert (size.across, size.down) == pytest.approx((5, 5), rel=1e-3)


def test_pixels_in_degrees_are_smaller_near_the_poles():
    size = PixelSize.on(Grid(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -1, 80), 160, 10))
    assert size.areas[0] / size.areas[79] == pytest.approx(np.cos(np.radians(79.5)), rel=0.03)
