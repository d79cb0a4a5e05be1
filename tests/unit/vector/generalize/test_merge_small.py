"""Despeckling: small polygons go where their longest border is, and nothing is lost."""

import numpy as np
import pytest
import shapely
from strategies_vector import BACKGROUND, random_masks, shapes, smooth_mask, total_area

from geoseg.vector.generalize.merge_small import absorb_specks, borders
from geoseg.vector.tracing.trace_raster import trace


def absorbed(mask, min_pixels):
    outlines = trace(np.asarray(mask, np.uint8), background=BACKGROUND)
    left, source = absorb_specks(shapes(outlines), outlines.values, outlines.pixels.astype(float), min_pixels)
    return left, outlines.values[source]


def test_a_speck_goes_to_the_neighbour_with_the_longest_border():
    mask = [[0, 0, 1, 1], [0, 3, 1, 1], [0, 1, 1, 1]]
    left, values = absorbed(mask, 2)
    assert values.tolist() == [0, 1]
    assert shapely.area(left).tolist() == [4, 8]


def test_polygons_of_a_class_that_a_speck_kept_apart_become_one():
    left, values = absorbed([[0, 0, 1, 0, 0]], 2)
    assert (values.tolist(), shapely.area(left).tolist()) == ([0], [5])


def test_specks_among_specks_gather_until_they_are_large_enough():
    left, _ = absorbed([[0, 1, 2, 3, 0, 1, 2, 3]], 2)
    assert shapely.area(left).min() >= 2
    assert total_area(left) == 8


def test_specks_without_neighbours_are_left_out():
    left, values = absorbed([[0, BACKGROUND, 1, 1]], 2)
    assert (values.tolist(), len(left)) == ([1], 1)


def test_holes_are_filled():
    left, _ = absorbed([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 2)
    assert left[0].equals(shapely.box(0, 0, 3, 3))


@pytest.mark.parametrize("min_pixels", [2, 5, 30])
def test_what_is_left_is_a_valid_coverage_of_the_same_area(min_pixels):
    mask = smooth_mask(60)
    left, values = absorbed(mask, min_pixels)
    assert shapely.is_valid(left).all()
    assert shapely.coverage_is_valid(left)
    assert total_area(left) == mask.size
    assert shapely.area(left).min() >= min_pixels
    first, second, _ = borders(left)
    assert (values[first] != values[second]).all()


def test_random_masks_lose_only_specks_without_neighbours():
    for mask in random_masks(200, seed=1):
        left, _ = absorbed(mask, 3)
        assert shapely.is_valid(left).all()
        assert (shapely.area(left) >= 3).all()
        if not (mask == BACKGROUND).any() and mask.size >= 3:
            assert total_area(left) == mask.size


def test_borders_are_found_in_both_orders_with_their_length():
    shapes_ = shapes(trace(np.array([[0, 0, 1], [0, 0, 1]], np.uint8), background=BACKGROUND))
    first, second, length = borders(shapes_)
    assert (first.tolist(), second.tolist(), length.tolist()) == ([0, 1], [1, 0], [2, 2])
