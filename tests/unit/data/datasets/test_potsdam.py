"""Potsdam: the published tiles and splits, from archives of every kind, zipped or not."""

import numpy as np
import pytest
from helpers.archives import (
    BANDS,
    POTSDAM_ARCHIVES,
    POTSDAM_TILES,
    archive_section,
    painted,
    potsdam_archives,
    potsdam_place,
    tiff,
)

from geoseg.data.datasets.potsdam import TRAIN, VAL, potsdam
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.archive import is_zip_member
from geoseg.raster.scene import Scene

SIZE = 32
OPENMMLAB_VAL = {
    *("5_15", "6_15", "6_13", "3_13", "4_14", "6_14", "5_14"),
    *("2_13", "4_15", "2_14", "5_13", "4_13", "3_14", "7_13"),
}
"""The list of OpenMMLab's converter."""


@pytest.fixture(scope="module", params=["zipped", "unpacked"])
def everything(request, tmp_path_factory):
    """Every archive of Potsdam."""
    root = tmp_path_factory.mktemp(request.param)
    return potsdam_archives(root, size=SIZE, zipped=request.param == "zipped", kinds=POTSDAM_ARCHIVES)


def test_the_published_splits_are_24_and_14_of_the_38_tiles() -> None:
    assert (len(TRAIN), len(VAL)) == (24, 14)
    assert {(str(row), str(col)) for row, col in POTSDAM_TILES} == TRAIN | VAL
    assert not TRAIN & VAL


def test_scenes_are_named_after_row_and_column_and_come_in_their_order(everything) -> None:
    for split, published in (("train", TRAIN), ("val", VAL)):
        names = [scene.name for scene in potsdam(everything).scenes(split)]
        assert names == [f"{row}_{col}" for row, col in POTSDAM_TILES if (str(row), str(col)) in published]
    assert set(names) == OPENMMLAB_VAL


@pytest.mark.parametrize("kind", BANDS)
@pytest.mark.parametrize("labels", ["no_boundary", "full"])
def test_each_kind_of_image_has_its_own_labels_and_band_names(everything, kind, labels) -> None:
    made = potsdam(everything, kind, labels)
    names = {"rgb": ("red", "green", "blue"), "irrg": ("nir", "red", "green"), "rgbir": ("red", "green", "blue", "nir")}
    assert made.bands == names[kind]
    for split in ("train", "val"):
        for scene in made.scenes(split):
            ending = "_noBoundary" if labels == "no_boundary" else ""
            assert scene.image.name == f"top_potsdam_{scene.name}_{kind.upper()}.tif"
            assert scene.label.name == f"top_potsdam_{scene.name}_label{ending}.tif"
            assert scene.gsd == 0.05


