"""Overlapping label polygons: the order of the layer, priorities of classes, and classes by attribute."""

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.features import rasterize as burn

from geoseg.errors import ConfigError, GridMismatch, LayerError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.vector.rasterize import rasterize

UTM = CRS.from_epsg(32633)
LEFT, TOP, SIZE = 400_000, 5_800_000, 60
GRID = Grid(UTM, Affine(1, 0, LEFT, 0, -1, TOP), SIZE, SIZE)
CENTER = GRID.crop(Window(20, 20, 20, 20))


def random_boxes(count, seed):
    """Overlapping squares of four classes, some around the grid and some inside each other."""
    rng = np.random.default_rng(seed)
    x, y, r = rng.uniform(-10, SIZE + 10, count), rng.uniform(-10, SIZE + 10, count), rng.uniform(1, 25, count)
    shapes = [
        shapely.box(LEFT + a - c, TOP - b - c, LEFT + a + c, TOP - b + c) for a, b, c in zip(x, y, r, strict=True)
    ]
    return gpd.GeoDataFrame({"kind": rng.integers(0, 4, count)}, geometry=shapes, crs=UTM)


def burned(frame, grid, order=None):
    """The mask of a frame burned by rasterio, row by row."""
    rows = frame if order is None else frame.iloc[order]
    pairs = zip(rows.geometry, rows["kind"].tolist(), strict=True)
    return burn(pairs, grid.shape, fill=255, transform=grid.transform, dtype=np.uint8)


def write(frame, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path, **({"RFC7946": "NO"} if path.suffix == ".geojson" else {}))
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".parquet"])
@pytest.mark.parametrize("grid", [GRID, CENTER], ids=["all", "filtered"])
def test_later_features_lie_on_top_in_every_format(tmp_path, suffix, grid):
    frame = random_boxes(400, seed=1)
    path = write(frame, tmp_path / f"labels{suffix}")
    np.testing.assert_array_equal(rasterize(path, grid, column="kind"), burned(frame, grid))


def test_a_shapefile_with_a_spatial_index_keeps_its_order(tmp_path):
    frame = random_boxes(400, seed=2)
    frame.to_file(tmp_path / "a.shp", SPATIAL_INDEX="YES")
    np.testing.assert_array_equal(rasterize(tmp_path / "a.shp", CENTER, column="kind"), burned(frame, CENTER))


def test_flatgeobuf_without_index_keeps_its_order_and_with_index_it_is_said(tmp_path, caplog):
    frame = random_boxes(50, seed=3)
    frame.to_file(tmp_path / "plain.fgb", SPATIAL_INDEX="NO")
    np.testing.assert_array_equal(rasterize(tmp_path / "plain.fgb", GRID, column="kind"), burned(frame, GRID))
    assert not caplog.text
    frame.to_file(tmp_path / "sorted.fgb")
    mask = rasterize(tmp_path / "sorted.fgb", GRID, column="kind")
    np.testing.assert_array_equal(mask, burned(gpd.read_file(tmp_path / "sorted.fgb"), GRID))
    assert "pairs of polygons of different classes overlap, but FlatGeobuf does not keep the order" in caplog.text
    caplog.clear()
    mask = rasterize(tmp_path / "sorted.fgb", GRID, column="kind", priority=[3, 1, 0, 2])
    np.testing.assert_array_equal(mask, rasterize(frame, GRID, column="kind", priority=[3, 1, 0, 2]))
    assert not caplog.text, "a priority of all classes leaves nothing open"


def test_neighbors_and_overlaps_of_one_class_leave_nothing_open(tmp_path, caplog):
    shapes = [shapely.box(LEFT, TOP - 9, LEFT + 9, TOP), shapely.box(LEFT + 9, TOP - 9, LEFT + 20, TOP)]
    gpd.GeoDataFrame({"kind": [0, 1]}, geometry=shapes, crs=UTM).to_file(tmp_path / "a.fgb")
    gpd.GeoDataFrame({"kind": [1, 1]}, geometry=[shapes[0], shapes[0]], crs=UTM).to_file(tmp_path / "b.fgb")
    for name in ("a.fgb", "b.fgb"):
        rasterize(tmp_path / name, GRID, column="kind")
    assert not caplog.text


@settings(max_examples=30)
@given(st.permutations(range(4)), st.integers(0, 4), st.integers(0, 1000))
def test_priority_puts_the_first_class_on_top_and_others_below(classes, count, seed):
    frame, priority = random_boxes(30, seed), classes[:count]
    rank = [len(priority) - priority.index(kind) if kind in priority else 0 for kind in frame["kind"].tolist()]
    order = sorted(range(len(frame)), key=lambda i: rank[i])
    mask = rasterize(frame, GRID, column="kind", priority=priority)
    np.testing.assert_array_equal(mask, burned(frame, GRID, order))


def test_priority_needs_a_column_and_class_indices():
    with pytest.raises(ConfigError, match="priority"):
        rasterize(random_boxes(1, 0), GRID, value=1, priority=[1])
    with pytest.raises(ConfigError, match="invalid class index 300"):
        rasterize(random_boxes(1, 0), GRID, column="kind", priority=[300])


