"""Vaihingen: images and labels that bear the same names are told apart, and the published splits come out."""

import numpy as np
import pytest
from helpers.archives import (
    BANDS,
    DARK,
    VAIHINGEN_ARCHIVES,
    VAIHINGEN_AREAS,
    archive_section,
    painted,
    vaihingen_archives,
)

from geoseg.data.datasets.vaihingen import TRAIN, VAL, vaihingen
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.archive import is_zip_member
from geoseg.raster.scene import Scene

SIZE = 32


@pytest.fixture(scope="module", params=["zipped", "unpacked"])
def everything(request, tmp_path_factory):
    """Every archive of Vaihingen: images, surface models and labels of every kind."""
    root = tmp_path_factory.mktemp(request.param)
    return vaihingen_archives(root, size=SIZE, zipped=request.param == "zipped", kinds=VAIHINGEN_ARCHIVES)


def test_the_published_splits_are_16_and_17_of_the_33_areas(everything) -> None:
    assert (len(TRAIN), len(VAL)) == (16, 17)
    assert {(str(area),) for area in VAIHINGEN_AREAS} == TRAIN | VAL
    made = vaihingen(everything)
    numbers = {split: [int(scene.name.removeprefix("area")) for scene in made.scenes(split)] for split in made.splits}
    assert numbers["train"] == [1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37]
    assert numbers["val"] == [2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38]


@pytest.mark.parametrize("labels", ["no_boundary", "full"])
def test_images_are_never_taken_for_labels_nor_labels_for_images(everything, labels) -> None:
    made = vaihingen(everything, labels)
    assert made.bands == ("nir", "red", "green")
    for scene in (*made.scenes("train"), *made.scenes("val")):
        assert "top" in scene.image.parts
        assert "top" not in scene.label.parts
        assert "dsm" not in (*scene.image.parts, *scene.label.parts)
        assert ("_noBoundary" in scene.label.name) == (labels == "no_boundary")


def test_prepared_pixels_and_labels_are_those_of_the_files(everything) -> None:
    full, eroded = (prepare(archive_section("vaihingen", everything, labels=k), k) for k in ("full", "no_boundary"))
    for whole, scene in zip(full.all_scenes, eroded.all_scenes, strict=True):
        key = ("vaihingen", int(scene.name.removeprefix("area")))
        mask, spectrum = painted(key, SIZE, SIZE, 6, side=SIZE // 8, brightness=DARK)
        assert np.array_equal(scene.image.transpose(2, 0, 1), spectrum[BANDS["irrg"]])
        assert np.array_equal(whole.mask, mask)
        kept = scene.mask != IGNORE_INDEX
        assert 0.4 < kept.mean() < 1
        assert np.array_equal(scene.mask[kept], mask[kept])


def test_scenes_are_placed_by_their_world_files_and_have_the_published_gsd(everything) -> None:
    prepared = prepare(archive_section("vaihingen", everything), "placed")
    assert prepared.gsd == 0.09
    with Scene.open(prepared.all_scenes[0].image_path) as scene:
        assert scene.grid.transform.almost_equals((0.09, 0, 496_900, 0, -0.09, 5_420_000), precision=1e-4)


def test_labels_of_an_area_without_an_image_are_left_out_aloud(everything) -> None:
    assert vaihingen(everything).remarks == ("labels without an image, ignored: area9",)
    assert vaihingen(everything, "full").remarks == ()


def test_a_file_that_lies_there_zipped_and_unpacked_counts_once(tmp_path) -> None:
    for zipped in (True, False):
        vaihingen_archives(tmp_path, size=SIZE, zipped=zipped)
    made = vaihingen(tmp_path)
    assert [len(scenes) for scenes in made.splits.values()] == [16, 17]
    assert not any(is_zip_member(path) for scene in made.scenes("val") for path in (scene.image, scene.label))


def test_missing_areas_are_counted_and_named(tmp_path) -> None:
    vaihingen_archives(tmp_path, size=8, areas=VAIHINGEN_AREAS[2:])
    with pytest.raises(DataError, match=r"2 of 33 images are missing: area1, area2$"):
        vaihingen(tmp_path)
    assert len(vaihingen(tmp_path, complete=False).scenes("train")) == 15


def test_images_without_any_labels_are_refused(tmp_path) -> None:
    vaihingen_archives(tmp_path, size=8, kinds=["images", "full"])
    with pytest.raises(DataError, match=r"has no label top_mosaic_09cm_area\*_noBoundary.tif") as error:
        vaihingen(tmp_path)
    assert error.value.hint == "put the label archive into the folder with the images"


def test_labels_without_images_are_no_images(tmp_path) -> None:
    vaihingen_archives(tmp_path, size=8, kinds=["full", "no_boundary"])
    with pytest.raises(DataError, match=r"contains no images top/top_mosaic_09cm_area\*.tif"):
        vaihingen(tmp_path)
