"""Label files come out as class indices on the grid of their image, whatever they were written as."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from helpers.prepared import TRANSFORM, striped
from helpers.rasters import UTM, make_raster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyproj import CRS
from strategies import windows_around

from geoseg.data.label_encoding import build_encoding
from geoseg.data.label_reader import LabelReader
from geoseg.errors import DataError, GeosegError, GridMismatch
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend

LEGEND = Legend.of({"land": "#00ff00", "water": "#0000ff", "road": "#808080"})
HEIGHT, WIDTH = 20, 30
GRID = Grid(CRS(32633), TRANSFORM, HEIGHT, WIDTH)
MASK = striped(HEIGHT, WIDTH)


def reader(path, kind, **options) -> LabelReader:
    return LabelReader(path, GRID, build_encoding(LEGEND, kind, **options))


def whole(label: LabelReader) -> np.ndarray:
    found = label.read(GRID.window)
    label.close()
    return found


def numbered_file(folder, values, **profile):
    return make_raster(folder / "label.tif", values.astype(profile.pop("dtype", np.uint8))[None], **UTM, **profile)


def test_numbers_are_class_indices(tmp_path) -> None:
    assert np.array_equal(whole(reader(numbered_file(tmp_path, MASK), "index")), MASK)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
@pytest.mark.parametrize("by", ["alpha", "mask"])
def test_excluded_pixels_are_not_labeled_even_if_the_class_is_called_nodata(tmp_path, by, dtype) -> None:
    excluded = np.zeros((HEIGHT, WIDTH), bool)
    excluded[:, :10] = True
    values = np.stack([MASK, ~excluded * 255])[: 2 if by == "alpha" else 1].astype(dtype)
    mask = {"mask": ~excluded} if by == "mask" else {"alpha": "yes"}
    path = make_raster(tmp_path / "label.tif", values, **UTM, nodata=0, **mask)
    assert (MASK[~excluded] == 0).any()
    assert np.array_equal(whole(reader(path, "index")), np.where(excluded, IGNORE_INDEX, MASK))


def test_numbers_mean_what_values_say(tmp_path) -> None:
    path = numbered_file(tmp_path, np.array([10, 21, 300])[MASK], dtype=np.int16)
    label = reader(path, "index", values={"land": [10], "water": [21], "road": []}, ignore=[300])
    assert np.array_equal(whole(label), np.where(MASK == 2, IGNORE_INDEX, MASK))
    assert label.unknown_share == 0


def test_colours_are_classes(tmp_path) -> None:
    path = make_raster(tmp_path / "label.tif", LEGEND.draw(MASK).transpose(2, 0, 1), **UTM)
    assert np.array_equal(whole(reader(path, "colour")), MASK)


@pytest.mark.parametrize("crs", [None, UTM["crs"]])
def test_a_label_30_m_away_is_refused_with_and_without_crs(tmp_path, crs) -> None:
    shifted = Affine(*TRANSFORM[:2], TRANSFORM.c + 30, *TRANSFORM[3:6])
    make_raster(tmp_path / "label.tif", MASK.astype(np.uint8)[None], crs=crs, transform=shifted)
    with pytest.raises(GridMismatch, match="corners"):
        reader(tmp_path / "label.tif", "index")


def test_a_png_with_a_palette_is_colours(tmp_path) -> None:
    numbers = np.array([9, 200, 4], np.uint8)  # they mean nothing, their colours do
    palette = np.zeros((256, 3), np.uint8)
    palette[numbers] = [entry.colour for entry in LEGEND.entries]
    image = Image.fromarray(numbers[MASK]).convert("P")
    image.putpalette(palette.ravel().tolist())
    image.save(tmp_path / "label.png")
    assert np.array_equal(whole(reader(tmp_path / "label.png", "colour")), MASK)


def test_an_alpha_band_beside_the_colours_says_what_is_labelled(tmp_path) -> None:
    alpha = np.where(MASK == 1, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([LEGEND.draw(MASK), alpha])).save(tmp_path / "label.png")
    assert np.array_equal(whole(reader(tmp_path / "label.png", "colour")), np.where(MASK == 1, IGNORE_INDEX, MASK))


def test_a_nodata_value_that_the_recipe_declares_is_a_class_all_the_same(tmp_path) -> None:
    label = reader(numbered_file(tmp_path, MASK, nodata=0), "index")
    assert np.array_equal(whole(label), MASK)


@pytest.mark.parametrize("nodata", [0, 77])
def test_the_files_own_nodata_is_not_labelled_and_not_unknown(tmp_path, nodata) -> None:
    values = np.where(MASK == 2, nodata, MASK + 10)
    label = reader(numbered_file(tmp_path, values, nodata=nodata), "index", values={"land": [10], "water": [11]})
    assert np.array_equal(whole(label), np.where(MASK == 2, IGNORE_INDEX, MASK))
    assert label.unknown_share == 0


def test_undeclared_colours_are_counted_named_and_not_labelled(tmp_path) -> None:
    picture = LEGEND.draw(MASK)
    picture[0, :12], picture[1, :3] = (255, 0, 0), (1, 2, 3)
    label = reader(make_raster(tmp_path / "label.tif", picture.transpose(2, 0, 1), **UTM), "colour")
    found = whole(label)
    assert (found[0, :12] == IGNORE_INDEX).all()
    assert np.array_equal(found[2:], MASK[2:])
    assert label.unknown == {"#ff0000": 12, "#010203": 3}
    assert label.unknown_share == 15 / MASK.size
    assert label.describe_unknown() == "#ff0000 (2.00%), #010203 (0.50%)"


def test_only_the_most_frequent_strangers_are_named(tmp_path) -> None:
    values = MASK.copy()
    values[0, :] = range(100, 130)
    label = reader(numbered_file(tmp_path, values), "index")
    whole(label)
    assert label.describe_unknown().count("%") == 5
    assert label.describe_unknown().endswith("and 25 more")


@pytest.mark.parametrize("rows", [1, 7, 20])
def test_counts_do_not_depend_on_the_strips(tmp_path, rows) -> None:
    values = np.where(MASK == 2, 9, MASK)
    label = reader(numbered_file(tmp_path, values), "index")
    found = np.concatenate([label.read(strip) for strip in strips(HEIGHT, WIDTH, rows)])
    assert label.unknown == {"9": int((MASK == 2).sum())}
    assert np.array_equal(found, np.where(MASK == 2, IGNORE_INDEX, MASK))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(window=windows_around(HEIGHT, WIDTH).map(lambda w: w.clip_to(HEIGHT, WIDTH)).filter(lambda w: not w.is_empty))
@pytest.mark.parametrize("kind", ["index", "colour"])
def test_a_window_is_cut_from_the_whole(tmp_path, window, kind) -> None:
    path = tmp_path / f"{kind}.tif"
    if not path.exists():
        make_raster(path, MASK[None] if kind == "index" else LEGEND.draw(MASK).transpose(2, 0, 1), **UTM)
    assert np.array_equal(reader(path, kind).read(window), MASK[window.slices()])


@pytest.fixture
def polygons(tmp_path):
    """Land, water and a road in longitude and latitude over three parts of the grid, in columns 0, 10 and 20."""
    left, bottom, right, top = GRID.bounds
    third = (right - left) / 3
    boxes = [shapely.box(left + n * third, bottom, left + (n + 1) * third, top) for n in range(3)]
    frame = gpd.GeoDataFrame({"kind": LEGEND.names, "code": [4, 5, 6]}, geometry=boxes, crs=32633)
    frame.to_crs(4326).to_file(tmp_path / "labels.gpkg")
    return tmp_path / "labels.gpkg"


def test_polygons_in_another_crs_are_drawn_where_they_lie(polygons) -> None:
    found = whole(reader(polygons, "polygon", column="kind"))
    assert np.array_equal(found, np.broadcast_to(np.repeat([0, 1, 2], 10), (HEIGHT, WIDTH)))


def test_polygons_may_be_told_apart_by_numbers(polygons) -> None:
    found = whole(reader(polygons, "polygon", column="code", values={"land": [6], "water": [4]}, ignore=[5]))
    assert found[3].tolist() == [1] * 10 + [IGNORE_INDEX] * 10 + [0] * 10


def test_polygons_without_attribute_lie_on_the_background(polygons) -> None:
    frame = gpd.read_file(polygons).iloc[1:2]
    frame.to_file(polygons.with_name("one.geojson"))
    found = whole(reader(polygons.with_name("one.geojson"), "polygon", polygon_class="water", background="land"))
    assert found[3].tolist() == [0] * 10 + [1] * 10 + [0] * 10


@given(st.integers(1, HEIGHT))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
def test_polygons_are_the_same_strip_by_strip(polygons, rows) -> None:
    label = reader(polygons, "polygon", column="kind")
    found = np.concatenate([label.read(strip) for strip in strips(HEIGHT, WIDTH, rows)])
    assert np.array_equal(found, label.read(GRID.window))


def test_an_attribute_nobody_declared_is_named(polygons) -> None:
    with pytest.raises(GeosegError, match="kind is 'road'"):
        whole(
            LabelReader(
                polygons, GRID, build_encoding(Legend.of({"land": None, "water": None}), "polygon", column="kind")
            )
        )


def test_a_label_of_another_size_is_refused_in_one_sentence(tmp_path) -> None:
    path = numbered_file(tmp_path, MASK[:-1])
    with pytest.raises(DataError, match=f"label.tif has 19 x {WIDTH} pixels, but its image has {HEIGHT} x {WIDTH}"):
        reader(path, "index")


def test_a_label_that_lies_elsewhere_is_refused(tmp_path) -> None:
    path = make_raster(tmp_path / "label.tif", MASK[None], crs="EPSG:32634", transform=TRANSFORM)
    with pytest.raises(GridMismatch, match="EPSG:32633 and EPSG:32634"):
        reader(path, "index")


def test_a_label_without_a_place_is_taken_to_lie_on_its_image(tmp_path) -> None:
    assert np.array_equal(whole(reader(make_raster(tmp_path / "label.tif", MASK[None]), "index")), MASK)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("colour", MASK[None], "has no 8-bit colors"),
        ("colour", np.zeros((3, HEIGHT, WIDTH), np.uint16), "has no 8-bit colors"),
        ("index", MASK[None].astype(np.float32), "has float32 values"),
    ],
)
def test_a_label_of_the_wrong_kind_is_refused(tmp_path, kind, values, message) -> None:
    with pytest.raises(DataError, match=message) as error:
        whole(reader(make_raster(tmp_path / "label.tif", values, **UTM), kind))
    assert error.value.hint


def test_missing_attribute_values_can_be_ignored(polygons) -> None:
    frame = gpd.read_file(polygons)
    frame.loc[2, "kind"] = None
    frame.to_file(polygons)
    with pytest.raises(GeosegError, match=r"kind is null \(1 polygon\)") as caught:
        reader(polygons, "polygon", column="kind")
    assert caught.value.hint == "list them in data.values, or in data.ignore: [null]"
    found = whole(reader(polygons, "polygon", column="kind", ignore=[None]))
    assert found[3].tolist() == [0] * 10 + [1] * 10 + [IGNORE_INDEX] * 10


def test_the_priority_of_classes_settles_overlaps(polygons) -> None:
    frame = gpd.read_file(polygons)
    everywhere = frame.iloc[[0]].assign(geometry=[frame.union_all().envelope])
    pd.concat([frame, everywhere]).to_file(polygons)
    assert (whole(reader(polygons, "polygon", column="kind")) == 0).all()
    found = whole(reader(polygons, "polygon", column="kind", priority=["road", "water"]))
    assert found[3].tolist() == [0] * 10 + [1] * 10 + [2] * 10


def test_a_reader_knows_whether_polygons_touch(polygons) -> None:
    label = reader(polygons, "polygon", column="kind")
    whole(label)
    assert (label.touches, label.find_miss()) == (True, None)
    frame = gpd.read_file(polygons)
    frame.translate(5).to_frame("geometry").assign(kind="land").to_file(polygons)
    label = reader(polygons, "polygon", column="kind")
    assert (whole(label) == IGNORE_INDEX).all()
    assert not label.touches
    assert "no polygon of" in label.find_miss().message
