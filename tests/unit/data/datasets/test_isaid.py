"""iSAID: images of DOTA and labels of iSAID come together, in all sizes; background is a class."""

import shutil

import numpy as np
import pytest
from helpers.archives import archive_section, isaid_archives

from geoseg.data.datasets.isaid import COUNTS, LEGEND, isaid
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError
from geoseg.raster.scene import Scene

NAMES = {"train": ["P0000", "P0010", "P0020", "P0030", "P0040"], "val": ["P0003", "P0013"], "test": ["P0006"]}
COUNT = {split: len(names) for split, names in NAMES.items()}


@pytest.fixture(params=[True, False], ids=["zipped", "unpacked"])
def archives(request, tmp_path):
    """A few images of every split."""
    return isaid_archives(tmp_path / "a", count=COUNT, zipped=request.param)


def named(dataset) -> dict[str, list[str]]:
    return {split: [scene.name for scene in scenes] for split, scenes in dataset.splits.items()}


def test_scenes_are_named_as_their_files_whatever_part_they_lie_in(archives) -> None:
    made = isaid(archives, complete=False)
    assert named(made) == NAMES
    assert made.bands == ("red", "green", "blue")
    assert made.remarks == ()
    for scene in (*made.scenes("train"), *made.scenes("val")):
        assert scene.image.name == f"{scene.name}.png"
        assert scene.label.name == f"{scene.name}_instance_color_RGB.png"
    assert [scene.label for scene in made.scenes("test")] == [None]


def test_prepared_labels_are_the_sixteen_classes_with_background_first(archives) -> None:
    prepared = prepare(archive_section("isaid", archives, complete=False), "x")
    assert prepared.legend.names[:3] == ("background", "ship", "store_tank")
    assert len(prepared.legend) == 16
    sources = {scene.name: scene for scenes in isaid(archives, complete=False).splits.values() for scene in scenes}
    for scene in (*prepared.scenes("train"), *prepared.scenes("val")):
        with Scene.open(sources[scene.name].label) as label:
            colours = label.read(label.grid.window).values.transpose(1, 2, 0)
        assert np.array_equal(LEGEND.draw(scene.mask), colours)
    assert (prepared.class_pixels() > 0).all()
    assert prepared.gsd is None


def test_zipped_and_unpacked_give_the_same_pixels(tmp_path) -> None:
    digests = set()
    for zipped in (True, False):
        root = isaid_archives(tmp_path / str(zipped), count=COUNT, zipped=zipped)
        digests.add(prepare(archive_section("isaid", root, complete=False), "x").digest)
    assert len(digests) == 1


def test_sizes_differ_and_stay_as_they_are(archives) -> None:
    prepared = prepare(archive_section("isaid", archives, complete=False), "x")
    assert {(scene.height, scene.width) for scene in prepared.all_scenes} == {(64, 64), (64, 80), (96, 64)}


@pytest.mark.parametrize("between", ["part1", "part1/images", "", "images/images"])
def test_whatever_folders_unpacking_leaves_images_are_found(tmp_path, between) -> None:
    isaid_archives(tmp_path, count=COUNT, zipped=False)
    for split in COUNT:
        unpacked, wanted = tmp_path / split / "images/images", tmp_path / split / "images" / between
        moved = shutil.move(unpacked, tmp_path / "moved")
        shutil.copytree(moved, wanted, dirs_exist_ok=True)
        shutil.rmtree(moved)
    assert named(isaid(tmp_path, complete=False)) == NAMES


def test_missing_images_are_counted(archives) -> None:
    with pytest.raises(
        DataError, match=f"{COUNTS['train'] - 5} of the 1411 images in the split train are missing"
    ) as error:
        isaid(archives)
    assert "data.complete=false" in error.value.hint


def test_images_of_dota_alone_are_refused(archives) -> None:
    shutil.rmtree(archives / "val/Semantic_masks")
    with pytest.raises(DataError, match="P0003, P0013 has no label val/Semantic_masks/P") as error:
        isaid(archives, complete=False)
    assert "val/Semantic_masks/images.zip" in error.value.hint


def test_labels_of_isaid_alone_are_refused(archives) -> None:
    shutil.rmtree(archives / "train/images")
    with pytest.raises(DataError, match=r"contains no images train/images/P\*.png"):
        isaid(archives, complete=False)


def test_the_test_split_may_be_left_away(archives) -> None:
    shutil.rmtree(archives / "test")
    assert set(isaid(archives, complete=False).splits) == {"train", "val"}


def test_labels_without_an_image_are_left_out_aloud(tmp_path) -> None:
    isaid_archives(tmp_path, count=COUNT, zipped=False)
    (tmp_path / "train/images/images/P0040.png").unlink()
    made = isaid(tmp_path, complete=False)
    assert made.remarks == ("labels without an image, ignored: P0040",)
    assert named(made)["train"] == NAMES["train"][:4]


def test_an_image_without_its_label_is_refused_and_named(tmp_path) -> None:
    isaid_archives(tmp_path, count=COUNT, zipped=False)
    (tmp_path / "train/Semantic_masks/images/P0040_instance_color_RGB.png").unlink()
    with pytest.raises(DataError, match=r"^P0040 has no label train/Semantic_masks/P"):
        isaid(tmp_path, complete=False)
