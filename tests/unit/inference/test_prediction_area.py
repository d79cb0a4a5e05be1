"""Areas: a mask of a part is the part of the whole mask."""

import functools

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from helpers.models import EXACT, TRANSFORM, Convolutions, bundle, pixels, threshold_bundle, write_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint
from rasterio.features import geometry_mask
from strategies import grids

from geoseg.errors import ConfigError, GeosegError, GridMismatch, LayerError, SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.inference.predict import predict
from geoseg.inference.prediction_area import find_area
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter

HEIGHT, WIDTH = 61, 47
UTM = CRS("EPSG:32633")
GRID = Grid(UTM, TRANSFORM, HEIGHT, WIDTH)
SEES_FAR = bundle(Convolutions(7, 7, 7), tile=16, halo=3)
"""A network that sees 9 pixels around each, which is more than the halo: tiles disagree."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Two bands with holes."""
    values = pixels(HEIGHT, WIDTH, low=1)
    values[:, 20:31, 8:40] = 0
    return write_scene(tmp_path_factory.mktemp("area") / "scene.tif", values, nodata=0)


def masked(scene, model, **options):
    predict(scene, sink := MemoryWriter(), model=model, **EXACT, **options)
    return sink


def windows_inside(height=HEIGHT, width=WIDTH):
    rows, cols = st.tuples(*[st.integers(0, height)] * 2), st.tuples(*[st.integers(0, width)] * 2)
    return st.builds(
        lambda r, c: Window(min(r), min(c), max(r) - min(r), max(c) - min(c)), rows, cols
    ).filter(lambda window: not window.is_empty)  # fmt: skip


# Boxes


@pytest.fixture(scope="module")
def full_mask(scene):
    """The mask of the whole scene with some options, predicted once for all examples."""
    return functools.cache(lambda **options: masked(scene, SEES_FAR, **options))


@settings(max_examples=8)
@given(
    window=windows_inside(),
    blend=st.sampled_from(["weighted", "crop"]),
    tiling=st.sampled_from([(16, 3), (12, 0), (21, 5), (64, 9), (9, 4)]),
)
def test_the_mask_of_a_box_is_the_whole_mask_cut_whatever_the_network_sees(scene, full_mask, window, blend, tiling):
    options = {"blend": blend, "tile": tiling[0], "halo": tiling[1]}
    whole = full_mask(**options)
    part = masked(scene, SEES_FAR, bbox=GRID.crop(window).bounds, **options)
    np.testing.assert_array_equal(part.mask, whole.mask[window.slices()])
    assert part.raster.grid.matches(GRID.crop(window))


@settings(max_examples=6)
@given(window=windows_inside())
@pytest.mark.parametrize("gsd", [0.6, 0.2])
def test_so_is_it_when_the_network_sees_other_pixels_than_the_scenes(scene, window, gsd):
    model = bundle(Convolutions(7), gsd=gsd)
    whole, part = masked(scene, model), masked(scene, model, bbox=GRID.crop(window).bounds)
    np.testing.assert_array_equal(part.mask, whole.mask[window.slices()])


@given(grid=grids(turned=False), window=windows_inside(300, 300))
def test_a_box_of_whole_pixels_is_those_pixels_on_any_grid(grid, window):
    window = window.clip_to(*grid.shape)
    if not window.is_empty:
        assert find_area(grid, bbox=grid.crop(window).bounds).window == window


@given(grid=grids(largest=60), window=windows_inside(60, 60), shrink=st.floats(0.01, 0.99))
def test_a_box_gets_all_pixels_it_reaches_into(grid, window, shrink):
    window = window.clip_to(*grid.shape)
    if window.is_empty:
        return
    west, south, east, north = grid.crop(window).bounds
    part = (east - west) * shrink / 2, (north - south) * shrink / 2
    bbox = (west + part[0], south + part[1], east - part[0], north - part[1])
    near = find_area(grid, bbox=bbox).window
    centres = [
        (window.row + row, window.col + col) for row in range(window.height) for col in range(window.width)
        if shapely.box(*bbox).contains(shapely.Polygon(grid.crop(Window(window.row + row, window.col + col, 1, 1)).corners))
    ]  # fmt: skip
    assert all(near.contains(Window(row, col, 1, 1)) for row, col in centres)


