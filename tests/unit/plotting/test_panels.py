"""Panels of a scene with its mask, reference and polygons; polygons as lines over pixels."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.vectors import FIVE_METRES, ROTATED, UTM, layer_of
from PIL import Image
from rasterio.crs import CRS
from shapely.geometry import box

from geoseg.errors import GridMismatch, OutputError
from geoseg.grid.grid import Grid
from geoseg.legend import Legend, default_colour
from geoseg.plotting.panels import COLUMNS, plot_scene, rings_in_pixels

LEGEND = Legend.of({"land": "#00ff00", "roof": "#0000ff"})
SIDE = 64


def write(path, values, *, west=400000, legend=None):
    shape = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": "uint8"}
    place = {"crs": CRS.from_epsg(32633), "transform": Affine(1, 0, west, 0, -1, 5000000)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as file:
        file.write(values.astype(np.uint8))
        if legend is not None:
            file.update_tags(GEOSEG_CLASSES=legend.to_json())
    return path


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "town.tif", np.full((3, SIDE, SIDE), 90))


@pytest.fixture
def mask(tmp_path):
    values = np.zeros((1, SIDE, SIDE))
    values[:, 20:40, 20:40] = 1
    return write(tmp_path / "mask.tif", values, legend=LEGEND)


@pytest.fixture
def roofs(tmp_path):
    frame = gpd.GeoDataFrame(geometry=[box(400020, 4999960, 400040, 4999980)], crs="EPSG:32633").to_crs(4326)
    frame.to_file(tmp_path / "roofs.geojson")
    return tmp_path / "roofs.geojson"


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).reshape(-1, 3)


def count(path, colour):
    return int((pixels(path) == colour).all(axis=1).sum())


def test_a_scene_alone_makes_a_picture(scene, tmp_path):
    written = plot_scene(scene, tmp_path / "a.png")
    assert written == Path(tmp_path / "a.png")
    assert count(written, (90, 90, 90)) >= SIDE * SIDE - 1


def test_the_mask_is_drawn_in_its_colours_at_its_place(scene, mask, tmp_path):
    written = plot_scene(scene, tmp_path / "a.png", mask=mask)
    assert count(written, (0, 255, 0)) >= SIDE * SIDE - 400
    assert count(written, (0, 0, 255)) >= 400


def test_pixels_without_a_class_show_the_scene(scene, tmp_path):
    empty = write(tmp_path / "mask.tif", np.full((1, SIDE, SIDE), 255), legend=LEGEND)
    assert count(plot_scene(scene, tmp_path / "a.png", mask=empty), (90, 90, 90)) >= 2 * SIDE * SIDE - 2


@pytest.mark.parametrize("objects", [255, 1])
def test_objects_in_masks_of_other_programs_are_drawn_and_compared(scene, tmp_path, objects):
    """Masks of 0 and 255 look like masks of 0 and 1: two classes, with their differences."""
    values = np.zeros((2, 1, SIDE, SIDE))
    values[0, :, 40:60, 40:60] = values[1, :, 10:30, 10:30] = objects
    mask, reference = (write(tmp_path / f"{n}.tif", values[n]) for n in (0, 1))
    written = pixels(plot_scene(scene, tmp_path / "a.png", mask=mask, reference=reference))
    marked = written[:, 0].astype(int) - written[:, 1] > 80
    assert marked.sum() >= 2 * 400
    assert count(tmp_path / "a.png", default_colour(1)) >= 2 * 400


def test_where_mask_and_reference_are_equal_nothing_is_marked_as_different(scene, mask, tmp_path):
    assert count(plot_scene(scene, tmp_path / "a.png", mask=mask, reference=mask), (182, 59, 60)) == 0


def test_differences_are_marked_by_class_name(scene, mask, tmp_path):
    swapped = write(
        tmp_path / "reference.tif", np.zeros((1, SIDE, SIDE)), legend=Legend.of({"roof": None, "land": None})
    )
    written = plot_scene(scene, tmp_path / "a.png", mask=mask, reference=swapped)
    marked = pixels(written)[:, 0].astype(int) - pixels(written)[:, 1] > 80
    assert marked.sum() >= SIDE * SIDE - 400


def test_polygons_in_another_crs_are_outlined(scene, roofs, tmp_path):
    written = plot_scene(scene, tmp_path / "a.png", polygons=roofs)
    assert 60 <= count(written, (255, 255, 0)) <= 100


def test_reference_polygons_are_outlined_in_a_colour_of_their_own(scene, roofs, tmp_path):
    assert count(plot_scene(scene, tmp_path / "a.png", reference=roofs), (0, 255, 255)) >= 60


def test_a_reference_in_colours_is_shown_as_it_is(scene, mask, tmp_path):
    colours = write(tmp_path / "colours.tif", np.stack([np.full((SIDE, SIDE), value) for value in (7, 8, 9)]))
    assert count(plot_scene(scene, tmp_path / "a.png", mask=mask, reference=colours), (7, 8, 9)) >= SIDE * SIDE


def test_more_than_three_images_go_into_a_second_row(scene, mask, roofs, tmp_path):
    few = plot_scene(scene, tmp_path / "a.png", mask=mask)
    many = plot_scene(scene, tmp_path / "b.png", mask=mask, reference=mask, polygons=roofs)
    with Image.open(few) as one_row, Image.open(many) as two_rows:
        assert two_rows.height > one_row.height + SIDE
        assert two_rows.width < one_row.width / 2 * (COLUMNS + 1)


def test_images_are_no_larger_than_asked_for(scene, tmp_path):
    with Image.open(plot_scene(scene, tmp_path / "a.png", longest=32)) as image:
        assert image.width < 100


def test_a_mask_from_elsewhere_is_refused(scene, tmp_path):
    elsewhere = write(tmp_path / "mask.tif", np.zeros((1, SIDE, SIDE)), west=500000)
    with pytest.raises(GridMismatch):
        plot_scene(scene, tmp_path / "a.png", mask=elsewhere)
    assert not (tmp_path / "a.png").exists()


def test_nothing_is_overwritten_unless_asked_for(scene, tmp_path):
    plot_scene(scene, tmp_path / "a.png")
    with pytest.raises(OutputError, match="exists already"):
        plot_scene(scene, tmp_path / "a.png")
    plot_scene(scene, tmp_path / "a.png", overwrite=True)


MASK = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8)


@pytest.mark.parametrize("transform", [FIVE_METRES, ROTATED], ids=["north-up", "rotated"])
def test_lines_are_rings_in_rows_and_columns(transform):
    lines = rings_in_pixels(layer_of(MASK, transform=transform), Grid(UTM, transform, 3, 3))
    assert [value for value, _ in lines] == [1, 0, 0]
    assert sorted({tuple(point) for point in lines[0][1].round(3).tolist()}) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_layers_in_another_crs_are_reprojected():
    grid = Grid(UTM, FIVE_METRES, 3, 3)
    layer = layer_of(MASK)
    elsewhere = type(layer)(layer.frame.to_crs(4326), layer.legend)
    for (_, here), (_, there) in zip(rings_in_pixels(layer, grid), rings_in_pixels(elsewhere, grid), strict=True):
        assert np.allclose(here, there, atol=1e-3)


def test_polygons_away_from_the_grid_give_no_lines():
    away = Grid(UTM, Affine(5, 0, 9e5, 0, -5, 5.8e6), 3, 3)
    assert rings_in_pixels(layer_of(MASK), away) == []
    assert rings_in_pixels(layer_of(np.full((3, 3), 255, np.uint8)), away) == []
