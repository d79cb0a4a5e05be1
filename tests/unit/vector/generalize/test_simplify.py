"""Simplifying and rounding by shared borders: fewer vertices, no gaps, no overlaps, nothing crosses."""

import numpy as np
import pytest
import shapely
from helpers.vectors import BACKGROUND, UTM, masks, random_masks, shapes, smooth_mask, total_area
from hypothesis import given
from hypothesis import strategies as st

from geoseg.vector.generalize.simplify import simplify_coverage, simplify_outlines
from geoseg.vector.generalize.simplify_arcs import BoundaryOptions
from geoseg.vector.tracing.trace_raster import trace_mask
from geoseg.vector.tracing.vertex_spatial_index import VertexCollector, VertexIndex, count_inside

TOLERANCES = [0.8, 1.5, 3, 10]


def before_and_after(mask, tolerance, *, smooth=False, connectivity=4, **cut):
    corners = VertexCollector()
    outlines = trace_mask(mask, background=BACKGROUND, connectivity=connectivity, vertices=corners, **cut)
    return shapes(outlines), shapes(
        simplify_outlines(outlines, corners.build_index(), BoundaryOptions(tolerance, smooth))
    )


def assert_valid_coverage(geometries):
    assert shapely.is_valid(geometries).all()
    assert shapely.coverage_is_valid(geometries)


@given(masks, st.sampled_from(TOLERANCES), st.booleans(), st.sampled_from([4, 8]))
def test_a_valid_coverage_stays_valid(mask, tolerance, smooth, connectivity):
    before, after = before_and_after(mask, tolerance, smooth=smooth, connectivity=connectivity)
    assert_valid_coverage(after)
    assert len(after) == len(before)
    assert not shapely.is_empty(after).any()


def test_many_random_masks_stay_valid_coverages():
    for k, mask in enumerate(random_masks(1000, seed=3)):
        _, after = before_and_after(mask, TOLERANCES[k % 4], smooth=k % 3 == 0, connectivity=(4, 8)[k % 2])
        assert_valid_coverage(after)


@given(masks, st.sampled_from(TOLERANCES), st.booleans(), st.integers(1, 4), st.integers(1, 3))
def test_blocks_leave_no_trace(mask, tolerance, smooth, strip_rows, batch):
    _, whole = before_and_after(mask, tolerance, smooth=smooth)
    _, cut = before_and_after(mask, tolerance, smooth=smooth, strip_rows=strip_rows, strips_per_assembly=batch)
    assert (whole == cut).all()


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_borders_move_by_the_tolerance_at_most(tolerance):
    before, after = before_and_after(smooth_mask(80), tolerance)
    moved = shapely.hausdorff_distance(shapely.boundary(before), shapely.boundary(after), densify=0.2)
    assert moved.max() <= tolerance + 1e-9


def test_stairs_become_slanting_sides_about_as_few_as_those_of_geos():
    before, after = before_and_after(smooth_mask(80), 1.5)
    theirs = shapely.coverage_simplify(before, 1.5)
    ours, others, all_ = (shapely.get_num_coordinates(each).sum() for each in (after, theirs, before))
    assert ours < 0.6 * all_
    assert ours < 1.15 * others
    assert total_area(after) == pytest.approx(80 * 80, abs=4 * 1.5**2)  # corners of the image may be cut


def test_round_corners_preserve_the_area():
    before, after = before_and_after(smooth_mask(80), 1.5, smooth=True)
    assert_valid_coverage(after)
    assert total_area(after) == pytest.approx(total_area(before), rel=0.01)
    assert shapely.get_num_coordinates(after).sum() > shapely.get_num_coordinates(before).sum() / 2


def test_simplifying_polygons_separately_leaves_gaps_and_overlaps():
    before = shapes(trace_mask(smooth_mask(80), background=BACKGROUND))
    assert not shapely.coverage_is_valid(shapely.simplify(before, 1.5))


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("smooth", [False, True])
def test_polygons_from_files_are_simplified_in_the_same_way(connectivity, smooth):
    before = shapes(trace_mask(smooth_mask(60), background=BACKGROUND, connectivity=connectivity))
    moved = shapely.transform(before, lambda points: points * [5, -5] + [4e5, 5.8e6])
    moved = shapely.normalize(moved)  # rings begin anywhere
    after = simplify_coverage(moved, UTM, tolerance_m=7.5, smooth=smooth)
    assert_valid_coverage(after)
    assert shapely.get_num_geometries(after).tolist() == shapely.get_num_geometries(before).tolist()
    assert total_area(after) == pytest.approx(total_area(moved), rel=0.01)
    if not smooth:
        kept = {tuple(point) for point in shapely.get_coordinates(after)}
        assert kept < {tuple(point) for point in shapely.get_coordinates(moved)}  # to the last bit


def test_default_options_change_nothing():
    before = shapes(trace_mask(smooth_mask(10), background=BACKGROUND))
    assert simplify_coverage(before, UTM) is before
    assert len(simplify_coverage(np.empty(0, object), UTM, tolerance_m=1)) == 0


def test_vertices_are_found_in_closed_triangles():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 30, (400, 2)).astype(float)
    vertices = VertexIndex.from_points(points)
    for corners in rng.integers(0, 30, (300, 3, 2)).astype(float):
        triangle = shapely.convex_hull(shapely.multipoints(corners))
        inside = shapely.intersects(triangle, shapely.points(np.unique(points, axis=0))).sum()
        found = count_inside(*vertices, *corners.ravel(), 1000)
        assert found == inside
