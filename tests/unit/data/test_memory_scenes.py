"""Scenes out of memory: what comes of them is what comes of files that hold the same."""

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from helpers.models import threshold_bundle
from helpers.prepared import TRANSFORM, data_section, labelled_folder, striped
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from geoseg.config.load import parse_recipe
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.label_encoding import build_encoding
from geoseg.data.memory_scenes import DTYPES, UNDECLARED_INDEX, ArrayStorage, can_hold, materialize, narrowest_dtype
from geoseg.data.preparation.conversion_record import fingerprint_sources
from geoseg.data.preparation.convert_scene import SceneConversion, convert_scene, measure_scene
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import DataError
from geoseg.evaluation import evaluate_model as model_module
from geoseg.evaluation.options import EvaluationOptions
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

HEIGHT, WIDTH = 24, 32
GRID = Grid(CRS(32633), TRANSFORM, HEIGHT, WIDTH)
LEGEND = Legend.of(["one", "two", "three"])


@dataclass
class Arrays:
    """A source whose arrays are at hand."""

    values: Any
    labels: Any = None
    valid: Any = None
    grid: Grid = GRID
    reads: list[int] = field(default_factory=list)

    def read(self):
        self.reads.append(1)
        valid = np.ones(self.values.shape[1:], bool) if self.valid is None else self.valid
        return Raster(self.values * valid, valid, self.grid), self.labels

    def fingerprint(self):
        return "arrays", self.values.nbytes, 1


def scene(values, labels=None, valid=None, *, grid=GRID):
    there = Path("nowhere/a")
    return LabelledScene("a", there, None if labels is None else there, source=Arrays(values, labels, valid, grid))


def job(scene, folder, **changes):
    draft = PreparedScene("a", "train", folder, "a", 0, 0, None, labelled=scene.label is not None)
    given = {
        "scene": scene, "draft": draft, "declaration_digest": "", "encoding": build_encoding(LEGEND, "index"),
        "class_count": 3, "file_bands": None, "bands": ("red", "green", "blue"), "select_by_name": False,
        "dtype": "uint8", "gsd": None,
    }  # fmt: skip
    return SceneConversion(**(given | changes))


@pytest.mark.parametrize("gsd", [None, 1.0, 0.37, 0.2])
def test_a_source_is_converted_as_files_with_the_same_pixels_are(tmp_path, gsd):
    image, label = noise(3, HEIGHT, WIDTH, low=1), striped(HEIGHT, WIDTH)
    label[:4, :4] = 7  # undeclared
    dataset = open_dataset(data_section(labelled_folder(tmp_path, image=image, label=label)))
    of_files = convert_scene(job(dataset.scenes("train")[0], tmp_path / "files", gsd=gsd))
    of_memory = convert_scene(job(scene(image, label), tmp_path / "memory", gsd=gsd))
    assert of_memory.scene.to_dict() == of_files.scene.to_dict()
    assert of_memory.statistics.to_json() == of_files.statistics.to_json()
    assert of_memory.scene.unknown.startswith("7 (")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 4, 5])
def test_pixels_validity_and_place_survive(dtype, bands):
    values, valid = noise(bands, HEIGHT, WIDTH, dtype=dtype, low=1, high=200), noise(HEIGHT, WIDTH, high=3) > 0
    values[:, :3] = 0  # valid all the same
    with materialize(scene(values, valid=valid)) as files, Scene.open(files.image) as opened:
        raster = opened.read(opened.grid.window)
        assert opened.grid.matches(GRID)
    assert files.label is None
    assert not files.image.exists()
    assert raster.values.dtype == dtype
    assert np.array_equal(raster.valid, valid)
    assert np.array_equal(raster.values, values * valid)


def test_a_scene_of_files_stays_what_it_is():
    files = LabelledScene("a", Path("a.tif"), None)
    with materialize(files) as same:
        assert same is files


def test_pixels_that_cannot_be_marked_are_refused():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    valid = np.ones((16, 16), bool)
    full = scene(np.concatenate([values, values], axis=2), valid=np.concatenate([valid, ~valid], axis=1))
    full = replace(full, source=replace(full.source, grid=GRID.with_shape(16, 32)))
    with pytest.raises(DataError, match="no value is unused to mark the nodata pixels of a"), materialize(full):
        pass


def test_a_labelled_scene_without_labels_is_refused_and_hidden_labels_stay_hidden():
    image = noise(3, HEIGHT, WIDTH)
    labelled = scene(image, striped(HEIGHT, WIDTH))
    with materialize(replace(labelled, label=None)) as files:
        assert files.label is None
    with pytest.raises(DataError, match="a has no labels"), materialize(replace(labelled, source=Arrays(image))):
        pass


def test_a_source_is_read_once_to_be_converted_and_its_state_tells_whether_it_is_done(tmp_path):
    mine = scene(noise(3, HEIGHT, WIDTH), striped(HEIGHT, WIDTH))
    todo = job(mine, tmp_path)
    assert fingerprint_sources(mine) == (("arrays", 3 * HEIGHT * WIDTH, 1),)
    record = convert_scene(todo)
    assert len(mine.source.reads) == 1
    assert todo.load_record().scene == record.scene
    longer = replace(mine, source=Arrays(noise(3, HEIGHT, WIDTH + 1), striped(HEIGHT, WIDTH + 1)))
    assert replace(todo, scene=longer).load_record() is None


