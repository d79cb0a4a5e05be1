"""Laws of tracing: the polygons of any mask are valid, cover it exactly, and do not depend on the strips."""

from dataclasses import fields

import numpy as np
import pytest
import shapely
from helpers.vectors import BACKGROUND, masks, random_masks, shapes
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import rasterize

from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.trace_raster import trace_mask

connectivities = st.sampled_from([4, 8])


def burnt(geometries: NDArray[np.object_], values: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.uint8]:
    if not len(geometries):
        return np.full(shape, BACKGROUND, np.uint8)
    return rasterize(zip(geometries, values, strict=True), shape, fill=BACKGROUND, dtype=np.uint8)


@given(masks, connectivities)
def test_rasterizing_the_polygons_gives_the_mask_back(mask, connectivity):
    outlines = trace_mask(mask, background=BACKGROUND, connectivity=connectivity)
    assert np.array_equal(burnt(shapes(outlines), outlines.values, mask.shape), mask)


@given(masks, connectivities)
def test_every_polygon_is_valid_and_shells_run_counter_clockwise(mask, connectivity):
    geometries = shapes(trace_mask(mask, background=BACKGROUND, connectivity=connectivity))
    assert shapely.is_valid(geometries).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(shapely.get_parts(geometries))).all()


@given(masks, connectivities)
def test_polygons_are_a_valid_coverage(mask, connectivity):
    geometries = shapes(trace_mask(mask, background=BACKGROUND, connectivity=connectivity))
    assert shapely.coverage_is_valid(geometries)


@given(masks, connectivities)
def test_areas_are_pixel_counts(mask, connectivity):
    outlines = trace_mask(mask, background=BACKGROUND, connectivity=connectivity)
    assert np.array_equal(outlines.pixel_counts, shapely.area(shapes(outlines)))
    for value in np.unique(mask[mask != BACKGROUND]):
        assert outlines.pixel_counts[outlines.values == value].sum() == (mask == value).sum()


@given(masks, connectivities, st.integers(1, 4), st.integers(1, 3))
def test_strips_leave_no_trace(mask, connectivity, strip_rows, batch):
    whole = trace_mask(mask, background=BACKGROUND, connectivity=connectivity)
    cut = trace_mask(
        mask,
        background=BACKGROUND,
        connectivity=connectivity,
        strip_rows=strip_rows,
        strips_per_assembly=batch,
    )
    for field in fields(Outlines):
        assert np.array_equal(
            getattr(whole, field.name), getattr(cut, field.name), equal_nan=field.name == "mean_weights"
        )


@given(masks, connectivities, st.integers(1, 4))
def test_the_id_is_the_first_pixel_and_the_mean_weight_that_of_all_pixels(mask, connectivity, strip_rows):
    weights = np.random.default_rng(0).random(mask.shape).astype(np.float32)
    weights[weights < 0.1] = np.nan
    outlines = trace_mask(
        mask,
        background=BACKGROUND,
        connectivity=connectivity,
        strip_rows=strip_rows,
        strips_per_assembly=2,
        weights=weights,
    )
    for k, shape in enumerate(shapes(outlines)):
        inside = burnt(np.array([shape]), np.zeros(1, np.int64), mask.shape) == 0
        known = weights[inside & np.isfinite(weights)]
        assert outlines.ids[k] == np.flatnonzero(inside)[0]
        assert outlines.mean_weights[k] == pytest.approx(known.mean() if len(known) else np.nan, rel=1e-5, nan_ok=True)


def test_many_random_masks_keep_the_laws():
    for k, mask in enumerate(random_masks(1200)):
        cut = {"strip_rows": 1 + k % 7, "strips_per_assembly": 1 + k % 3}
        outlines = trace_mask(mask, background=BACKGROUND, connectivity=(4, 8)[k % 2], **cut)
        geometries = shapes(outlines)
        assert np.array_equal(burnt(geometries, outlines.values, mask.shape), mask)
        assert shapely.is_valid(geometries).all()
        assert shapely.coverage_is_valid(geometries)


def test_wide_values_are_traced_like_narrow_ones():
    mask = random_masks(1)[0]
    wide = np.where(mask == BACKGROUND, -1, mask.astype(np.int32) + 70_000)
    narrow, wide = trace_mask(mask, background=BACKGROUND), trace_mask(wide, background=-1)
    assert np.array_equal(narrow.corners, wide.corners)
    assert np.array_equal(narrow.values + 70_000, wide.values)


def test_straight_borders_have_a_vertex_only_where_the_neighbour_changes():
    mask = np.array([[0, 0, 0, 0], [1, 1, 2, 2]], np.uint8)
    upper = shapes(trace_mask(mask, background=BACKGROUND))[0]
    assert sorted(upper.exterior.coords[:-1]) == [(0, 0), (0, 1), (2, 1), (4, 0), (4, 1)]


def test_a_hole_that_touches_its_shell_at_a_corner_is_a_hole():
    mask = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 1]], np.uint8)
    *others, around = sorted(shapes(trace_mask(mask, background=BACKGROUND)), key=shapely.area)
    assert (len(around.interiors), len(others)) == (1, 2)
    assert around.is_valid


def test_diagonal_pixels_are_two_polygons_or_one_of_two_parts():
    mask = np.array([[0, 1], [1, 0]], np.uint8)
    assert len(trace_mask(mask, background=1)) == 2
    joined = shapes(trace_mask(mask, background=1, connectivity=8))
    assert [shape.geom_type for shape in joined] == ["MultiPolygon"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (0, 3)])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_empty_masks_have_no_polygons(shape, connectivity):
    outlines = trace_mask(np.full(shape, BACKGROUND, np.uint8), background=BACKGROUND, connectivity=connectivity)
    assert len(outlines) == len(shapes(outlines)) == 0


def test_polygons_come_in_the_order_of_their_lowest_rows():
    mask = np.array([[3, 3, 1], [2, 3, 0]], np.uint8)
    assert trace_mask(mask, background=BACKGROUND, strip_rows=1).values.tolist() == [1, 3, 2, 0]


@given(masks, connectivities)
def test_portions_hold_all_polygons_in_order(mask, connectivity):
    outlines = trace_mask(mask, background=BACKGROUND, connectivity=connectivity)
    portions = list(outlines.split(20))
    assert [number for portion in portions for number in portion.ids] == outlines.ids.tolist()
    assert [shape for portion in portions for shape in shapes(portion)] == shapes(outlines).tolist()
