"""Labels drawn as polygons become masks."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from helpers.vectors import BACKGROUND, FIVE_METRES, UTM, layer_of, masks, smooth_mask, write_layer
from hypothesis import given

from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import Grid
from geoseg.vector.io.reader import read_features
from geoseg.vector.rasterize import rasterize

GRID = Grid(UTM, FIVE_METRES, 4, 4)


def frame(*boxes, crs=UTM, **columns):
    """Boxes given in pixels of GRID: (row, col, row_stop, col_stop)."""
    left, top = FIVE_METRES.c, FIVE_METRES.f
    shapes = [shapely.box(left + 5 * w, top - 5 * s, left + 5 * e, top - 5 * n) for n, w, s, e in boxes]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)


@given(masks)
def test_a_polygonized_mask_comes_back(mask):
    grid = Grid(UTM, FIVE_METRES, *mask.shape)
    assert np.array_equal(rasterize(layer_of(mask).frame, grid, column="class_index", fill=BACKGROUND), mask)


def test_the_later_polygon_lies_on_top_and_fill_around():
    polygons = frame((0, 0, 2, 2), (1, 1, 3, 3), kind=["a", "b"])
    mask = rasterize(polygons, GRID, column="kind", classes={"a": 1, "b": 2}, fill=9)
    assert mask.tolist() == [[1, 1, 9, 9], [1, 2, 2, 9], [9, 2, 2, 9], [9, 9, 9, 9]]


def test_a_pixel_counts_by_its_centre():
    assert rasterize(frame((0, 0, 1, 0.4), (2, 2, 3, 2.6)), GRID, value=1).tolist()[0][0] == 255
    assert rasterize(frame((0, 0, 1, 0.4), (2, 2, 3, 2.6)), GRID, value=1).tolist()[2][2] == 1


def test_other_crs_are_reprojected():
    here = rasterize(frame((0, 0, 2, 2)), GRID, value=0)
    there = rasterize(frame((0, 0, 2, 2)).to_crs(4326), GRID, value=0)
    assert np.array_equal(here, there)


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".geojson", ".fgb"])
def test_files_are_read_too(tmp_path, suffix):
    mask = smooth_mask(30)
    write_layer(layer_of(mask), tmp_path / f"a{suffix}")
    grid = Grid(UTM, FIVE_METRES, *mask.shape)
    assert np.array_equal(rasterize(tmp_path / f"a{suffix}", grid, column="class_index"), mask)


def test_only_what_touches_the_grid_is_read(tmp_path):
    frame((0, 0, 2, 2), (1000, 1000, 1001, 1001)).to_crs(4326).to_file(tmp_path / "a.gpkg")
    assert len(read_features(tmp_path / "a.gpkg", GRID)) == 1
    assert (rasterize(tmp_path / "a.gpkg", GRID, value=1) == 1).sum() == 4


def test_features_without_geometry_are_left_out():
    polygons = frame((0, 0, 1, 1), (1, 1, 2, 2), kind=["a", None])
    polygons.loc[1, "geometry"] = None
    assert (rasterize(polygons, GRID, column="kind", classes={"a": 1}) != 255).sum() == 1
    assert (rasterize(polygons.iloc[1:], GRID, value=1) == 255).all()


def test_unknown_attributes_are_errors():
    with pytest.raises(LayerError, match="'tree'"):
        rasterize(frame((0, 0, 1, 1), kind=["tree"]), GRID, column="kind", classes={"a": 1})
    with pytest.raises(LayerError, match="'tree'"):
        rasterize(frame((0, 0, 1, 1), kind=["tree"]), GRID, column="kind")
    with pytest.raises(LayerError, match="no column 'knd'") as caught:
        rasterize(frame((0, 0, 1, 1), kind=["tree"]), GRID, column="knd")
    assert "kind" in caught.value.hint


def test_crs_on_one_side_only_is_refused():
    nowhere = Grid(None, FIVE_METRES, 4, 4)
    with pytest.raises(LayerError, match="the grid has no CRS"):
        rasterize(frame((0, 0, 1, 1)), nowhere, value=1)
    with pytest.raises(LayerError, match="the layer has no CRS"):
        rasterize(frame((0, 0, 1, 1), crs=None), GRID, value=1)
    assert rasterize(frame((0, 0, 1, 1), crs=None), nowhere, value=1)[0, 0] == 1


@pytest.mark.parametrize(
    "options",
    [{}, {"value": 1, "column": "a"}, {"value": 1, "classes": {}}, {"value": 300}, {"value": 1, "fill": -1}],
)
def test_the_values_to_burn_must_be_given(options):
    with pytest.raises(ConfigError):
        rasterize(frame((0, 0, 1, 1)), GRID, **options)


def test_missing_files_and_layers_are_named(tmp_path):
    with pytest.raises(LayerError, match="does not exist"):
        rasterize(tmp_path / "a.gpkg", GRID, value=1)
    (tmp_path / "b.gpkg").write_text("no database")
    with pytest.raises(LayerError, match="cannot be read"):
        rasterize(tmp_path / "b.gpkg", GRID, value=1)
    frame((0, 0, 1, 1)).to_file(tmp_path / "c.gpkg", layer="roofs")
    with pytest.raises(LayerError, match="no layer 'rofs'") as caught:
        rasterize(tmp_path / "c.gpkg", GRID, value=1, layer="rofs")
    assert "roofs" in caught.value.hint
    frame((0, 0, 1, 1)).to_file(tmp_path / "c.gpkg", layer="trees")
    with pytest.raises(LayerError, match="2 layers"):
        rasterize(tmp_path / "c.gpkg", GRID, value=1)
