"""Small regions are merged into their neighbors: in polygons, and in masks with the same result for any strips."""

import numpy as np
import pytest
import shapely
from helpers.vectors import BACKGROUND, masks, random_masks, shapes, smooth_mask, total_area
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import rasterize
from scipy.ndimage import label

from geoseg.vector.generalize.adjacency import find_shared_borders
from geoseg.vector.generalize.sieve import sieve_coverage, sieve_raster
from geoseg.vector.measure import PixelSize
from geoseg.vector.tracing.raster_strips import ClassRaster
from geoseg.vector.tracing.trace_raster import trace_mask

connectivities = st.sampled_from([4, 8])


def sieve_mask(mask, area, *, rows=100, connectivity=4):
    """The mask after sieve_raster, read in strips of some rows, with pixels of one square meter."""
    return sieve_and_count(mask, area, rows=rows, connectivity=connectivity)[0]


def sieve_and_count(mask, area, *, rows=100, connectivity=4):
    """The mask after sieve_raster, and the number of regions that became background."""
    starts = range(0, len(mask), rows)
    raster = ClassRaster(mask.shape[1], BACKGROUND, lambda: (mask[row : row + rows] for row in starts))
    size = PixelSize(np.ones(len(mask)), 1.0, 1.0)
    sieved, removed = sieve_raster(raster, size, area, connectivity=connectivity)
    return np.concatenate(list(sieved.strips())), removed


def traced(mask, connectivity):
    return trace_mask(mask, background=BACKGROUND, connectivity=connectivity)


def sieve_polygons_of(mask, min_pixels):
    outlines = trace_mask(np.asarray(mask, np.uint8), background=BACKGROUND)
    left, source, _ = sieve_coverage(shapes(outlines), outlines.values, outlines.pixel_counts.astype(float), min_pixels)
    return left, outlines.values[source]


@given(masks, st.integers(2, 6), connectivities, st.integers(1, 4))
def test_strips_leave_no_trace(mask, area, connectivity, rows):
    full = sieve_mask(mask, area, connectivity=connectivity)
    assert np.array_equal(sieve_mask(mask, area, connectivity=connectivity, rows=rows), full)


@given(masks, st.integers(2, 6), connectivities)
def test_no_small_region_is_left_and_nothing_else_is_lost(mask, area, connectivity):
    after = sieve_mask(mask, area, connectivity=connectivity)
    assert (traced(after, connectivity).pixel_counts >= area).all()
    assert ((after == BACKGROUND) >= (mask == BACKGROUND)).all()
    if not (mask == BACKGROUND).any() and mask.size >= area:
        assert not (after == BACKGROUND).any()


@given(masks, st.integers(2, 6), st.integers(1, 4))
def test_regions_that_become_background_are_counted(mask, area, rows):
    """Small regions that touch each other are merged first, so each removed one is a connected component."""
    after, removed = sieve_and_count(mask, area, rows=rows)
    assert removed == label((after == BACKGROUND) & (mask != BACKGROUND))[1]


def test_masks_and_polygons_are_sieved_alike():
    for k, mask in enumerate([*random_masks(500, seed=5), smooth_mask(60)]):
        connectivity, area = (4, 8)[k % 2], 2 + k % 4
        before = traced(mask, connectivity)
        before = before.take(np.argsort(before.ids))  # ties are for the first
        left, source, removed = sieve_coverage(shapes(before), before.values, before.pixel_counts.astype(float), area)
        pairs = list(zip(left, before.values[source], strict=True))
        burnt = rasterize(pairs, mask.shape, fill=255, dtype="uint8") if pairs else np.full(mask.shape, 255)
        after, removed_regions = sieve_and_count(mask, area, connectivity=connectivity)
        assert np.array_equal(after, burnt)
        assert removed_regions == removed


def test_wide_values_are_sieved_too():
    mask = np.array([[70_000, 70_000, -3, 70_000]], np.int32)
    wide = ClassRaster(4, -(2**31), lambda: iter([mask]))
    after = list(sieve_raster(wide, PixelSize(np.ones(1), 1.0, 1.0), 2)[0].strips())
    assert np.concatenate(after).tolist() == [[70_000] * 4]


