"""Prepared scenes: any window is a cut of the padded whole, and folders are finished or not there."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from strategies_data import prepared_scene, striped
from strategies_raster import noise, padded, windows_around

from geoseg.data.prepared import MANIFEST, Prepared
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.statistics import BandStatistics

HEIGHT, WIDTH = 23, 31
IMAGE = noise(3, HEIGHT, WIDTH)
MASK = striped(HEIGHT, WIDTH)
VALID = noise(HEIGHT, WIDTH, low=0, high=3) > 0


@pytest.fixture(scope="module", params=["holed", "whole"])
def scene(request, tmp_path_factory):
    """A prepared scene, with and without pixels that hold nothing."""
    valid = VALID if request.param == "holed" else None
    return prepared_scene(tmp_path_factory.mktemp("prepared"), MASK, image=IMAGE, valid=valid)


@given(window=windows_around(HEIGHT, WIDTH, reach=30))
def test_a_cut_is_a_slice_of_the_padded_whole(scene, window) -> None:
    image, target, valid = scene.cut(window)
    inside = padded(np.ones((HEIGHT, WIDTH), bool), window)
    holds = VALID if scene.valid is not None else np.ones_like(VALID)
    assert np.array_equal(image.transpose(2, 0, 1), padded(IMAGE, window))
    assert np.array_equal(target, np.where(inside, padded(MASK, window), IGNORE_INDEX))
    assert np.array_equal(valid, padded(holds, window))


@given(window=windows_around(HEIGHT, WIDTH))
def test_labels_are_those_of_the_part_inside(scene, window) -> None:
    assert np.array_equal(scene.labels(window), MASK[window.clip_to(HEIGHT, WIDTH).slices()])


def test_a_cut_may_be_written_to_and_leaves_the_file_alone(scene) -> None:
    image, target, valid = scene.cut(Window(0, 0, 4, 4))
    image[:], target[:], valid[:] = 0, 0, False
    assert np.array_equal(scene.cut(Window(0, 0, 4, 4))[0].transpose(2, 0, 1), IMAGE[:, :4, :4])


def test_a_scene_sent_to_another_process_takes_no_pixels_along(scene) -> None:
    before = len(pickle.dumps(scene))
    scene.cut(Window(0, 0, 4, 4))
    sent = pickle.dumps(scene)
    assert len(sent) == before
    assert pickle.loads(sent) == scene
    assert np.array_equal(pickle.loads(sent).mask, MASK)


@pytest.fixture
def prepared(tmp_path) -> Prepared:
    """A prepared folder of one scene."""
    scene = prepared_scene(tmp_path, MASK)
    band = BandStatistics("red", 1.5, 0.5, 0.0, 9.0)
    return Prepared(tmp_path, "abc", Legend.of({"a": None}), ("red",), "uint8", None, (band,), (scene,))


def test_a_saved_folder_is_loaded_as_it_was(prepared) -> None:
    prepared.save()
    assert Prepared.load(prepared.folder) == prepared


def test_a_folder_that_was_not_finished_is_not_there(prepared, tmp_path) -> None:
    assert Prepared.load(tmp_path / "nowhere") is None
    assert Prepared.load(tmp_path) is None
    prepared.save()
    text = (tmp_path / MANIFEST).read_text()
    for broken in (text[: len(text) // 2], "[]", "{}", text.replace('"height"', '"hight"')):
        (tmp_path / MANIFEST).write_text(broken)
        assert Prepared.load(tmp_path) is None


def test_saving_leaves_nothing_but_the_manifest(prepared, tmp_path) -> None:
    prepared.save()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", MANIFEST, "masks"]


def test_a_split_without_scenes_is_refused(prepared) -> None:
    assert [scene.name for scene in prepared.scenes("train")] == ["scene"]
    with pytest.raises(DataError, match="no scene in the split 'val'"):
        prepared.scenes("val")
