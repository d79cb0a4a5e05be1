"""Simplifying by shared borders: fewer vertices, no gaps, no overlaps."""

import numpy as np
import pytest
import shapely
from strategies_vector import BACKGROUND, shapes, smooth_mask, total_area

from geoseg.vector.outlines import trace
from geoseg.vector.simplify import simplified_coverage


@pytest.mark.parametrize("connectivity", [4, 8])
def test_the_result_is_a_valid_coverage_of_the_same_square_with_fewer_vertices(connectivity):
    before = shapes(trace(smooth_mask(80), background=BACKGROUND, connectivity=connectivity))
    after = simplified_coverage(before, 1.5)
    assert shapely.coverage_is_valid(after)
    assert shapely.is_valid(after).all()
    assert total_area(after) == pytest.approx(80 * 80, abs=4 * 1.5**2)  # corners of the image may be cut
    assert shapely.get_num_coordinates(after).sum() < 0.7 * shapely.get_num_coordinates(before).sum()
    assert shapely.get_num_geometries(after).tolist() == shapely.get_num_geometries(before).tolist()


def test_one_by_one_would_leave_gaps_and_overlaps():
    before = shapes(trace(smooth_mask(80), background=BACKGROUND))
    alone = shapely.simplify(before, 1.5)
    assert not shapely.coverage_is_valid(alone)


def test_no_tolerance_changes_nothing():
    before = shapes(trace(smooth_mask(10), background=BACKGROUND))
    assert simplified_coverage(before, 0) is before
    assert len(simplified_coverage(np.empty(0, object), 1)) == 0