def test_a_small_polygon_is_merged_into_the_neighbor_with_the_longest_border():
    mask = [[0, 0, 1, 1], [0, 3, 1, 1], [0, 1, 1, 1]]
    left, values = sieve_polygons_of(mask, 2)
    assert values.tolist() == [0, 1]
    assert shapely.area(left).tolist() == [4, 8]


def test_polygons_of_a_class_that_a_small_one_separated_become_one():
    left, values = sieve_polygons_of([[0, 0, 1, 0, 0]], 2)
    assert (values.tolist(), shapely.area(left).tolist()) == ([0], [5])


def test_small_polygons_merge_with_each_other_until_they_are_large_enough():
    left, _ = sieve_polygons_of([[0, 1, 2, 3, 0, 1, 2, 3]], 2)
    assert shapely.area(left).min() >= 2
    assert total_area(left) == 8


def test_small_polygons_without_neighbors_are_removed():
    left, values = sieve_polygons_of([[0, BACKGROUND, 1, 1]], 2)
    assert (values.tolist(), len(left)) == ([1], 1)


def test_holes_are_filled():
    left, _ = sieve_polygons_of([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 2)
    assert left[0].equals(shapely.box(0, 0, 3, 3))


@pytest.mark.parametrize("min_pixels", [2, 5, 30])
def test_the_result_is_a_valid_coverage_of_the_same_area(min_pixels):
    mask = smooth_mask(60)
    left, values = sieve_polygons_of(mask, min_pixels)
    assert shapely.is_valid(left).all()
    assert shapely.coverage_is_valid(left)
    assert total_area(left) == mask.size
    assert shapely.area(left).min() >= min_pixels
    first, second, _ = find_shared_borders(left)
    assert (values[first] != values[second]).all()


def test_random_masks_lose_only_small_polygons_without_neighbors():
    for mask in random_masks(200, seed=1):
        left, _ = sieve_polygons_of(mask, 3)
        assert shapely.is_valid(left).all()
        assert (shapely.area(left) >= 3).all()
        if not (mask == BACKGROUND).any() and mask.size >= 3:
            assert total_area(left) == mask.size


def test_borders_are_found_in_both_orders_with_their_length():
    shapes_ = shapes(trace_mask(np.array([[0, 0, 1], [0, 0, 1]], np.uint8), background=BACKGROUND))
    first, second, length = find_shared_borders(shapes_)
    assert (first.tolist(), second.tolist(), length.tolist()) == ([0, 1], [1, 0], [2, 2])


@given(masks, st.integers(1, 4), connectivities, st.integers(0, 99))
def test_regions_are_as_large_as_their_own_pixels(mask, rows, connectivity, seed):
    """In degrees, the area of a pixel depends on its row; the area of the first row of the image was taken for some."""
    areas = np.random.default_rng(seed).choice([1.0, 2.0, 4.0, 8.0], len(mask))
    starts = range(0, len(mask), rows)
    raster = ClassRaster(mask.shape[1], BACKGROUND, lambda: (mask[row : row + rows] for row in starts))
    sieved, _ = sieve_raster(raster, PixelSize(areas, 1.0, 1.0), 6, connectivity=connectivity)
    outlines, pixels = traced(mask, connectivity), np.broadcast_to(areas[:, None], mask.shape)
    polygons = shapes(outlines)
    own = np.array([pixels[rasterize([polygon], mask.shape).astype(bool)].sum() for polygon in polygons])
    order = np.argsort(outlines.ids)  # ties are for the first
    left, source, _ = sieve_coverage(polygons[order], outlines.values[order], own[order], 6)
    pairs = list(zip(left, outlines.values[order][source], strict=True))
    burnt = rasterize(pairs, mask.shape, fill=255, dtype="uint8") if pairs else np.full(mask.shape, 255)
    assert np.array_equal(np.concatenate(list(sieved.strips())), burnt)