def box_frame(kinds):
    shapes = [shapely.box(LEFT + 10 * i, TOP - 10, LEFT + 10 * i + 9, TOP) for i in range(len(kinds))]
    return gpd.GeoDataFrame({"kind": pd.Series(kinds)}, geometry=shapes, crs=UTM)


@pytest.mark.parametrize("kinds", [["a", None], [1, None], [1.0, float("nan")], [True, None]])
def test_a_missing_value_is_the_key_none(kinds):
    mask = rasterize(box_frame(kinds), GRID, column="kind", classes={kinds[0]: 1, None: 255})
    assert (mask == 1).sum() == 90
    assert set(np.unique(mask)) == {1, 255}


def test_all_unknown_values_are_named_at_once_as_in_a_recipe():
    frame = box_frame(["tree", None, "1", "tree"])
    with pytest.raises(LayerError) as caught:
        rasterize(frame, GRID, column="kind", classes={"a": 1, 1: 2})
    assert caught.value.message == (
        "the layer: kind is 'tree' (2 polygons), null (1 polygon), '1' (1 polygon), which have no class"
    )
    assert "classes" in caught.value.hint
    with pytest.raises(LayerError, match=r"kind is 1 \(1 polygon\), 2\.5 \(1 polygon\), null \(1 polygon\), which"):
        rasterize(box_frame([1.0, 2.5, None]), GRID, column="kind", classes={7: 1})


def test_a_missing_class_index_is_named():
    with pytest.raises(LayerError, match=r"kind is null \(1 polygon\), which has no class"):
        rasterize(box_frame([1, None]), GRID, column="kind")


def test_what_is_left_out_or_repaired_is_counted(caplog):
    bow_tie = shapely.Polygon([(LEFT, TOP), (LEFT + 20, TOP - 20), (LEFT + 20, TOP), (LEFT, TOP - 20)])
    line = shapely.LineString([(LEFT, TOP - 30), (LEFT + 50, TOP - 30)])
    high = shapely.force_3d(shapely.box(LEFT, TOP - 40, LEFT + 9, TOP - 32), 5)
    mixed = shapely.GeometryCollection([shapely.box(LEFT + 30, TOP - 50, LEFT + 40, TOP - 40), line])
    shapes = [bow_tie, line, shapely.Point(LEFT + 50, TOP - 50), None, shapely.Polygon(), high, mixed]
    mask = rasterize(gpd.GeoDataFrame(geometry=shapes, crs=UTM), GRID, value=1)
    wanted = burn([(bow_tie, 1), (high, 1), (mixed.geoms[0], 1)], GRID.shape, fill=255, transform=GRID.transform)
    np.testing.assert_array_equal(mask, wanted)
    assert (
        "the layer: left out 4 features (1 line, 1 point, 2 without geometry); repaired 1 self-crossing polygon"
        in caplog.text
    )


def test_parts_of_a_multipolygon_that_overlap_are_united():
    parts = shapely.MultiPolygon(
        [shapely.box(LEFT, TOP - 9, LEFT + 9, TOP), shapely.box(LEFT + 3, TOP - 9, LEFT + 20, TOP)]
    )
    assert (rasterize(gpd.GeoDataFrame(geometry=[parts], crs=UTM), GRID, value=1) == 1).sum() == 9 * 20


def test_curves_are_polygons(tmp_path):
    circle = (
        "CURVEPOLYGON(CIRCULARSTRING(400010 5799990, 400020 5800000, 400030 5799990, 400020 5799980, 400010 5799990))"
    )
    (tmp_path / "a.csv").write_text(f'WKT,kind\n"{circle}",1\n')
    (tmp_path / "a.csvt").write_text("WKT,Integer\n")
    grid = Grid(None, GRID.transform, SIZE, SIZE)
    assert (rasterize(tmp_path / "a.csv", grid, value=1) == 1).sum() == pytest.approx(np.pi * 100, rel=0.03)


def test_coordinates_that_are_not_finite_are_left_out(caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        broken = shapely.Polygon([(LEFT, TOP), (LEFT + 9, float("nan")), (LEFT + 9, TOP)])
        frame = gpd.GeoDataFrame(geometry=[broken], crs=UTM)
        assert (rasterize(frame, GRID, value=1) == 255).all()
    assert "left out 1 feature (1 with coordinates that are not finite)" in caplog.text


def test_a_site_grid_is_refused_in_one_sentence(tmp_path):
    local = Grid(CRS('LOCAL_CS["site grid",UNIT["metre",1]]'), GRID.transform, SIZE, SIZE)
    for frame, grid in (
        (random_boxes(1, 0), local),
        (random_boxes(1, 0).set_crs(local.crs, allow_override=True), GRID),
    ):
        with pytest.raises(GridMismatch, match="site grid is a local grid"):
            rasterize(frame, grid, value=1)
        with pytest.raises(GridMismatch, match="site grid is a local grid"):
            rasterize(write(frame, tmp_path / "a.gpkg"), grid, value=1)
