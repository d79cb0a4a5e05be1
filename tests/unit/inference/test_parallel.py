"""However a mask's rows are divided, among devices or over time, its bytes are those of the undivided prediction."""

import itertools
import threading
import time

import geopandas
import numpy as np
import pytest
from helpers.models import EXACT, TRANSFORM, Threshold, bundle, pixels, threshold_bundle, write_scene
from helpers.predictions import PRODUCTS, Crooked, Fickle, opened, products_of, same
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from shapely import Polygon, unary_union

from geoseg.errors import SceneError
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.inference.parallel import PARTS_PER_WORKER, split_rows
from geoseg.inference.predict import predict
from geoseg.inference.predictor import Predictor
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.writers.memory import MemoryWriter
from geoseg.raster.writers.partial import BLOCK_SIZE

WAYS = {
    "weighted": {},
    "weighted, mean colour around": {"border": "mean", "window": "linear"},
    "crop": {"blend": "crop"},
    "flip": {"tta": "flip"},
    "slide": {"mode": "slide", "stride": 9},
    "slide and flip": {"mode": "slide", "stride": 11, "tta": "flip"},
    "slide at six scales": {"mode": "slide", "stride": 16, "tta": "ms+flip"},
}


def on_the_map(col, row):
    return TRANSFORM.c + TRANSFORM.a * col, TRANSFORM.f + TRANSFORM.e * row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two bands of 130 x 44 pixels with holes, and polygons over a part of it."""
    folder = tmp_path_factory.mktemp("parts")
    values = pixels(130, 44, low=1)
    values[:, 20:60, 10:], values[:, 100, 3] = 0, 0
    write_scene(folder / "holes.tif", values, nodata=0)
    write_scene(folder / "scene.tif", pixels(130, 44))
    triangles = [[(3, 4), (40, 90), (3, 90)], [(20, 100), (41, 100), (41, 126)]]
    shape = unary_union([Polygon([on_the_map(*point) for point in triangle]) for triangle in triangles])
    geopandas.GeoSeries([shape], crs="EPSG:32633").to_file(folder / "triangles.gpkg")
    return folder


def cuts(height):
    """A mask's rows as parts, in any order."""
    rows = st.lists(st.integers(1, height - 1), max_size=4, unique=True)
    return rows.map(lambda inner: list(itertools.pairwise([0, *sorted(inner), height]))).flatmap(st.permutations)


def parts_of(pairs, width):
    return [Window(first, 0, stop - first, width) for first, stop in pairs]


def require_division_does_not_matter(path, network, *, examples, batch=4, gsd=None, **options):
    model = bundle(network, gsd=gsd)
    with opened(path, model, **options) as job:
        height, width = job.grid.shape
        undivided = products_of(job, model, [Window(0, 0, height, width)], batch=batch)

        @settings(max_examples=examples, phases=[Phase.generate])  # shrinking takes long and shows little
        @given(cuts(height))
        def law(pairs):
            assert same(products_of(job, model, parts_of(pairs, width), batch=batch), undivided)

        law()
    assert len(set(np.unique(undivided["mask"])) - {IGNORE_INDEX}) > 1, "a mask of one class shows nothing"


@pytest.mark.parametrize("network", [Crooked, Fickle])
@pytest.mark.parametrize("way", WAYS)
def test_any_division_gives_the_same_bytes(folder, way, network):
    examples = 1 if "six" in way else 3
    require_division_does_not_matter(folder / "holes.tif", network(), examples=examples, **WAYS[way])


@pytest.mark.parametrize("batch", [1, 3, 7])
@pytest.mark.parametrize("way", ["weighted", "slide"])
def test_whatever_the_batch(folder, way, batch):
    require_division_does_not_matter(folder / "scene.tif", Fickle(), examples=2, batch=batch, **WAYS[way])


@pytest.mark.parametrize("way", ["weighted", "crop", "slide", "slide and flip"])
@pytest.mark.parametrize("aoi", [True, False])
def test_in_an_area_too(folder, way, aoi):
    (west, north), (east, south) = on_the_map(5, 13), on_the_map(38, 121)
    options = {"bbox": (west, south, east, north)} | ({"aoi": folder / "triangles.gpkg"} if aoi else {})
    require_division_does_not_matter(folder / "holes.tif", Fickle(), examples=2, **WAYS[way], **options)


@pytest.mark.parametrize("way", ["weighted", "crop", "slide"])
@pytest.mark.parametrize("factor", [2, 1 / 1.7])
def test_for_a_model_of_another_gsd_too(folder, way, factor):
    gsd = 0.3 * factor
    require_division_does_not_matter(folder / "holes.tif", Fickle(), examples=1, gsd=gsd, **WAYS[way])


