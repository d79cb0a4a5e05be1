"""Polygons across the antimeridian and around poles keep their area in every format, and site grids are explained."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from helpers.vectors import write_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS, Geod, Transformer

from geoseg.errors import GridMismatch, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.seam import find_seam
from geoseg.plotting.panels import rings_in_pixels
from geoseg.vector.antimeridian import cut_at_antimeridian, reproject_polygon_arrays
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.measure import measure_polygons
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.polygonize import polygonize

SUFFIXES = [".gpkg", ".parquet", ".fgb", ".shp", ".geojson", None]
LOCAL = 'LOCAL_CS["site grid",UNIT["metre",1]]'
FIJI = Transformer.from_crs(4326, 32760, always_xy=True).transform(180, -17)
PLACES = {
    "UTM 60S, across 180": ("EPSG:32760", Affine(100, 0, FIJI[0] - 1500, 0, -100, FIJI[1] + 1500)),
    "pole in a pixel": ("EPSG:3413", Affine(1000, 0, -12_300, 0, -1000, 17_700)),
    "pole at a corner": ("EPSG:3413", Affine(1000, 0, -15_000, 0, -1000, 15_000)),
    "south pole": ("EPSG:3031", Affine(1000, 0, -15_500, 0, -1000, 15_500)),
}


def rings_mask() -> np.ndarray:
    """Nested squares, so that shells and holes contain the middle; and noise at one side."""
    row, col = np.mgrid[:30, :30]
    mask = (np.minimum(np.minimum(row, col), np.minimum(29 - row, 29 - col)) // 3 % 3).astype(np.uint8)
    mask[:, 22:] = np.random.default_rng(0).integers(0, 3, (30, 8))
    return mask


def geodesic_area(polygons: np.ndarray) -> float:
    """Area by GeographicLib; sides are short, so straight lines in degrees hardly differ from geodesics."""
    dense = shapely.segmentize(polygons, 0.5)
    return sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in shapely.get_parts(dense))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_polygons_are_cut_in_every_format(tmp_path, place, suffix) -> None:
    crs, transform = PLACES[place]
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=crs, transform=transform)
    output = None if suffix is None else tmp_path / f"o{suffix}"
    result = polygonize(mask, output, crs="EPSG:4326")
    frame = result.frame if suffix != ".shp" else gpd.read_file(output)
    geometries = frame.geometry.to_numpy()
    left, bottom, right, top = shapely.bounds(shapely.get_parts(geometries)).T
    assert shapely.is_valid(geometries).all()
    assert (left.min() >= -180, right.max() <= 180, bottom.min() >= -90, top.max() <= 90) == (True,) * 4
    # No part reaches around the world, unless it contains a pole.
    assert ((right - left < 180) | (np.maximum(abs(bottom), abs(top)) > 89)).all()
    area = shapely.area(geometries).sum()
    assert shapely.union_all(geometries).area == pytest.approx(area, rel=1e-6)
    if place.startswith("UTM"):
        assert geodesic_area(geometries) == pytest.approx(frame["area_m2"].sum(), rel=1e-4)
    if suffix is None:
        assert shapely.coverage_is_valid(geometries)
        rings = shapely.get_rings(shapely.get_parts(geometries))
        points, ring = shapely.get_coordinates(rings, return_index=True)
        assert np.abs(np.diff(points, axis=0)).max(axis=1)[np.diff(ring) == 0].min() > 1e-8  # no point is repeated


@pytest.mark.parametrize("place", ["pole in a pixel", "pole at a corner", "south pole"])
def test_polygons_around_a_pole_fill_a_strip_of_all_longitudes(tmp_path, place) -> None:
    crs, transform = PLACES[place]
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=crs, transform=transform)
    frame = polygonize(mask, crs="EPSG:4326").frame
    united = shapely.union_all(frame.geometry.to_numpy())
    left, bottom, right, top = united.bounds
    assert (left, right) == (-180, 180)
    assert max(abs(bottom), abs(top)) == 90
    # Every point of the strip belongs to the polygon that has it in the CRS of the mask.
    own = polygonize(mask).frame
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-11_000, 11_000, (2, 400))
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    here, there = shapely.STRtree(own.geometry), shapely.STRtree(frame.geometry)
    expected = own["class_index"].to_numpy()[here.query(shapely.points(x, y), predicate="intersects")[1]]
    point, polygon = there.query(shapely.points(lon, lat), predicate="intersects")
    found = np.full(400, -1)
    found[point] = frame["class_index"].to_numpy()[polygon]
    assert (found == expected).mean() > 0.97  # sides are straight in degrees, which shifts them near a pole


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_layers_in_memory_are_cut_too(tmp_path, crs) -> None:
    own, transform = PLACES["UTM 60S, across 180"]
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=own, transform=transform)
    polygonize(mask, tmp_path / "utm.gpkg")
    frame = polygonize(tmp_path / "utm.gpkg", tmp_path / "moved.gpkg", crs=crs).frame
    dissolved = polygonize(mask, crs=crs, dissolve=True).frame
    for each in (frame, dissolved):
        geometries = each.to_crs(4326).geometry.to_numpy()
        assert shapely.is_valid(geometries).all()
        assert each["area_m2"].sum() == pytest.approx(30 * 30 * 1e4, rel=1e-2)
        assert geodesic_area(geometries) == pytest.approx(each["area_m2"].sum(), rel=1e-4)


@pytest.mark.parametrize("suffix", [*SUFFIXES[:-2], None])
def test_polygons_are_cut_at_the_seam_of_web_mercator_in_every_format(tmp_path, suffix) -> None:
    crs, transform = PLACES["UTM 60S, across 180"]
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=crs, transform=transform)
    output = None if suffix is None else tmp_path / f"o{suffix}"
    frame = polygonize(mask, output, crs="EPSG:3857").frame
    if output is not None:
        options = {"layer": "polygons"} if suffix == ".gpkg" else {}
        frame = gpd.read_parquet(output) if suffix == ".parquet" else gpd.read_file(output, **options)
    parts = shapely.get_parts(frame.geometry.to_numpy())
    left, _, right, _ = shapely.bounds(parts).T
    assert (right - left).max() < 5000
    assert {int(side) for side in np.sign(left)} == {-1, 1}
    assert max(-left.min(), right.max()) == pytest.approx(20037508.342789244, abs=1e-3)
    assert geodesic_area(frame.to_crs(4326).geometry.to_numpy()) == pytest.approx(frame["area_m2"].sum(), rel=1e-4)


SEAMS = {  # a mask and the CRSs whose seam it crosses
    "UTM 60S": (*PLACES["UTM 60S, across 180"], ["EPSG:3857", "EPSG:3395", "EPSG:6933", "EPSG:8857", "ESRI:54009"]),
    "0 to 360": ("EPSG:4326", Affine(12, 0, 0, 0, -6, 90), ["EPSG:6933", "EPSG:8857", "ESRI:54009", "EPSG:4258"]),
    "176 to 186": ("EPSG:4326", Affine(0.4, 0, 176, 0, -0.4, 60), ["EPSG:3857", "EPSG:6933", "EPSG:8857"]),
    "UTM 26N": (
        "EPSG:32626",
        Affine(100, 0, 243_900 - 1500, 0, -100, 4_432_000),
        ["EPSG:3832", "EPSG:8859"],
    ),
    "north pole": ("EPSG:3413", Affine(2e5, 0, -2.9e6, 0, -2e5, 3.1e6), ["EPSG:6933", "EPSG:8857", "ESRI:54009"]),
}
EQUAL_AREA = ("EPSG:6933", "EPSG:8857", "EPSG:8859")  # of the ellipsoid; ESRI:54009 is one of a sphere


@pytest.mark.parametrize(("place", "target"), [(place, crs) for place, (_, _, crss) in SEAMS.items() for crs in crss])
@given(data=st.data())
@settings(max_examples=8)
def test_polygons_cut_at_a_seam_keep_their_area_and_can_be_moved_back(place, target, data) -> None:
    crs, transform, _ = SEAMS[place]
    values = data.draw(arrays(np.uint8, (6, 6), elements=st.integers(0, 2)))
    mask = np.kron(values, np.ones((5, 5), np.uint8))
    shapes = [
        (shapely.geometry.shape(shape), value) for shape, value in rasterio.features.shapes(mask, transform=transform)
    ]
    own = np.array([shape for shape, _ in shapes], dtype=object)
    own = shapely.segmentize(own, abs(transform.a))  # sides longer than a pixel are not straight in another CRS
    arrays_ = reproject_polygon_arrays(PolygonArrays.from_geometries(own), CRS(crs), CRS(target), is_cut=True)
    moved = arrays_.to_geometries()
    assert shapely.is_valid(moved).all()
    seam = find_seam(CRS(target))
    assert seam is not None
    # No part is wider than half the map, unless it contains a pole or is as wide in the mask.
    if place not in ("north pole", "0 to 360"):
        left, _, right, _ = shapely.bounds(shapely.get_parts(moved)).T
        equator = seam.from_relative(np.array([[-90.0, 0], [90.0, 0]]))[:, 0]
        assert (right - left).max() < np.ptp(equator) / 4
    if target in EQUAL_AREA:
        expected = Grid(CRS(crs), transform, 30, 30)
        areas = measure_polygons(own, expected.crs)[0]
        assert shapely.area(moved).sum() == pytest.approx(areas.sum(), rel=3e-3 if place == "north pole" else 1e-4)
    if place in ("UTM 60S", "UTM 26N"):
        back = shapely.transform(
            moved, lambda p: np.stack(Transformer.from_crs(target, crs, always_xy=True).transform(*p.T), axis=1)
        )
        for polygon, original in zip(back, own, strict=True):
            united = shapely.union_all(shapely.buffer(shapely.get_parts(polygon), 0.5, join_style="mitre"))
            assert shapely.symmetric_difference(united, original).area <= 0.6 * original.length


def test_an_outline_around_a_pole_may_cross_the_antimeridian_several_times() -> None:
    transform, values = SEAMS["north pole"][1], np.ones((30, 30), np.uint8)
    values[5:10, :5] = 0
    shapes = rasterio.features.shapes(values, transform=transform)
    own = np.array([shapely.segmentize(shapely.geometry.shape(shape), 1e5) for shape, _ in shapes], dtype=object)
    for target in ("EPSG:4326", "EPSG:6933"):
        arrays_ = reproject_polygon_arrays(PolygonArrays.from_geometries(own), CRS(3413), CRS(target), is_cut=True)
        moved = arrays_.to_geometries()
        assert shapely.is_valid(moved).all()
        assert shapely.union_all(moved).area == pytest.approx(shapely.area(moved).sum(), rel=1e-9)
    assert shapely.area(moved).sum() == pytest.approx(measure_polygons(own, CRS(3413))[0].sum(), rel=3e-3)


def test_a_polygon_around_the_world_from_0_to_360_degrees_is_one_polygon() -> None:
    world = PolygonArrays.from_geometries(np.array([shapely.box(0, -80, 360, 90)], dtype=object))
    (moved,) = reproject_polygon_arrays(world, CRS(4326), CRS(4258), is_cut=True).to_geometries()
    assert shapely.is_valid(moved)
    assert (moved.geom_type, moved.bounds) == ("Polygon", (-180, -80, 180, 90))
    assert moved.area == pytest.approx(360 * 170)


def test_grads_have_a_turn_of_400() -> None:
    square = shapely.Polygon([(199.9, 10), (-199.9, 10), (-199.9, 10.1), (199.9, 10.1)])
    (cut,) = cut_at_antimeridian(np.array([square]), CRS("EPSG:4807"))
    assert sorted(shapely.bounds(shapely.get_parts(cut))[:, 0]) == pytest.approx([-200, 199.9])
    assert cut.area == pytest.approx(0.02)


@pytest.mark.parametrize(("name", "crs"), [("o.geojson", None), ("o.gpkg", "EPSG:4326"), (None, "EPSG:25832")])
@pytest.mark.parametrize("options", [{}, {"dissolve": True}])
def test_masks_on_a_site_grid_are_written_in_their_own_crs_only(tmp_path, name, crs, options) -> None:
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=LOCAL)
    output = None if name is None else tmp_path / name
    with pytest.raises(OutputError, match="site grid is a local grid") as caught:
        polygonize(mask, output, crs=crs, **options)
    assert "without --crs" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tif"]
    frame = polygonize(mask, tmp_path / "own.gpkg", simplify_m=5, min_area_m2=30, **options).frame
    assert frame["area_m2"].sum() == pytest.approx(30 * 30 * 25)
    with pytest.raises(OutputError, match="site grid is a local grid"):
        polygonize(tmp_path / "own.gpkg", tmp_path / "o.geojson")


def test_outlines_on_a_site_grid_are_not_drawn_on_a_scene_elsewhere(tmp_path) -> None:
    mask = write_mask(tmp_path / "m.tif", rings_mask(), crs=LOCAL)
    layer = PolygonLayer(polygonize(mask).frame, None)
    with pytest.raises(GridMismatch, match="site grid is a local grid"):
        rings_in_pixels(layer, Grid(CRS(32633), Affine(5, 0, 4e5, 0, -5, 5.8e6), 30, 30))
