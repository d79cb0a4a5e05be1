"""Prepared scenes: any window is a cut of the padded whole, and folders are finished or not there."""

import json
import pickle

import numpy as np
import pytest
from helpers.prepared import prepared_scene, striped
from helpers.rasters import noise, padded
from hypothesis import given
from strategies import windows_around

from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.statistics import BandStatistics

HEIGHT, WIDTH = 23, 31
IMAGE = noise(3, HEIGHT, WIDTH)
MASK = striped(HEIGHT, WIDTH)
VALID = noise(HEIGHT, WIDTH, low=0, high=3) > 0


@pytest.fixture(scope="module", params=["holed", "whole", "holed compressed", "whole compressed"])
def scene(request, tmp_path_factory):
    """A prepared scene, with and without pixels that hold nothing, mapped and compressed."""
    valid = VALID if "holed" in request.param else None
    folder = tmp_path_factory.mktemp("prepared")
    return prepared_scene(folder, MASK, image=IMAGE, valid=valid, compressed="compressed" in request.param)


@given(window=windows_around(HEIGHT, WIDTH, reach=30))
def test_a_cut_is_a_slice_of_the_padded_whole(scene, window) -> None:
    image, target, valid = scene.read(window)
    inside = padded(np.ones((HEIGHT, WIDTH), bool), window)
    holds = VALID if scene.valid is not None else np.ones_like(VALID)
    assert np.array_equal(image.transpose(2, 0, 1), padded(IMAGE, window))
    assert np.array_equal(target, np.where(inside, padded(MASK, window), IGNORE_INDEX))
    assert np.array_equal(valid, padded(holds, window))


@given(window=windows_around(HEIGHT, WIDTH))
def test_labels_are_those_of_the_part_inside(scene, window) -> None:
    inside = window.clip_to(HEIGHT, WIDTH).slices()
    assert np.array_equal(scene.read_mask(window), MASK[inside])
    assert np.array_equal(scene.read_valid(window), (VALID if scene.valid is not None else np.ones_like(VALID))[inside])


def test_a_cut_may_be_written_to_and_leaves_the_file_alone(scene) -> None:
    image, target, valid = scene.read(Window(0, 0, 4, 4))
    image[:], target[:], valid[:] = 0, 0, False
    assert np.array_equal(scene.read(Window(0, 0, 4, 4))[0].transpose(2, 0, 1), IMAGE[:, :4, :4])


def test_a_scene_sent_to_another_process_takes_no_pixels_along(scene) -> None:
    before = len(pickle.dumps(scene))
    scene.read(Window(0, 0, 4, 4))
    sent = pickle.dumps(scene)
    assert len(sent) == before
    assert pickle.loads(sent) == scene
    assert np.array_equal(pickle.loads(sent).read_mask(Window(0, 0, HEIGHT, WIDTH)), MASK)


def test_a_scene_without_labels_is_cut_with_nothing_labelled(tmp_path) -> None:
    scene = prepared_scene(tmp_path, MASK, image=IMAGE, labelled=False)
    image, target, valid = scene.read(Window(-2, 0, 9, 9))
    assert scene.is_complete
    assert np.array_equal(image[2:].transpose(2, 0, 1), IMAGE[:, :7, :9])
    assert (target == IGNORE_INDEX).all()
    assert valid[2:].all()


@pytest.mark.parametrize("kind", ["image_path", "mask_path", "class_locations_path", "valid_path"])
def test_a_scene_that_lacks_a_file_is_not_whole(tmp_path, kind) -> None:
    scene = prepared_scene(tmp_path, MASK, image=IMAGE, valid=VALID)
    assert scene.is_complete
    getattr(scene, kind).unlink()
    assert not scene.is_complete


@pytest.fixture
def prepared(tmp_path) -> PreparedDataset:
    """A prepared folder of one labelled scene and one to adapt to."""
    scenes = (
        prepared_scene(tmp_path, MASK),
        prepared_scene(tmp_path, MASK, name="target", split="unlabelled", labelled=False),
    )
    return PreparedDataset(
        folder=tmp_path,
        digest="abc",
        sources="def",
        declaration={"dataset": "folder", "values": {"a": [1, 2]}},
        legend=Legend.of({"a": None}),
        bands=("red",),
        dtype="uint8",
        gsd=None,
        statistics=(BandStatistics("red", 1.5, 0.5, 0.0, 9.0),),
        all_scenes=scenes,
        about={"licence": "for everybody"},
    )


def test_a_saved_folder_is_loaded_as_it_was(prepared) -> None:
    prepared.save()
    assert PreparedDataset.load(prepared.folder) == prepared


def test_a_folder_that_was_not_finished_is_not_there(prepared, tmp_path) -> None:
    assert PreparedDataset.load(tmp_path / "nowhere") is None
    assert PreparedDataset.load(tmp_path) is None
    prepared.save()
    text = (tmp_path / MANIFEST_NAME).read_text()
    older = json.dumps(json.loads(text) | {"format": 1})
    for broken in (text[: len(text) // 2], "[]", "{}", text.replace('"height"', '"hight"'), older):
        (tmp_path / MANIFEST_NAME).write_text(broken)
        assert PreparedDataset.load(tmp_path) is None


def test_saving_leaves_nothing_but_the_manifest(prepared, tmp_path) -> None:
    prepared.save()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "images", MANIFEST_NAME, "masks"]


def test_a_split_without_scenes_is_refused(prepared) -> None:
    assert [scene.name for scene in prepared.scenes("train")] == ["scene"]
    with pytest.raises(DataError, match="no scene in the split 'val'"):
        prepared.scenes("val")


def test_classes_are_counted_over_the_labelled_scenes_of_a_split(prepared) -> None:
    assert prepared.class_pixels("train").tolist() == np.bincount(MASK.ravel()).tolist()
