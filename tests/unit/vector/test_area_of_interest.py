"""Areas of interest: polygons in any CRS, rasterized window by window."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from pyproj import CRS
from rasterio.features import geometry_mask
from strategies import grids, windows

from geoseg.errors import LayerError
from geoseg.grid.grid import Grid
from geoseg.vector.area_of_interest import AreaOfInterest


def around(grid, share=0.3):
    """A polygon in the middle of a grid."""
    centre = shapely.box(*grid.bounds).centroid
    return centre.buffer(share * min(grid.bounds[2] - grid.bounds[0], grid.bounds[3] - grid.bounds[1]))


@given(grids(largest=60), windows(60, least=1))
def test_a_window_equals_the_same_part_of_the_full_grid(grid, window):
    window = window.clip_to(*grid.shape)
    if not window.is_empty:
        area = AreaOfInterest(shapely.STRtree([around(grid), around(grid, 0.01)]))
        whole = ~geometry_mask(area.tree.geometries, grid.shape, transform=grid.transform)
        inside = area.inside(grid.crop(window))
        assert (inside != whole[window.slices()]).sum() <= 1, "a centre may lie on the border"


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".fgb", ".parquet"])
@settings(max_examples=5)
@given(grids(crs="EPSG:32633", turned=False))
def test_any_format_in_any_crs_is_read(tmp_path_factory, suffix, grid):
    path = tmp_path_factory.mktemp("aoi") / f"aoi{suffix}"
    frame = gpd.GeoDataFrame(geometry=[around(grid)], crs=grid.crs).to_crs("EPSG:4326")
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    area = AreaOfInterest.read(path, grid)
    assert area.tree.geometries[0].symmetric_difference(around(grid)).area < 0.01 * around(grid).area


def grid_of():
    return Grid(CRS("EPSG:32633"), Affine(1, 0, 400_000, 0, -1, 5_800_000), 20, 20)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(
    ("geometry", "crs"),
    [
        (shapely.Point(400_010, 5_799_990), 32633),
        (shapely.LineString([(400_000, 5_799_990), (400_020, 5_799_990)]), 32633),
        (shapely.box(0, 0, 1, 1), 32633),
        (shapely.box(0, 0, 1, 1), 4326),
        (shapely.box(400_000, 5_799_990, 400_010, 5_800_000), None),
    ],
)
def test_geometries_without_area_on_the_scene_are_refused(tmp_path, geometry, crs):
    gpd.GeoDataFrame(geometry=[geometry], crs=crs and CRS(crs)).to_file(tmp_path / "aoi.gpkg")
    with pytest.raises(LayerError) as caught:
        AreaOfInterest.read(tmp_path / "aoi.gpkg", grid_of())
    assert caught.value.hint


def test_collections_come_apart(tmp_path):
    mixed = shapely.GeometryCollection(
        [shapely.Point(400_001, 5_799_999), shapely.box(400_001, 5_799_990, 400_003, 5_799_999)]
    )
    gpd.GeoDataFrame(geometry=[mixed, None], crs="EPSG:32633").to_file(tmp_path / "aoi.gpkg")
    inside = AreaOfInterest.read(tmp_path / "aoi.gpkg", grid_of()).inside(grid_of())
    assert np.argwhere(inside).tolist() == [[row, col] for row in range(1, 10) for col in (1, 2)]


def test_a_border_that_crosses_itself_encloses_what_it_would_when_burnt(tmp_path):
    bow_tie = shapely.Polygon([(400_002, 5_799_998), (400_018, 5_799_982), (400_018, 5_799_998), (400_002, 5_799_982)])
    gpd.GeoDataFrame(geometry=[bow_tie], crs="EPSG:32633").to_file(tmp_path / "aoi.gpkg")
    burnt = ~geometry_mask([bow_tie], (20, 20), transform=grid_of().transform)
    np.testing.assert_array_equal(AreaOfInterest.read(tmp_path / "aoi.gpkg", grid_of()).inside(grid_of()), burnt)


def test_a_file_that_is_not_a_layer_is_an_error(tmp_path):
    (tmp_path / "aoi.gpkg").write_text("no polygons")
    with pytest.raises(LayerError, match="cannot be read as polygons"):
        AreaOfInterest.read(tmp_path / "aoi.gpkg", grid_of())