@pytest.mark.parametrize("kind", BANDS)
def test_prepared_pixels_and_labels_are_those_of_the_files(everything, kind) -> None:
    prepared = prepare(archive_section("potsdam", everything, images=kind, labels="full"), kind)
    assert prepared.legend.names == ("impervious_surface", "building", "low_vegetation", "tree", "car", "clutter")
    for scene in prepared.all_scenes:
        mask, spectrum = painted(("potsdam", *map(int, scene.name.split("_"))), SIZE, SIZE, 6, side=SIZE // 8)
        assert np.array_equal(scene.image.transpose(2, 0, 1), spectrum[BANDS[kind]])
        assert np.array_equal(scene.mask, mask)
        assert scene.valid is None


def test_boundaries_are_not_labelled_and_nothing_else_is_lost(everything) -> None:
    prepared = prepare(archive_section("potsdam", everything), "eroded")
    full = prepare(archive_section("potsdam", everything, labels="full"), "full")
    for eroded, whole in zip(prepared.all_scenes, full.all_scenes, strict=True):
        lost = eroded.mask != whole.mask
        assert 0 < lost.mean() < 0.6
        assert (eroded.mask[lost] == IGNORE_INDEX).all()
        assert eroded.unknown == ""


@pytest.mark.parametrize("place", ["tfw", "crs"])
@pytest.mark.parametrize("zipped", [True, False])
def test_prepared_scenes_lie_where_the_files_lie(tmp_path, place, zipped) -> None:
    archives = potsdam_archives(tmp_path / "a", size=SIZE, zipped=zipped, place=place, tiles=[(2, 10), (7, 13)])
    prepared = prepare(archive_section("potsdam", archives, complete=False), "x")
    assert prepared.gsd == pytest.approx(0.05, rel=1e-3)
    for scene in prepared.all_scenes:
        with Scene.open(scene.image_path) as image, Scene.open(scene.mask_path) as mask:
            expected = potsdam_place(tuple(map(int, scene.name.split("_"))), SIZE)
            assert image.grid.transform.almost_equals(expected, precision=1e-4)
            assert mask.grid.matches(image.grid)
            assert (image.grid.crs is None) == (place == "tfw")


def test_a_file_that_lies_there_zipped_and_unpacked_counts_once_and_is_read_unpacked(tmp_path) -> None:
    for zipped in (True, False):
        potsdam_archives(tmp_path, size=SIZE, zipped=zipped)
    made = potsdam(tmp_path)
    assert [len(scenes) for scenes in made.splits.values()] == [24, 14]
    assert not any(is_zip_member(path) for scene in made.scenes("val") for path in (scene.image, scene.label))


def test_labels_of_the_participants_come_before_those_of_all(everything) -> None:
    made = potsdam(everything, labels="full")
    assert all("participants" in str(scene.label) for scene in made.scenes("train"))
    assert not any("participants" in str(scene.label) for scene in made.scenes("val"))


def test_missing_tiles_are_counted_and_named(tmp_path) -> None:
    potsdam_archives(tmp_path, size=8, tiles=POTSDAM_TILES[5:])
    message = r"5 of 38 images are missing: 2_10, 2_11, 2_12, 2_13 and 1 more"
    with pytest.raises(DataError, match=message) as error:
        potsdam(tmp_path)
    assert "data.complete=false" in error.value.hint
    assert [len(scenes) for scenes in potsdam(tmp_path, complete=False).splits.values()] == [21, 12]


def test_another_kind_of_image_is_answered_with_the_kind_that_is_there(tmp_path) -> None:
    potsdam_archives(tmp_path, size=8, kinds=["irrg", "no_boundary"])
    with pytest.raises(DataError, match=r"contains no images top_potsdam_\*_RGB.tif") as error:
        potsdam(tmp_path)
    assert error.value.hint.endswith("of type irrg: use --set data.images=irrg")


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="contains no images") as error:
        potsdam(tmp_path)
    assert error.value.hint == "check the name of the folder"


@pytest.mark.parametrize("complete", [True, False])
def test_labels_that_are_missing_altogether_are_refused(tmp_path, complete) -> None:
    potsdam_archives(tmp_path, size=8, kinds=["rgb", "full"])
    with pytest.raises(DataError, match=r"and 34 more has no label top_potsdam_\*_label_noBoundary.tif"):
        potsdam(tmp_path, complete=complete)


def test_a_tile_without_a_label_is_refused_or_left_out_aloud(tmp_path) -> None:
    potsdam_archives(tmp_path, size=8, kinds=["rgb"])
    potsdam_archives(tmp_path, size=8, kinds=["no_boundary"], tiles=POTSDAM_TILES[1:])
    with pytest.raises(DataError, match="2_10 has no label"):
        potsdam(tmp_path)
    made = potsdam(tmp_path, complete=False)
    assert made.remarks == ("images without a label: 2_10",)
    assert len(made.scenes("train")) == 23


def test_an_infrared_band_that_is_marked_as_alpha_and_even_all_over_is_a_band(tmp_path) -> None:
    flat = np.full((4, 16, 16), 90, np.uint8)
    content = {"rgbir": tiff(flat), "no_boundary": tiff(np.full((3, 16, 16), 255, np.uint8))}
    potsdam_archives(tmp_path / "a", kinds=content, content=lambda kind, _: content[kind])
    prepared = prepare(archive_section("potsdam", tmp_path / "a", images="rgbir"), "x")
    assert np.array_equal(prepared.all_scenes[0].image, flat.transpose(1, 2, 0))
    with Scene.open(prepared.all_scenes[0].image_path) as scene:  # nor does the prepared file say otherwise
        assert len(scene.bands) == 4
