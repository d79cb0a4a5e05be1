"""Layers: attributes, metres, selection."""

import numpy as np
import pytest
import shapely
from affine import Affine
from helpers.vectors import FIVE_METRES, LEGEND, ROTATED, UTM, layer_of, smooth_mask

from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import map_point

MASK = np.array([[0, 0, 1], [0, 2, 1], [7, 2, 1]], np.uint8)


COLUMNS = [
    "polygon_id", "class_index", "class_name", "area_m2", "perimeter_m", "confidence", "source", "model", "geometry",
]  # fmt: skip


def test_each_polygon_has_index_name_and_area():
    frame = layer_of(MASK).frame
    assert list(frame.columns) == COLUMNS
    assert dict(zip(frame["class_name"], frame["polygon_id"], strict=True)) == {
        "water": 0,
        "forest": 2,
        "road": 4,
        "7": 6,
    }
    by_name = frame.set_index("class_name")
    assert by_name["area_m2"].to_dict() == pytest.approx({"water": 75, "forest": 75, "road": 50, "7": 25}, rel=1e-3)
    assert by_name["perimeter_m"].to_dict() == pytest.approx({"water": 40, "forest": 40, "road": 30, "7": 20}, rel=1e-3)
    assert frame.crs == UTM


@pytest.mark.parametrize(
    "transform",
    [FIVE_METRES, Affine(5, 0, 4e5, 0, 5, 5.8e6), ROTATED, Affine(-5, 0, 4e5, 0, -5, 5.8e6)],
    ids=["north-up", "south-up", "rotated", "mirrored"],
)
def test_polygons_lie_where_the_transform_says(transform):
    layer = layer_of(MASK, transform=transform)
    middle = map_point(transform, 2.5, 1.5)  # of class 1, a column of pixels
    forest = layer.geometries[layer.frame["class_index"] == 1][0]
    assert forest.centroid.coords[0] == pytest.approx(middle)
    assert shapely.is_ccw(shapely.get_exterior_ring(layer.geometries)).all()


def test_small_polygons_are_measured_in_square_meters():
    assert layer_of(MASK).sieve(30).frame["class_name"].tolist() == ["water", "forest", "road"]
    assert layer_of(MASK).sieve(0).frame.shape == layer_of(MASK).frame.shape


@pytest.mark.parametrize(("crs", "unit"), [(32633, 1), (4326, 1 / 111_000)])
def test_the_tolerance_is_in_metres_whatever_the_crs(crs, unit):
    transform = Affine(5 * unit, 0, 13 if unit < 1 else 4e5, 0, -5 * unit, 1 if unit < 1 else 1e5)
    layer = layer_of(smooth_mask(50), crs=UTM.from_epsg(crs), transform=transform)
    counts = [shapely.get_num_coordinates(layer.simplify(metres).geometries).sum() for metres in (0.5, 10)]
    assert counts[0] > 1.2 * counts[1]
    assert layer.simplify(10).frame["area_m2"].sum() == pytest.approx(layer.frame["area_m2"].sum(), rel=1e-3)


def test_classes_are_chosen_by_name():
    assert layer_of(MASK).select_classes(["road", "water"]).frame["class_name"].tolist() == ["water", "road"]
    assert len(layer_of(MASK).select_classes(["roof"])) == 0
    with pytest.raises(ConfigError, match="no class 'rof'") as caught:
        layer_of(MASK).select_classes(["rof"])
    assert "roof" in caught.value.hint


def test_without_crs_there_are_no_areas_and_no_metres():
    layer = layer_of(MASK, crs=None)
    assert layer.frame["area_m2"].isna().all()
    for work in (
        lambda: layer.simplify(1),
        lambda: layer.sieve(1),
        lambda: layer.fill_holes(1),
        lambda: layer.orthogonalize(["roof"], 1),
    ):
        with pytest.raises(LayerError, match="no CRS"):
            work()


def test_an_empty_layer_has_all_columns():
    layer = layer_of(np.full((3, 3), 255, np.uint8))
    assert len(layer.sieve(3).simplify(3).select_classes([LEGEND.names[0]])) == 0
    assert list(layer.frame.columns) == COLUMNS
