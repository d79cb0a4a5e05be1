"""The law of generalization: with all options and on all masks, the polygons are a valid coverage, also for QGIS."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from helpers.vectors import layer_of, masks, random_masks, write_mask
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.vector.polygonize import polygonize

QGIS_TOLERANCE = 1e-8
"""Points of a ring that are closer in x and y count as repeated in QGIS (QgsGeometryValidator), in CRS units."""

GRIDS = [
    ("EPSG:32633", Affine(0.3, 0, 421_200, 0, -0.3, 5_412_090)),
    ("EPSG:4326", Affine(4e-6, 0, 10, 0, -3e-6, 48)),
    ("EPSG:32633", Affine(0.24, 0.18, 421_200, 0.18, -0.24, 5_412_090)),
]
"""CRS and transform of masks of about 0.3 m: north-up, in degrees, rotated."""

options = st.fixed_dictionaries(
    {
        "connectivity": st.sampled_from([4, 8]),
        "simplify_m": st.sampled_from([0, 0.15, 0.5, 2]),
        "smooth": st.booleans(),
        "min_area_m2": st.sampled_from([0, 0.1, 0.5]),
        "fill_holes_m2": st.sampled_from([0, 0.3]),
        "orthogonalize": st.sampled_from([(), ("0",), ("0", "1")]),
        "dissolve": st.booleans(),
    }
)


def assert_coverage(frame: gpd.GeoDataFrame) -> None:
    geometries = frame.geometry.to_numpy()
    rings = shapely.get_rings(shapely.get_parts(geometries))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    steps = np.abs(np.diff(points, axis=0)).max(axis=1)[np.diff(ring) == 0]
    assert not shapely.is_empty(geometries).any()
    assert shapely.is_valid(geometries).all()
    assert shapely.coverage_is_valid(geometries)
    assert steps.min(initial=1) > QGIS_TOLERANCE
    assert (shapely.get_num_coordinates(rings) >= 4).all()
    assert shapely.union_all(geometries).area == pytest.approx(shapely.area(geometries).sum(), rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(masks, st.sampled_from(GRIDS), options)
def test_polygons_are_a_valid_coverage_with_all_options(tmp_path_factory, mask, grid, chosen) -> None:
    mask = mask.copy()
    mask[0, 0] = 0  # the class that gets right angles exists
    present = {str(value) for value in np.unique(mask)}
    chosen = {**chosen, "orthogonalize": [name for name in chosen["orthogonalize"] if name in present]}
    path = tmp_path_factory.getbasetemp() / "law.tif"
    write_mask(path, mask, crs=grid[0], transform=grid[1], nodata=255)
    frame = polygonize(path, **chosen).frame
    assert_coverage(frame)
    if not (mask == 255).any() and chosen["min_area_m2"] == 0:
        area = mask.size * abs(grid[1].determinant)
        assert shapely.area(frame.geometry.to_numpy()).sum() == pytest.approx(area, rel=1e-6)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_right_angles_on_noise_leave_a_valid_coverage(connectivity) -> None:
    """GEOS refused parts that overlap after the change, and crossings in floating point were missed."""
    for mask in random_masks(60, seed=11):
        mask[0, 0] = 0
        transform = Affine(0.3, 0, 421_200, 0, -0.3, 5_412_090)
        layer = layer_of(mask, transform=transform, connectivity=connectivity)
        assert_coverage(layer.orthogonalize(["water", "forest"], 0.45).frame)


def test_what_right_angles_change_is_counted() -> None:
    mask = random_masks(12, seed=4)
    for values in mask:
        values[0, 0] = 0
        layer = layer_of(values)
        after = layer.orthogonalize(["water"], 8)
        removed = len(layer) - len(after)
        said = "polygons removed, because new outlines of neighbors cover them"
        assert [note for note in after.notes if said in note] == ([f"{said}: {removed}"] if removed else [])


def test_round_corners_repeat_no_point(tmp_path: Path) -> None:
    mask = np.zeros((12, 12), np.uint8)
    mask[3:9, 3:9] = 1
    mask[5, 5] = 2
    frame = polygonize(write_mask(tmp_path / "m.tif", mask), smooth=True).frame
    assert_coverage(frame)
    square = frame.geometry[frame["class_index"] == 1].iloc[0].exterior
    assert len(square.coords) == 4 * 3 + 1  # four curves of three sides, each from the middle of a side to the next


def test_a_class_that_loses_all_polygons_can_be_named(tmp_path: Path) -> None:
    """It was an error that the mask has no such class."""
    mask = np.zeros((9, 9), np.uint8)
    mask[4, 4] = 2
    path = write_mask(tmp_path / "m.tif", mask)
    assert len(polygonize(path, min_area_m2=100, orthogonalize=["2"])) == 1
    assert len(polygonize(path, min_area_m2=100, classes=["2"])) == 0
