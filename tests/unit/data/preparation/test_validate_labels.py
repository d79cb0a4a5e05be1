"""Label lint: what training would be refused for is an error, what may be meant so is a remark, and nothing is converted."""

import shutil

import numpy as np
import pytest
from helpers.archives import POTSDAM_TILES, archive_section, loveda_archives, potsdam_archives, vaihingen_archives
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import UTM, make_raster, noise

from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.validate_labels import validate_labels
from geoseg.errors import DataError
from geoseg.legend import IGNORE_INDEX

MASK = striped(12, 16)


def images_apart(root, names=("a", "b")):
    """A labelled folder whose images differ."""
    for number, name in enumerate(names):
        labelled_folder(root, names=(name,), image=noise(3, 12, 16, low=1) // (number + 1) + 1)
    return root


def errors(found) -> list[str]:
    return [*found.errors, *(error for scene in found.scenes for error in scene.errors)]


def remarks(found) -> list[str]:
    return [*found.remarks, *(remark for scene in found.scenes for remark in scene.remarks)]


def test_good_files_give_no_errors_and_the_shares_of_their_classes(tmp_path) -> None:
    found = validate_labels(data_section(images_apart(tmp_path)))
    assert (errors(found), remarks(found), found.error_count) == ([], [], 0)
    assert found.class_pixels("train").tolist() == np.bincount(MASK.ravel()).tolist()
    header, rows = found.table()
    assert header == ["class", "train (1 scene)", "val (1 scene)"]
    assert [row[0] for row in rows] == ["one", "two", "three", "(not labeled)"]
    assert rows[-1] == ["(not labeled)", "0.00%", "0.00%"]


def test_nothing_is_converted_and_nothing_written(tmp_path) -> None:
    before = sorted(images_apart(tmp_path).rglob("*"))
    validate_labels(data_section(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("allowed", [0.0, 0.05])
def test_undeclared_values_are_an_error_unless_so_many_are_allowed(tmp_path, allowed) -> None:
    label = MASK.copy()
    label[0, :6] = 77
    images_apart(tmp_path)
    make_raster(tmp_path / "labels/b.tif", label[None], **UTM)
    found = validate_labels(data_section(tmp_path, unknown_share=allowed))
    (sentence,) = (errors if allowed == 0 else remarks)(found)
    assert sentence.endswith("labels/b.tif: 3.12% of the pixels are not in the legend: 77 (3.12%)")
    assert found.error_count == (allowed == 0)


def test_one_bad_scene_does_not_hide_the_others(tmp_path) -> None:
    images_apart(tmp_path, names="abc")
    make_raster(tmp_path / "labels/a.tif", MASK[None, :-1], **UTM)
    (tmp_path / "images/b.tif").write_bytes(b"nothing")
    found = validate_labels(data_section(tmp_path, splits={"train": ["a", "b"], "val": "c"}))
    assert [len(scene.errors) for scene in found.scenes] == [1, 1, 0]
    assert found.scenes[2].class_pixels == tuple(np.bincount(MASK.ravel()))


def test_the_same_image_in_training_and_validation_is_an_error_whatever_it_is_called(tmp_path) -> None:
    labelled_folder(tmp_path)
    found = validate_labels(data_section(tmp_path))
    assert found.errors == ("b in the split val is the same image as a in the split train",)


def test_the_same_image_is_found_in_zips(tmp_path) -> None:
    twin = labelled_folder(tmp_path / "twin") / "images/a.tif"
    same = {(2, 10): twin.read_bytes(), (7, 13): twin.read_bytes()}
    root = potsdam_archives(tmp_path / "a", content=lambda kind, tile: same.get(tile) if kind == "rgb" else None)
    assert (
        "7_13 in the split val is the same image as 2_10 in the split train"
        in validate_labels(archive_section("potsdam", root)).errors
    )


def test_classes_that_no_pixel_shows_and_labels_of_nothing_are_remarks(tmp_path) -> None:
    images_apart(tmp_path, names="abc")
    make_raster(tmp_path / "labels/b.tif", np.full((1, 12, 16), IGNORE_INDEX, np.uint8), **UTM, nodata=255)
    make_raster(tmp_path / "labels/c.tif", np.where(MASK == 2, 0, MASK)[None].astype(np.uint8), **UTM)
    found = validate_labels(data_section(tmp_path, splits={"train": ["a", "b"], "val": "c"}))
    assert found.error_count == 0
    assert found.remarks == ("no pixel in the split val is labeled three",)
    assert [len(scene.remarks) for scene in found.scenes] == [0, 1, 0]
    assert found.scenes[1].unlabelled_share == 1


def test_missing_tiles_are_an_error_and_the_others_are_checked(tmp_path) -> None:
    root = potsdam_archives(tmp_path / "a", size=16, tiles=POTSDAM_TILES[1:])
    found = validate_labels(archive_section("potsdam", root))
    assert found.errors == ("1 of 38 images are missing: 2_10",)
    assert len(found.scenes) == 37


def test_remarks_of_the_dataset_are_passed_on(tmp_path) -> None:
    found = validate_labels(archive_section("vaihingen", vaihingen_archives(tmp_path / "a", size=16)))
    assert "labels without an image, ignored: area9" in found.remarks


def test_scenes_without_labels_have_a_size_and_nothing_else(tmp_path) -> None:
    found = validate_labels(archive_section("loveda", loveda_archives(tmp_path / "a", size=16), complete=False))
    tests = [scene for scene in found.scenes if scene.split == "test"]
    assert {(scene.shape, scene.class_pixels) for scene in tests} == {((16, 16), ())}
    assert found.table()[1][0][-1] == "-"
    assert found.error_count == 0


def test_a_prepared_folder_can_be_checked_too(tmp_path) -> None:
    section = data_section(images_apart(tmp_path))
    made = prepare(section, "x")
    shutil.rmtree(tmp_path / "images")
    found = validate_labels(section.model_copy(update={"root": made.folder}))
    assert found.error_count == 0
    assert found.class_pixels("train").tolist() == made.class_pixels("train").tolist()


def test_what_cannot_even_be_found_is_an_error_of_its_own(tmp_path) -> None:
    with pytest.raises(DataError, match="contains no images"):
        validate_labels(archive_section("potsdam", tmp_path))