def test_the_survey_knows_size_and_gsd(tmp_path):
    planned = measure_scene(job(scene(noise(3, HEIGHT, WIDTH)), tmp_path, gsd=1.0))
    assert (planned.height, planned.width) == (HEIGHT // 2, WIDTH // 2)
    assert planned.gsd == pytest.approx(1.0, rel=1e-3)


def test_a_source_without_a_place_lies_in_pixel_coordinates(tmp_path):
    grid = Grid(None, Affine.identity(), HEIGHT, WIDTH)
    record = convert_scene(job(scene(noise(3, HEIGHT, WIDTH), striped(HEIGHT, WIDTH), grid=grid), tmp_path))
    assert record.scene.gsd is None
    assert np.array_equal(record.scene.mask, striped(HEIGHT, WIDTH))


@given(st.lists(st.integers(0, 70_000) | st.floats(-10, 10, width=32), min_size=1, max_size=4))
def test_the_narrowest_type_holds_every_value_and_no_narrower_one_does(values):
    array = np.array(values, np.float32)
    name = narrowest_dtype(array)
    assert np.array_equal(array.astype(name).astype(np.float32), array)
    assert not any(can_hold(narrower, array) for narrower in DTYPES[: DTYPES.index(name)])


@pytest.mark.parametrize(("value", "dtype"), [(256, "uint8"), (0.5, "uint8"), (-1, "uint16"), (np.nan, "uint16")])
def test_an_image_that_does_not_fit_is_refused(value, dtype):
    storage = ArrayStorage(1, dtype, None, ((0, 0),), 1)
    with pytest.raises(DataError, match=f"mine does not fit into {dtype}") as refused:
        storage.to_raster(np.full((1, HEIGHT, WIDTH), value, np.float32), GRID, "mine")
    assert "data.dtype=float32" in refused.value.hint


def test_an_image_with_other_bands_is_refused():
    with pytest.raises(DataError, match="mine has 3 bands, but the first scene has 4"):
        ArrayStorage(4, "uint8", None, ((0, 0),), 1).to_raster(noise(3, HEIGHT, WIDTH), GRID, "mine")


def test_pixels_that_hold_nothing_are_not_valid():
    values = np.full((2, HEIGHT, WIDTH), 5, np.float32)
    values[:, 0, 0], values[0, 0, 1], values[1, 0, 2] = 9, 9, np.nan
    raster = ArrayStorage(2, "float32", 9, ((0, 0),), 1).to_raster(values, GRID, "mine")
    assert np.argwhere(~raster.valid).tolist() == [[0, 0], [0, 2]]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_undeclared_numbers_stay_themselves_or_are_marked_and_never_become_a_class(numbers):
    declared = {1: 0, 2: 1, 700: 2, 255: IGNORE_INDEX, -5: IGNORE_INDEX}
    indices = ArrayStorage(1, "uint8", None, tuple(declared.items()), 3).to_class_indices(np.array(numbers))
    for number, index in zip(numbers, indices.tolist(), strict=True):
        own = number if 3 <= number < UNDECLARED_INDEX else UNDECLARED_INDEX
        assert index == declared.get(number, own)


def test_whoever_ignores_the_mark_ignores_all_that_bear_it():
    meaning = ((0, 0), (1, 1), (UNDECLARED_INDEX, IGNORE_INDEX), (255, IGNORE_INDEX))
    indices = ArrayStorage(1, "uint8", None, meaning, 2).to_class_indices(np.array([0, 1, -3, 254, 1000, 9]))
    assert indices.tolist() == [0, 1, 255, 255, 255, 9]


OPTIONS = EvaluationOptions(device="cpu")


def test_a_model_is_evaluated_on_sources(monkeypatch):
    image, truth = noise(1, HEIGHT, WIDTH, high=10), striped(HEIGHT, WIDTH, 2)
    truth[0, 0] = IGNORE_INDEX
    legend = Legend.of(["class 0", "class 1"])
    dataset = Dataset(legend, build_encoding(legend, "index"), {"val": (scene(image, truth),)}, bands=("B04",))
    monkeypatch.setattr(model_module, "open_dataset", lambda _: dataset)
    evaluation = model_module.evaluate_model(
        parse_recipe({"data": {"dataset": "torchgeo"}}), OPTIONS, model=threshold_bundle(bands=("B04",))
    )
    guessed = (image[0] > 4).astype(int)  # at 4 both classes are equally likely, and the first one wins
    labelled = truth < 2
    expected = [[((truth == t) & (guessed == g) & labelled).sum() for g in (0, 1)] for t in (0, 1)]
    assert evaluation.total.counts[:, :2].tolist() == expected


def test_undeclared_labels_of_a_source_are_refused_when_a_model_is_evaluated(monkeypatch):
    labels = striped(HEIGHT, WIDTH, 2) * 9
    legend = Legend.of(["class 0", "class 1"])
    dataset = Dataset(
        legend, build_encoding(legend, "index"), {"val": (scene(noise(1, HEIGHT, WIDTH), labels),)}, bands=("red",)
    )
    monkeypatch.setattr(model_module, "open_dataset", lambda _: dataset)
    with pytest.raises(DataError, match=r"nowhere/a: 50.00% of the pixels are not in the legend: 9"):
        model_module.evaluate_model(parse_recipe({"data": {"dataset": "torchgeo"}}), OPTIONS, model=threshold_bundle())


def test_scenes_with_a_source_go_to_other_processes():
    mine = scene(noise(3, HEIGHT, WIDTH), striped(HEIGHT, WIDTH))
    assert np.array_equal(pickle.loads(pickle.dumps(mine)).source.values, mine.source.values)
