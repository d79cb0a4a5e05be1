"""Polygons across the antimeridian and around poles. The oracle transforms pixel centers to the CRS of the polygon."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from geoseg.errors import GridMismatch, LayerError
from geoseg.grid import seam as seam_module
from geoseg.grid.grid import Grid
from geoseg.grid.seam import SIDE_POINTS, Seam
from geoseg.vector.area_of_interest import AreaOfInterest
from geoseg.vector.rasterize import rasterize

DEGREES, FIJI, ARCTIC, ANTARCTIC = (CRS.from_epsg(code) for code in (4326, 32760, 3413, 3031))


def grid_around(crs, x, y, pixel, size=100):
    """A square grid around a point."""
    return Grid(crs, Affine(pixel, 0, x - pixel * size / 2, 0, -pixel, y + pixel * size / 2), size, size)


def centers(grid):
    """(x, y) of the centers of all pixels, axes (row, col)."""
    col, row = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    t = grid.transform
    return t.a * col + t.c, t.e * row + t.f


def wanted(polygon, crs, grid):
    """Which centers are inside a polygon in another CRS, by transforming the centers."""
    x, y = Transformer.from_crs(grid.crs, crs, always_xy=True).transform(*centers(grid))
    return shapely.contains_xy(polygon, x, y)


def burned(polygon, crs, grid, path=None):
    frame = gpd.GeoDataFrame(geometry=[polygon], crs=crs)
    if path is not None:
        frame.to_file(path)
    return rasterize(frame if path is None else path, grid, value=1) == 1


FIJI_X, FIJI_Y = Transformer.from_crs(4326, 32760, always_xy=True).transform(180, -17)
FIJI_BOX = shapely.box(FIJI_X - 4000, FIJI_Y - 1000, FIJI_X + 4000, FIJI_Y + 1000)


@pytest.mark.parametrize("suffix", [None, ".gpkg", ".fgb"])
@pytest.mark.parametrize("longitude", [180, -180, 179.97, -179.97])
def test_a_box_across_the_antimeridian_on_a_grid_in_degrees(tmp_path, suffix, longitude):
    grid = grid_around(DEGREES, longitude, -17, 0.001)
    path = None if suffix is None else tmp_path / f"a{suffix}"
    expected = wanted(FIJI_BOX, FIJI, grid)
    found = burned(FIJI_BOX, FIJI, grid, path)
    assert expected.any()
    assert (found != expected).sum() <= 0.01 * expected.sum()


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "beyond 180"])
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson"])
def test_degrees_across_the_antimeridian_on_a_grid_in_meters(tmp_path, suffix, cut):
    beyond = shapely.box(179.96, -17.02, 180.03, -16.98)
    pieces = shapely.MultiPolygon(
        [shapely.box(179.96, -17.02, 180, -16.98), shapely.box(-180, -17.02, -179.97, -16.98)]
    )
    grid = grid_around(FIJI, FIJI_X, FIJI_Y, 100)
    lon, lat = Transformer.from_crs(FIJI, 4326, always_xy=True).transform(*centers(grid))
    expected = shapely.contains_xy(beyond, lon % 360, lat)
    found = burned(pieces if cut else beyond, DEGREES, grid, tmp_path / f"a{suffix}")
    assert (found != expected).sum() <= 0.01 * expected.sum()


def test_a_polygon_that_a_tool_wrapped_around_the_world_is_read_as_it_was(caplog):
    ring = np.array(FIJI_BOX.exterior.coords)
    wrapped = shapely.Polygon(np.stack(Transformer.from_crs(FIJI, 4326, always_xy=True).transform(*ring.T), axis=1))
    assert wrapped.bounds[2] - wrapped.bounds[0] > 359
    grid = grid_around(FIJI, FIJI_X, FIJI_Y, 100)
    np.testing.assert_array_equal(burned(wrapped, DEGREES, grid), burned(FIJI_BOX, FIJI, grid))
    assert "1 polygon with edges longer than 180 degrees, interpreted as crossing the antimeridian" in caplog.text


def fiji_grid(crs, lon=180.0):
    return grid_around(CRS(crs), *Transformer.from_crs(4326, crs, always_xy=True).transform(lon, -17), 100)


FIJI_GRIDS = {
    "UTM 60S": fiji_grid("EPSG:32760"),
    "UTM 1S": fiji_grid("EPSG:32701"),
    "0 to 360": grid_around(DEGREES, 180, -17, 0.001),
    "beyond the east of Web Mercator": fiji_grid("EPSG:3857", 180),
    "beyond the west of Web Mercator": fiji_grid("EPSG:3857", -180),
    "west of Mollweide": fiji_grid("ESRI:54009", -179.99),
}


def fiji_polygons():
    """Yield name, polygon and CRS of the same area, as tools store polygons that cross the seam of their CRS."""
    ring = shapely.get_coordinates(shapely.segmentize(FIJI_BOX, 100))
    lon, lat = Transformer.from_crs(FIJI, 4326, always_xy=True).transform(*ring.T)
    whole = shapely.Polygon(np.column_stack([lon % 360, lat]))
    yield "UTM", FIJI_BOX, FIJI
    for crs in ("EPSG:3857", "EPSG:6933", "EPSG:8857", "ESRI:54009"):
        forward = Transformer.from_crs(4326, crs, always_xy=True).transform
        sides = []
        for left, shift in ((0, 0), (180, 360)):
            points = shapely.get_coordinates(whole.intersection(shapely.box(left, -90, left + 180, 90)))
            points[:, 0] = np.clip(points[:, 0] - shift, -180 * (1 - 1e-12), 180 * (1 - 1e-12))
            sides.append(shapely.Polygon(np.column_stack(forward(*points.T))))
        yield f"{crs} cut", shapely.MultiPolygon(sides), CRS(crs)
        wrapped = np.column_stack(forward(lon, lat))
        yield f"{crs} wrapped around the world", shapely.Polygon(wrapped), CRS(crs)
        if crs in ("EPSG:3857", "EPSG:6933"):
            wrapped[:, 0] %= 2 * forward(180, 0)[0]
            yield f"{crs} beyond the east", shapely.Polygon(wrapped), CRS(crs)


@pytest.mark.parametrize("place", FIJI_GRIDS)
@pytest.mark.parametrize(("name", "polygon", "crs"), list(fiji_polygons()), ids=[name for name, *_ in fiji_polygons()])
def test_polygons_across_the_seam_of_a_projected_crs(tmp_path, place, name, polygon, crs):
    grid = FIJI_GRIDS[place]
    if crs == grid.crs and "wrapped" in name:
        pytest.skip("coordinates in the CRS of the grid are used unchanged")
    lon, lat = Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(*centers(grid))
    x, y = Transformer.from_crs(4326, FIJI, always_xy=True).transform(lon, lat)
    expected = np.isfinite(lon) & shapely.contains_xy(FIJI_BOX, x, y)
    assert expected.sum() > 300
    for path in (None, tmp_path / "a.gpkg"):
        assert (burned(polygon, crs, grid, path) != expected).sum() <= 0.01 * expected.sum()


WIDE = {  # polygons with long, straight sides on the map, and a grid inside
    "most of Web Mercator": ((-1.5e7, -8e6, 1.5e7, 1.1e7), "EPSG:3857", "EPSG:32633", 500_000, 5_800_000),
    "nearly all of Web Mercator": ((-1.9e7, -8e6, 1.9e7, 1.1e7), "EPSG:3857", "EPSG:32633", 500_000, 5_800_000),
    "-179.9 to 179.9": ((-20026376.39, -2e7, 20026376.39, 2e7), "EPSG:3857", "EPSG:32633", 500_000, 5_800_000),
    "most of Equal Earth": ((-1.2e7, -6e6, 1.2e7, 7e6), "EPSG:8857", "EPSG:32633", 500_000, 5_800_000),
    "Canada": ((-2.7e6, -9e5, 3.1e6, 4.6e6), "EPSG:3978", "EPSG:32618", 500_000, 5_000_000),
}


@pytest.mark.parametrize("place", WIDE)
def test_wide_boxes_on_a_projected_map_are_literal(tmp_path, caplog, place):
    box, crs, own, x, y = WIDE[place]
    grid = grid_around(CRS(own), x, y, 10, size=20)
    assert wanted(shapely.box(*box), CRS(crs), grid).all()
    for path in (None, tmp_path / "a.gpkg"):
        assert burned(shapely.box(*box), CRS(crs), grid, path).all()
    assert "interpreted as crossing" not in caplog.text


@pytest.mark.parametrize(("crs", "longitude"), [("EPSG:3857", 180), ("EPSG:8857", 180), ("EPSG:3832", -30)])
def test_the_note_names_the_seam_of_a_projected_crs(caplog, crs, longitude):
    east, west = (longitude - 0.1 + 180) % 360 - 180, (longitude + 0.1 + 180) % 360 - 180
    forward = Transformer.from_crs(4326, crs, always_xy=True).transform
    wrapped = shapely.Polygon(np.column_stack(forward([east, west, west, east], [10, 10, 10.2, 10.2])))
    grid = grid_around(DEGREES, longitude, 10.1, 0.002)
    found = burned(wrapped, CRS(crs), grid)
    lon, lat = centers(grid)
    expected = shapely.contains_xy(shapely.box(longitude - 0.1, 10, longitude + 0.1, 10.2), lon, lat)
    assert (found != expected).sum() <= 0.02 * expected.sum()
    note = f"1 polygon with edges from one side of the map to the other, interpreted as crossing the seam of {crs}"
    assert f"{note} at longitude {longitude}" in caplog.text
    assert "antimeridian" not in caplog.text


def ring_around_pole(radius_m):
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    return shapely.Polygon(radius_m * np.column_stack([np.cos(angle), np.sin(angle)]))


CONIC = {"EPSG:2154": (3, 47), "EPSG:3034": (10, 50), "EPSG:3347": (-95, 50), "EPSG:31370": (4, 51)}


@pytest.mark.parametrize("crs", [*CONIC, "EPSG:3112"])
def test_a_polygon_around_a_pole_at_infinity_is_left_out_and_counted(caplog, crs):
    infinite, place = (ARCTIC, (134, -25)) if crs == "EPSG:3112" else (ANTARCTIC, CONIC[crs])
    grid = grid_around(CRS(crs), *Transformer.from_crs(4326, crs, always_xy=True).transform(*place), 1000)
    assert not burned(ring_around_pole(2_000_000), infinite, grid).any()
    assert f"left out 1 polygon that cannot be represented in {crs}" in caplog.text


@pytest.mark.parametrize(("latitude", "share"), [(-30, 1), (-25, 0.5), (-20, 0)])
def test_a_polygon_around_a_pole_at_infinity_is_clipped_to_the_surroundings_of_the_grid(latitude, share):
    grid = grid_around(CRS(3112), *Transformer.from_crs(4326, 3112, always_xy=True).transform(134, -25), 1000)
    disc = ring_around_pole(Transformer.from_crs(4326, ARCTIC, always_xy=True).transform(45, latitude)[0])
    expected = wanted(disc, ARCTIC, grid)
    assert expected.mean() == pytest.approx(share, abs=0.1)
    assert (burned(disc, ARCTIC, grid) != expected).mean() <= 0.01


@pytest.mark.parametrize(("source", "target"), [("EPSG:2154", "EPSG:32631"), ("EPSG:32631", "EPSG:2154")])
def test_layers_far_from_the_seam_of_a_conic_crs_are_projected_only_once(monkeypatch, source, target):
    disc = shapely.Point(*Transformer.from_crs(4326, source, always_xy=True).transform(3, 47)).buffer(900, 1000)
    grid = grid_around(CRS(target), *Transformer.from_crs(4326, target, always_xy=True).transform(3, 47), 20)
    points, to_relative = [], Seam.to_relative

    def count_points(self, coordinates, crs):
        points.append(len(coordinates))
        return to_relative(self, coordinates, crs)

    monkeypatch.setattr(Seam, "to_relative", count_points)
    assert burned(disc, CRS(source), grid).any()
    assert points
    assert max(points) == 4 * SIDE_POINTS < shapely.get_num_coordinates(disc)


def test_one_transformer_serves_all_polygons_with_long_edges(monkeypatch):
    made, make_transformer = [], seam_module.make_transformer

    def count_transformers(*crss):
        made.append(crss)
        return make_transformer(*crss)

    grid = grid_around(CRS(32618), 500_000, 5_000_000, 10)
    boxes = [shapely.box(-2e6 - k, -9e5, 2e6, 2e6) for k in range(40)]
    frame = gpd.GeoDataFrame(geometry=boxes, crs=3978)
    monkeypatch.setattr(seam_module, "make_transformer", count_transformers)
    assert (rasterize(frame, grid, value=1) == 1).all()
    assert len(made) < 20


def test_longitudes_from_zero_meet_those_from_minus_180(tmp_path):
    box = shapely.box(350.02, 10.02, 350.06, 10.06)
    grid = grid_around(DEGREES, -9.95, 10.05, 0.002)
    expected = shapely.contains_xy(box, centers(grid)[0] + 360, centers(grid)[1])
    np.testing.assert_array_equal(burned(box, DEGREES, grid, tmp_path / "a.gpkg"), expected)


@pytest.mark.parametrize(("crs", "latitudes"), [(ARCTIC, (85, 90)), (ANTARCTIC, (-90, -85)), (ARCTIC, (86, 88))])
def test_a_belt_around_a_pole_on_a_polar_grid(tmp_path, crs, latitudes):
    belt = shapely.box(-180, latitudes[0], 180, latitudes[1])
    grid = grid_around(crs, 0, 0, 20_000)
    expected = wanted(belt, DEGREES, grid)
    found = burned(belt, DEGREES, grid, tmp_path / "a.gpkg")
    assert expected.sum() > 500
    assert (found != expected).sum() <= 0.01 * expected.sum()


@pytest.mark.parametrize("hole", [False, True])
def test_a_polygon_around_the_pole_on_a_grid_in_degrees(hole):
    disc = shapely.Point(0, 0).buffer(1_000_000, quad_segs=64)
    disc = disc.difference(shapely.Point(0, 0).buffer(300_000, quad_segs=64)) if hole else disc
    grid = Grid(DEGREES, Affine(2, 0, -180, 0, -0.25, 90), 100, 180)
    expected = wanted(disc, ARCTIC, grid)
    found = burned(disc, ARCTIC, grid)
    assert (found != expected).sum() <= 0.02 * expected.sum()


def test_a_layer_of_the_whole_world_is_clipped_to_the_area_of_use(tmp_path):
    world = shapely.box(-180, -90, 180, 90)
    grid = grid_around(CRS.from_epsg(32633), 500_000, 5_800_000, 10)
    assert burned(world, DEGREES, grid, tmp_path / "a.gpkg").all()
    assert burned(world, DEGREES, grid_around(CRS.from_epsg(3857), 0, 0, 10)).all()


def test_an_area_across_the_antimeridian_selects_both_sides(tmp_path):
    gpd.GeoDataFrame(geometry=[FIJI_BOX], crs=FIJI).to_file(tmp_path / "a.gpkg")
    grid = grid_around(DEGREES, 180, -17, 0.001)
    inside = AreaOfInterest.read(tmp_path / "a.gpkg", grid).inside(grid)
    assert inside[:, :50].any()
    assert inside[:, 50:].any()
    assert not inside[:, :10].any()


def test_ordinary_polygons_are_transformed_vertex_by_vertex():
    frame = gpd.GeoDataFrame(geometry=[shapely.box(13, 52, 13.01, 52.01)], crs=4326)
    grid = grid_around(CRS.from_epsg(32633), *frame.to_crs(32633).geometry[0].centroid.coords[0], 10)
    expected = rasterize(frame.to_crs(32633), grid, value=1)
    np.testing.assert_array_equal(rasterize(frame, grid, value=1), expected)


SCENE = grid_around(CRS.from_epsg(32633), 400_000, 5_800_000, 20)


def write_box(path, box, crs):
    gpd.GeoDataFrame(geometry=[shapely.box(*box)], crs=crs).to_file(path)
    return path


@pytest.mark.parametrize(
    ("box", "crs", "reason"),
    [
        ((5_799_990, 399_990, 5_800_010, 400_010), 32633, "seem to be swapped"),
        ((52.34, 13.53, 52.35, 13.54), 4326, "seem to be swapped"),
        ((13.53, 52.34, 13.54, 52.35), 32633, "seem to be longitudes and latitudes"),
        ((10, 20, 11, 21), 4326, "span 10, 20, 11, 21 in EPSG:4326"),
    ],
)
def test_polygons_that_touch_nothing_are_explained(tmp_path, caplog, box, crs, reason):
    path = write_box(tmp_path / "a.gpkg", box, crs)
    assert (rasterize(path, SCENE, value=1) == 255).all()
    assert reason in caplog.text
    with pytest.raises(LayerError, match=reason) as caught:
        AreaOfInterest.read(path, SCENE)
    assert caught.value.hint


def test_polygons_between_the_centers_of_pixels_are_explained(tmp_path, caplog):
    path = write_box(tmp_path / "a.gpkg", (400_000.1, 5_800_000.1, 400_000.2, 5_800_000.2), 32633)
    assert (rasterize(path, SCENE, value=1) == 255).all()
    assert "center of a pixel" in caplog.text


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((399_990, 5_799_990, 400_010, 5_800_010), "seem to be in EPSG:32633"),
        ((700_000, 0, 700_010, 100), "not longitudes and latitudes"),
    ],
)
def test_coordinates_that_the_crs_cannot_express_are_an_error(tmp_path, box, reason):
    path = write_box(tmp_path / "a.gpkg", box, 4326)
    with pytest.raises(LayerError, match=reason) as caught:
        rasterize(path, SCENE, value=1)
    assert "ogr2ogr -a_srs" in caught.value.hint


def test_an_area_on_a_site_grid_is_refused_in_one_sentence(tmp_path):
    local = grid_around(CRS('LOCAL_CS["site grid",UNIT["metre",1]]'), 0, 0, 1)
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(tmp_path / "a.geojson")
    with pytest.raises(GridMismatch, match=r"a\.geojson: coordinates in site grid .*: site grid is a local grid"):
        AreaOfInterest.read(tmp_path / "a.geojson", local)