def test_only_tiles_that_have_a_say_are_read(tmp_path):
    path = write_scene(tmp_path / "scene.tif", pixels(400, 400, bands=1))
    for blend, tiles in [("crop", 1), ("weighted", 4)]:
        model = threshold_bundle()
        predict(path, MemoryWriter(), model=model, **EXACT, blend=blend, bbox=GRID.crop(Window(200, 80, 4, 4)).bounds)
        assert sum(shape[0] for shape in model.network.seen) == tiles, blend


def test_a_box_may_be_in_another_crs(scene):
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    window = Window(10, 12, 20, 9)
    bbox = to_degrees.transform_bounds(*GRID.crop(window).bounds)
    found = find_area(GRID, bbox=bbox, bbox_crs="EPSG:4326").window
    assert found.contains(window)
    assert found.height - window.height <= 2 >= found.width - window.width


def test_ground_control_points_count_from_the_window(tmp_path):
    points = [GroundControlPoint(row, col, 400_000 + col, 5_800_000 - row) for row, col in [(0, 0), (0, 20), (20, 0)]]
    path = write_scene(tmp_path / "scene.tif", pixels(20, 20, bands=1), transform=None, gcps=points)
    predict(path, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT, bbox=(4, 6, 12, 16))
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.shape == (10, 8)
        assert [(p.row, p.col, p.x, p.y) for p in mask.gcps[0]] == [(p.row - 6, p.col - 4, p.x, p.y) for p in points]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"bbox": (0, 0, 10, 10)}, SceneError, "the box 0,0,10,10 is outside the scene"),
        ({"bbox": (9, 0, 1, 10)}, ConfigError, "invalid box"),
        ({"bbox": (0, 0, 0, 10)}, ConfigError, "invalid box"),
        ({"bbox": (0, 0, float("nan"), 10)}, ConfigError, "invalid box"),
        ({"bbox": (1, 2, 3, 4), "bbox_crs": "EPSG:4326"}, SceneError, "outside"),
        ({"bbox": (1, 2, 3, 95), "bbox_crs": "EPSG:4326"}, SceneError, "cannot be transformed to"),
        ({"bbox": (1, 2, 3, 4), "bbox_crs": "Mars"}, ConfigError, "is not a CRS"),
        ({"bbox_crs": "EPSG:4326"}, ConfigError, "without a bbox"),
        ({"aoi": "missing.gpkg"}, LayerError, "does not exist"),
    ],
)
def test_an_area_that_makes_no_sense_is_one_sentence(scene, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        predict(scene, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT, bands="red", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_box_outside_is_answered_with_where_the_scene_is():
    with pytest.raises(SceneError) as caught:
        find_area(GRID, bbox=(0, 0, 1, 1), bbox_crs="EPSG:4326")
    assert caught.value.hint.startswith("the scene spans 13.5")
    assert caught.value.hint.endswith("in EPSG:4326")


def test_a_box_in_a_crs_does_not_fit_a_scene_without():
    with pytest.raises(GeosegError, match="no CRS"):
        find_area(Grid(None, Affine.identity(), 9, 9), bbox=(0, 0, 1, 1), bbox_crs="EPSG:4326")


# Polygons


def polygons():
    """One to three polygons around pixels of the grid, some with a hole, some of them beyond its edges."""
    x, y = st.floats(400_000 - 4, 400_000 + WIDTH * 0.3 + 4), st.floats(5_800_000 - HEIGHT * 0.3 - 4, 5_800_000 + 4)
    place = st.tuples(x, y).map(lambda xy: shapely.Point(*xy))
    shape = st.builds(lambda point, radius, hole: point.buffer(radius) - point.buffer(radius * hole), place,
                      st.floats(0.5, 6), st.floats(0.05, 0.9))  # fmt: skip
    return st.lists(shape, min_size=1, max_size=3).filter(
        lambda shapes: not geometry_mask(shapes, GRID.shape, transform=GRID.transform).all()
    )


@settings(max_examples=15)
@given(shapes=polygons(), blend=st.sampled_from(["weighted", "crop"]))
def test_inside_the_polygons_the_mask_is_the_whole_mask_and_outside_nodata(scene, tmp_path_factory, shapes, blend):
    path = tmp_path_factory.mktemp("aoi") / "aoi.gpkg"
    gpd.GeoDataFrame(geometry=shapes, crs=UTM).to_file(path)
    whole = masked(scene, SEES_FAR, blend=blend).mask
    part = masked(scene, SEES_FAR, blend=blend, aoi=path)
    outside = geometry_mask(shapes, GRID.shape, transform=GRID.transform)
    window = find_area(GRID, aoi=path).window
    np.testing.assert_array_equal(part.mask, np.where(outside, IGNORE_INDEX, whole)[window.slices()])
    assert outside.size - outside.sum() == (~outside[window.slices()]).sum(), "the window holds every wanted pixel"
    assert part.raster.grid.matches(GRID.crop(window))


def test_tiles_that_touch_no_polygon_are_neither_read_nor_predicted(tmp_path, monkeypatch):
    path = write_scene(tmp_path / "scene.tif", pixels(400, 400, bands=1))
    corners = [GRID.crop(Window(*place, 4, 4)).bounds for place in [(10, 10), (380, 380)]]
    gpd.GeoDataFrame(geometry=[shapely.box(*corner) for corner in corners], crs=UTM).to_file(tmp_path / "aoi.geojson")
    read, reads = Scene.read, []
    monkeypatch.setattr(Scene, "read", lambda self, *args, **kw: reads.append(args) or read(self, *args, **kw))
    model = threshold_bundle()
    predict(path, sink := MemoryWriter(), model=model, **EXACT, aoi=tmp_path / "aoi.geojson")
    assert sink.mask.shape == (374, 374)
    assert (sink.mask != IGNORE_INDEX).sum() == 32
    assert sum(shape[0] for shape in model.network.seen) == len(reads) <= 18


def test_polygons_and_box_are_both_kept_to(scene, tmp_path):
    gpd.GeoDataFrame(geometry=[shapely.box(*GRID.crop(Window(0, 0, 9, 9)).bounds)], crs=UTM).to_file(
        tmp_path / "aoi.fgb"
    )
    area = find_area(GRID, bbox=GRID.crop(Window(4, 5, 20, 20)).bounds, aoi=tmp_path / "aoi.fgb")
    assert area.window == Window(4, 5, 5, 4)
    with pytest.raises(GeosegError, match="no polygon"):
        find_area(GRID, bbox=GRID.crop(Window(20, 20, 20, 20)).bounds, aoi=tmp_path / "aoi.fgb")


# Antimeridian and site grids


FIJI = CRS("EPSG:32760")


def fiji_grid():
    x, y = Transformer.from_crs(4326, FIJI, always_xy=True).transform(180, -17)
    return Grid(FIJI, Affine(100, 0, x - 5000, 0, -100, y + 5000), 100, 100)


def test_a_box_in_degrees_may_cross_the_antimeridian():
    window = find_area(fiji_grid(), bbox=(179.99, -17.01, -179.99, -16.99), bbox_crs="EPSG:4326").window
    assert window.col == pytest.approx(39, abs=2)
    assert window.width == pytest.approx(22, abs=3)
    degrees = Grid(CRS(4326), Affine(0.001, 0, 179.9, 0, -0.001, -16.9), 200, 200)
    assert find_area(degrees, bbox=(179.95, -17, -179.95, -16.95)).window == Window(50, 50, 50, 100)
    x, y = Transformer.from_crs(4326, FIJI, always_xy=True).transform(180, -17)
    across = find_area(degrees, bbox=(x - 1000, y - 1000, x + 1000, y + 1000), bbox_crs="EPSG:32760").window
    assert across.width == pytest.approx(19, abs=2)


def test_a_box_beyond_180_degrees_meets_longitudes_below():
    degrees = Grid(CRS(4326), Affine(0.001, 0, -179.9, 0, -0.001, -16.9), 200, 200)
    assert find_area(degrees, bbox=(180.15, -17, 180.25, -16.95)).window == Window(50, 50, 50, 100)


@pytest.mark.parametrize("longitude", [180, -180])
def test_a_box_across_the_antimeridian_on_a_grid_beyond_the_side_of_web_mercator(longitude):
    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(longitude, -17)
    grid = Grid(CRS(3857), Affine(100, 0, x - 5000, 0, -100, y + 5000), 100, 100)
    window = find_area(grid, bbox=(179.99, -17.01, -179.99, -16.99), bbox_crs="EPSG:4326").window
    assert window.col == pytest.approx(50 - 11, abs=1)  # 0.01 degrees are 1113 m
    assert window.width == pytest.approx(22, abs=2)


def test_a_site_grid_is_refused_in_one_sentence(tmp_path):
    local = Grid(CRS('LOCAL_CS["site grid",UNIT["metre",1]]'), TRANSFORM, 9, 9)
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(tmp_path / "a.geojson")
    for options in ({"bbox": (0, 0, 1, 1), "bbox_crs": "EPSG:4326"}, {"aoi": tmp_path / "a.geojson"}):
        with pytest.raises(GridMismatch, match="site grid is a local grid"):
            find_area(local, **options)
    assert find_area(local, bbox=local.crop(Window(1, 2, 3, 4)).bounds).window == Window(1, 2, 3, 4)


def test_polygons_between_the_centers_of_pixels_are_refused(tmp_path):
    x, y = GRID.corners[0]
    size = GRID.pixel_size[0]
    sliver = shapely.box(x + 0.1 * size, y - 0.3 * size, x + 0.3 * size, y - 0.1 * size)
    gpd.GeoDataFrame(geometry=[sliver], crs=UTM).to_file(tmp_path / "a.gpkg")
    with pytest.raises(SceneError, match="center of a pixel"):
        find_area(GRID, aoi=tmp_path / "a.gpkg")


def test_a_box_in_grads_may_cross_the_antimeridian():
    """EPSG:4807 has 400 grads to a turn, so a box from 199 east to 199 west is two grads wide."""
    grads = Grid(CRS("EPSG:4807"), Affine(0.1, 0, 195, 0, -0.1, 10), 100, 100)
    assert find_area(grads, bbox=(199, 2, -199, 4)).window == Window(60, 40, 20, 20)
    assert find_area(grads, bbox=(-201, 2, -199, 4)).window == Window(60, 40, 20, 20)


def test_a_polygon_at_the_edge_of_a_grid_around_the_world_is_not_repeated_beyond_the_other_edge(tmp_path):
    world = Grid(CRS("EPSG:4326"), Affine(1, 0, 0, 0, -1, 90), 180, 360)
    path = tmp_path / "area.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 10, 10)], crs=4326).to_file(path)
    assert find_area(world, aoi=path).window == Window(80, 0, 10, 10)


def test_a_box_across_the_seam_of_a_grid_from_0_to_360_has_both_halves():
    grid = Grid(CRS("EPSG:4326"), Affine(1, 0, 0, 0, -1, 90), 180, 360)
    assert find_area(grid, bbox=(-10, -10, 10, 10)).window == Window(80, 0, 20, 360)
    assert find_area(grid, bbox=(-180, -90, 180, 90)).window == grid.window
    assert find_area(grid, bbox=(170, -10, -170, 10)).window == Window(80, 170, 20, 20)