def test_a_wide_scene_whose_rows_of_tiles_are_groups_of_their_own(tmp_path):
    path = write_scene(tmp_path / "wide.tif", pixels(60, 300))
    require_division_does_not_matter(path, Fickle(), examples=2, batch=5)


# Several devices


def products(path, model, **options):
    sink = MemoryWriter(PRODUCTS)
    prediction = predict(path, sink, model=model, **EXACT | options)
    return sink.pixels, prediction


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    """Two bands of 1 700 x 30 pixels, four slabs."""
    return write_scene(tmp_path_factory.mktemp("tall") / "scene.tif", pixels(1700, 30))


@pytest.mark.parametrize("way", ["weighted", "slide"])
def test_two_devices_make_the_mask_of_one(tall, way):
    model = bundle(Fickle(), tile=32)
    one, alone = products(tall, model, **WAYS[way])
    two, shared = products(tall, model, **WAYS[way], device="cpu, cpu")
    assert same(one, two)
    assert shared.device == "cpu, torch, float32; cpu, torch, float32"
    assert shared.tiles >= alone.tiles, "tiles at the border of two parts are seen twice"


def test_both_devices_work(tall, monkeypatch):
    threads, logits = set(), Predictor.logits

    def noting(self, *arguments, **options):
        threads.add(threading.get_ident())
        time.sleep(0.001)
        return logits(self, *arguments, **options)

    monkeypatch.setattr(Predictor, "logits", noting)
    products(tall, bundle(Crooked(), tile=32), device="cpu,cpu")
    assert len(threads) == 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize("error", [SceneError("the disk was pulled out"), KeyboardInterrupt()])
def test_an_error_on_one_device_is_raised_and_stops_the_others(tall, monkeypatch, error):
    looked, logits, first = [], Predictor.logits, threading.Event()

    def failing(self, *arguments, **options):
        looked.append(threading.get_ident())
        if len(set(looked)) == 2 and not first.is_set():
            first.set()
            raise error
        first.wait(10)
        time.sleep(0.01)
        return logits(self, *arguments, **options)

    monkeypatch.setattr(Predictor, "logits", failing)
    model = threshold_bundle(bands=("red", "green"))
    with pytest.raises(type(error)) as caught:
        products(tall, model, device="cpu,cpu", batch=4)
    assert caught.value is error
    assert len(looked) < 40, "of some 400 batches"


def test_a_device_that_is_not_there_is_refused(tall):
    assert_sees_nothing = Threshold()
    with pytest.raises(Exception, match="gpu"):
        products(tall, bundle(assert_sees_nothing, classes=2), device="cpu,gpu")
    assert assert_sees_nothing.seen == []


# How missing rows are divided


@st.composite
def missing(draw):
    """Slabs of a raster that are missing, neighbours joined; and the raster's width."""
    height, width = draw(st.integers(1, 40 * BLOCK_SIZE)), draw(st.integers(1, 9))
    places = list(strips(height, width, BLOCK_SIZE))
    gone = [place for place in places if draw(st.booleans())]
    joined = []
    for place in gone:
        if joined and joined[-1].row_stop == place.row:
            place = Window(joined[-1].row, 0, place.row_stop - joined.pop().row, width)  # noqa: PLW2901
        joined.append(place)
    return joined


@given(missing(), st.integers(1, 9), st.integers(1, 2000))
def test_parts_cover_what_is_missing_once_from_top_to_bottom_in_whole_slabs(missing, hands, tile):
    parts = split_rows(missing, hands, tile=tile)
    rows = [row for part in parts for row in range(part.row, part.row_stop)]
    assert rows == [row for window in missing for row in range(window.row, window.row_stop)]
    assert all(part.row % BLOCK_SIZE == 0 and not part.is_empty for part in parts)
    assert {(part.col, part.width) for part in parts} <= {(0, window.width) for window in missing}
    ends = {window.row_stop for window in missing}
    assert all(part.row_stop % BLOCK_SIZE == 0 or part.row_stop in ends for part in parts)
    slabs = sum(-(-window.height // BLOCK_SIZE) for window in missing)
    assert len(parts) <= PARTS_PER_WORKER * hands + len(missing)
    assert hands == 1 or len(parts) >= min(hands, slabs) / 2


def test_one_hand_takes_all_at_once_and_several_take_even_parts():
    whole = [Window(0, 0, 16 * BLOCK_SIZE, 3)]
    assert split_rows(whole, 1, tile=512) == whole
    assert [part.height for part in split_rows(whole, 2, tile=512)] == [8 * BLOCK_SIZE] * 2
    assert [part.height for part in split_rows(whole, 2, tile=64)] == [2 * BLOCK_SIZE] * 8
    assert [part.height for part in split_rows(whole, 16, tile=512)] == [BLOCK_SIZE] * 16
