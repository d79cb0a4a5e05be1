"""Preparing: what lies in the folder afterwards is what the source files say, and old folders are never mistaken."""

import hashlib
import json
import logging
import os
import shutil
from contextlib import closing

import numpy as np
import pytest
from affine import Affine
from helpers.prepared import TRANSFORM, data_section, labelled_folder, striped
from helpers.rasters import UTM, make_raster, noise
from rasterio.enums import ColorInterp

from geoseg.config.load import load_recipe, to_yaml
from geoseg.config.recipe import DataSection, Recipe
from geoseg.data.label_reader import LabelReader
from geoseg.data.preparation import convert_scene as convert_module
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.prepared_dataset import FORMAT_VERSION
from geoseg.errors import ConfigError, DataError, GeosegError, OutputError, SceneError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

MASK = striped(12, 16)
IMAGE = noise(3, 12, 16, low=1)


@pytest.mark.parametrize("rows", [1, 5, 512])
def test_prepared_scenes_hold_the_pixels_and_labels_of_the_files(tmp_path, monkeypatch, rows) -> None:
    monkeypatch.setattr(convert_module, "STRIP_ROWS", rows)
    prepared = prepare(data_section(labelled_folder(tmp_path)), "mine")
    for scene in prepared.all_scenes:
        assert np.array_equal(scene.image.transpose(2, 0, 1), IMAGE)
        assert np.array_equal(scene.mask, MASK)
        assert scene.valid is None
        assert scene.class_pixels == tuple(np.bincount(MASK.ravel()))
    assert [(scene.name, scene.split) for scene in prepared.all_scenes] == [("a", "train"), ("b", "val")]


def test_prepared_images_open_like_any_other_and_lie_in_place(tmp_path) -> None:
    prepared = prepare(data_section(labelled_folder(tmp_path)), "mine")
    for path in (prepared.all_scenes[0].image_path, prepared.all_scenes[0].mask_path):
        with Scene.open(path) as scene, Scene.open(tmp_path / "images/a.tif") as source:
            assert scene.grid.matches(source.grid)


def test_statistics_are_those_of_the_training_scenes_alone(tmp_path) -> None:
    labelled_folder(tmp_path, names=("a",))
    labelled_folder(tmp_path, names=("b",), image=np.full_like(IMAGE, 255))
    statistics = prepare(data_section(tmp_path), "mine").statistics
    assert [band.mean for band in statistics] == pytest.approx(IMAGE.mean(axis=(1, 2)))
    assert [band.std for band in statistics] == pytest.approx(IMAGE.std(axis=(1, 2)))
    assert [band.maximum for band in statistics] == IMAGE.max(axis=(1, 2)).tolist()


def test_nodata_in_the_image_is_not_labelled_and_not_valid(tmp_path) -> None:
    valid = noise(12, 16, low=0, high=3) > 0
    prepared = prepare(
        data_section(labelled_folder(tmp_path, image=IMAGE * valid, image_profile={"nodata": 0})), "mine"
    )
    scene = prepared.scenes("train")[0]
    assert np.array_equal(scene.mask, np.where(valid, MASK, IGNORE_INDEX))
    assert np.array_equal(scene.valid > 0, valid)
    assert scene.valid_pixels == valid.sum()
    assert prepared.statistics[0].mean == pytest.approx(IMAGE[0][valid].mean())


def test_nodata_in_the_label_is_not_labelled(tmp_path) -> None:
    label = np.where(MASK == 2, 99, MASK).astype(np.uint8)
    prepared = prepare(data_section(labelled_folder(tmp_path, label=label, label_profile={"nodata": 99})), "mine")
    assert np.array_equal(prepared.all_scenes[0].mask, np.where(MASK == 2, IGNORE_INDEX, MASK))
    assert prepared.all_scenes[0].unknown == ""


def test_bands_are_chosen_by_name_and_in_order(tmp_path) -> None:
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    labelled_folder(tmp_path)
    for name in "ab":
        make_raster(tmp_path / f"images/{name}.tif", IMAGE, **UTM, colours=colours)
    prepared = prepare(data_section(tmp_path, bands=["blue", "red"]), "mine")
    assert prepared.bands == ("blue", "red")
    assert np.array_equal(prepared.all_scenes[0].image.transpose(2, 0, 1), IMAGE[[2, 0]])
    with pytest.raises(SceneError, match="no band 'rad'"):
        prepare(data_section(tmp_path, bands=["rad"]), "mine")


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_pixels_keep_their_type(tmp_path, dtype) -> None:
    prepared = prepare(data_section(labelled_folder(tmp_path, image=IMAGE.astype(dtype))), "mine")
    assert prepared.dtype == prepared.all_scenes[0].image.dtype.name == dtype


@pytest.mark.parametrize(("gsd", "shape"), [(1.0, (24, 32)), (0.25, (96, 128)), (0.55, (48, 64)), (None, (48, 64))])
def test_scenes_are_resampled_to_the_wanted_gsd_unless_they_are_near(tmp_path, gsd, shape) -> None:
    labelled_folder(tmp_path, label=striped(48, 64, side=8))
    prepared = prepare(data_section(tmp_path, gsd=gsd), "mine")
    scene = prepared.all_scenes[0]
    assert (scene.height, scene.width) == scene.mask.shape == scene.image.shape[:2] == shape
    assert scene.gsd == prepared.gsd == pytest.approx(0.5 * 48 / shape[0], rel=1e-3)


@pytest.mark.parametrize("gsd", [0.2, 0.75, 1.3])
@pytest.mark.parametrize("rows", [9, 512])
def test_resampled_labels_stay_under_their_image(tmp_path, monkeypatch, gsd, rows) -> None:
    monkeypatch.setattr(convert_module, "STRIP_ROWS", rows)
    mask = striped(96, 96, side=24)
    labelled_folder(tmp_path, label=mask, image=np.stack([50 + 50 * mask] * 3).astype(np.uint8))
    scene = prepare(data_section(tmp_path, gsd=gsd), "mine").all_scenes[0]
    shown = (scene.image[..., 0].astype(int) - 50) / 50
    off = np.abs(shown - scene.mask) > 0.5
    assert set(np.unique(scene.mask)) == {0, 1, 2}
    assert off.mean() < 0.03  # borders may fall half a pixel beside


@pytest.mark.parametrize("gsd", [1.7, 0.3])
def test_resampled_rows_lie_where_they_lay(tmp_path, gsd) -> None:
    height = 1500
    image = (np.indices((height, 3))[0] + 0.5).astype(np.float32)[None]
    labelled_folder(tmp_path, label=striped(height, 3, side=1), image=image)
    scene = prepare(data_section(tmp_path, gsd=gsd), "mine").all_scenes[0]
    expected = (np.arange(scene.height) + 0.5) * height / scene.height
    assert np.abs(scene.image[:, 0, 0] - expected).max() <= 1


def test_a_folder_is_made_once(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    first = prepare(section, "mine")
    before = first.all_scenes[0].image_path.stat().st_mtime_ns
    assert prepare(section, "mine") == first
    assert first.all_scenes[0].image_path.stat().st_mtime_ns == before
    assert len(list(section.prepared.iterdir())) == 1


def test_a_folder_that_was_not_finished_is_made_again(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    first = prepare(section, "mine")
    (first.folder / "manifest.json").unlink()
    first.all_scenes[0].mask_path.unlink()
    assert np.array_equal(prepare(section, "mine").all_scenes[0].mask, MASK)


def test_a_changed_label_file_gives_another_digest(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    first = prepare(section, "mine")
    make_raster(tmp_path / "labels/a.tif", (2 - MASK)[None], **UTM)
    os.utime(tmp_path / "labels/a.tif", ns=(1, 1))
    second = prepare(section, "mine")
    assert second.digest != first.digest
    assert np.array_equal(second.all_scenes[0].mask, 2 - MASK)


MEANINGS = {"one": [0], "two": [1], "three": [2]}
"""Pixel values of the label files by class, whatever the order of the legend."""


def ordered_section(root, *names):
    """A section whose legend is a mapping in the order of ``names``."""
    return data_section(root, legend=dict.fromkeys(names), values=MEANINGS)


def forget_the_order(folder):
    """Make the records those of a version whose digest did not tell the order of a legend."""
    manifest = json.loads((folder / "manifest.json").read_text())
    declared = [FORMAT_VERSION, manifest["declaration"], manifest["bands"], manifest["dtype"]]
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
    for path in (folder / "records").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "declared": digest}))


@pytest.mark.parametrize("older", [False, True])
def test_a_legend_in_another_order_is_prepared_again(tmp_path, older) -> None:
    labelled_folder(tmp_path)
    first = prepare(ordered_section(tmp_path, "one", "two", "three"), "mine")
    if older:
        forget_the_order(first.folder)
    second = prepare(ordered_section(tmp_path, "three", "two", "one"), "mine")
    assert second.legend.names == ("three", "two", "one")
    for scene in second.all_scenes:
        assert np.array_equal(scene.mask, 2 - MASK)
    assert second.digest != first.digest


@pytest.mark.parametrize("older", [False, True])
def test_with_its_legend_in_the_same_order_a_folder_is_not_converted_again(tmp_path, monkeypatch, older) -> None:
    labelled_folder(tmp_path)
    section = ordered_section(tmp_path, "two", "one", "three")
    first = prepare(section, "mine")
    if older:
        forget_the_order(first.folder)
    names = converted_names(monkeypatch)
    assert prepare(section, "mine") == first
    make_raster(tmp_path / "labels/b.tif", (2 - MASK)[None], **UTM)
    prepare(section, "mine")
    assert names == ["b"]


def test_a_prepared_folder_is_refused_as_root_for_a_legend_in_another_order(tmp_path) -> None:
    labelled_folder(tmp_path)
    folder = prepare(ordered_section(tmp_path, "one", "two", "three"), "mine").folder
    section = ordered_section(tmp_path, "three", "two", "one").model_copy(update={"root": folder})
    with pytest.raises(DataError, match=r"was prepared with data\.legend"):
        prepare(section, "mine")


def test_a_changed_list_of_scenes_gives_another_digest(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path, names=("a", "b", "c")), splits={"train": "list.txt", "val": "b"})
    digests = set()
    for names in ("a", "a\nc", "c"):
        (tmp_path / "list.txt").write_text(names)
        digests.add(prepare(section, "mine").digest)
    assert len(digests) == 3


def test_bands_in_another_order_are_found_by_their_names(tmp_path) -> None:
    red, green, blue = ColorInterp.red, ColorInterp.green, ColorInterp.blue
    labelled_folder(tmp_path)
    make_raster(tmp_path / "images/a.tif", IMAGE, **UTM, colours=[red, green, blue])
    make_raster(tmp_path / "images/b.tif", IMAGE[::-1], **UTM, colours=[blue, green, red])
    images = [scene.image for scene in prepare(data_section(tmp_path), "mine").all_scenes]
    assert np.array_equal(*images)


@pytest.mark.parametrize("change", [{"ignore": [7]}, {"gsd": 1.0}, {"legend": ["uno", "due", "tre"]}, {"bands": None}])
def test_another_declaration_gives_another_folder(tmp_path, change) -> None:
    labelled_folder(tmp_path)
    same = change == {"bands": None}
    folders = {prepare(data_section(tmp_path, **each), "x").folder for each in ({}, change)}
    assert (len(folders) == 1) == same


def test_names_with_slashes_and_spaces_become_files_of_their_own(tmp_path) -> None:
    for name, value in {"Tile 1/part": 0, "Tile_1/part": 1, "Tile 1_part": 2}.items():
        group, _, part = name.rpartition("/")
        root = tmp_path / "all" / (group or "x")
        labelled_folder(root, names=(part,), label=np.full((4, 4), value, np.uint8))
    options = {"images": "all/{group}/images/{name}.tif", "labels": "all/{group}/labels/{name}.tif"}
    prepared = prepare(data_section(tmp_path, **options, splits={"train": "*"}), "mine")
    assert {scene.name: int(scene.mask[0, 0]) for scene in prepared.all_scenes} == {
        "Tile 1/part": 0, "Tile_1/part": 1, "x/Tile 1_part": 2,
    }  # fmt: skip


def test_sizes_that_differ_are_refused_in_one_sentence(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path, image=noise(3, 12, 17)))
    with pytest.raises(DataError, match=r"labels/a.tif has 12 x 16 pixels, but its image has 12 x 17$"):
        prepare(section, "mine")


def test_unknown_values_are_refused_above_the_share_that_is_allowed(tmp_path, caplog) -> None:
    label = MASK.copy()
    label[0, :3] = 77  # 3 of 192 pixels: 1.56 %
    labelled_folder(tmp_path, label=label)
    with pytest.raises(
        DataError, match=r"labels/a.tif: 1.56% of the pixels are not in the legend: 77 \(1.56%\)"
    ) as error:
        prepare(data_section(tmp_path), "mine")
    assert "data.unknown_share" in error.value.hint
    with caplog.at_level(logging.WARNING):
        scene = prepare(data_section(tmp_path, unknown_share=0.02), "mine").all_scenes[0]
    assert np.array_equal(scene.mask, np.where(label == 77, IGNORE_INDEX, label))
    assert scene.unknown == "77 (1.56%)"
    assert "read as not labeled: 77 (1.56%)" in caplog.text


def test_values_that_are_not_in_the_legend_are_said_once(tmp_path, caplog) -> None:
    labelled_folder(tmp_path)
    make_raster(tmp_path / "labels/b.tif", np.where(MASK == 1, 9, MASK).astype(np.uint8)[None], **UTM)
    section = data_section(tmp_path, unknown_share=0.5)
    for _ in range(2):
        caplog.clear()
        folder = prepare(section, "x").folder
        assert caplog.text.count("labels/b.tif: not in the legend") == 1
        (folder / "manifest.json").unlink()  # the next run uses the records


@pytest.mark.parametrize(
    ("options", "profile", "is_said"),
    [
        ({}, {}, True),
        ({"ignore": [255]}, {}, False),
        ({}, {"nodata": 255}, False),
        ({"values": {"two": [255]}}, {}, False),
    ],
)
def test_an_undeclared_255_is_said_with_its_number(tmp_path, caplog, options, profile, is_said) -> None:
    """255 stays "not labeled" in recipes, as in most data sets, but not without a word."""
    label = np.where(MASK == 1, 255, MASK)
    section = data_section(labelled_folder(tmp_path, label=label, label_profile=profile), **options)
    with caplog.at_level(logging.WARNING):
        scene = prepare(section, "mine").all_scenes[0]
    number = int((label == 255).sum())
    assert (f"{2 * number} pixels with the value 255 are read as not labeled" in caplog.text) == is_said
    assert scene.class_pixels[1] == (number if "values" in options else 0)


def test_a_split_without_a_labeled_pixel_of_a_class_is_said_each_time(tmp_path, caplog) -> None:
    labelled_folder(tmp_path, names=("a",))
    labelled_folder(tmp_path, names=("b",), label=np.where(MASK == 2, 0, MASK).astype(np.uint8))
    for _ in range(2):  # prepared, and found
        caplog.clear()
        prepared = prepare(data_section(tmp_path), "mine")
        assert prepared.class_pixels("val")[2] == 0
        name = prepared.legend.names[2]
        assert f"the split 'val' has no labeled pixel of {name}: they have no score" in caplog.text
        assert "the split 'train'" not in caplog.text


def test_a_failure_leaves_no_folder_that_looks_finished(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path, image=noise(3, 12, 17)))
    for _ in range(2):
        with pytest.raises(DataError, match="its image has 12 x 17"):
            prepare(section, "mine")
    assert [path for path in section.prepared.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (noise(4, 12, 16), "has 4 bands, but the first scene has 3"),
        (IMAGE.astype("u2"), "is uint16, but the other scenes are uint8"),
    ],
)
def test_scenes_that_do_not_go_together_are_refused(tmp_path, second, message) -> None:
    labelled_folder(tmp_path)
    make_raster(tmp_path / "images/b.tif", second, **UTM)
    with pytest.raises(DataError, match=message) as error:
        prepare(data_section(tmp_path), "mine")
    assert error.value.hint


def test_training_scenes_without_any_label_are_refused(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path, label=np.full((12, 16), IGNORE_INDEX, np.uint8)))
    with pytest.raises(DataError, match="no pixel of the training scenes is labeled"):
        prepare(section, "mine")


def test_a_split_to_train_on_is_needed(tmp_path) -> None:
    with pytest.raises(DataError, match="no split 'train'"):
        prepare(data_section(labelled_folder(tmp_path), splits={"val": "*"}), "mine")


def test_data_without_a_root_is_refused(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path)).model_copy(update={"root": None})
    with pytest.raises(ConfigError, match=r"data\.root is missing"):
        open_dataset(section)


def test_an_option_the_dataset_does_not_know_is_answered_with_the_nearest(tmp_path) -> None:
    with pytest.raises(ConfigError, match="the dataset folder has no option 'lables'") as error:
        open_dataset(data_section(tmp_path, lables="x"))
    assert error.value.hint == "did you mean labels?"


def test_pictures_without_a_place_are_prepared_without_a_gsd(tmp_path) -> None:
    place = {"crs": None, "transform": TRANSFORM}
    prepared = prepare(
        data_section(labelled_folder(tmp_path, image_profile=place, label_profile=place), gsd=2.0), "mine"
    )
    assert prepared.all_scenes[0].gsd is None
    assert prepared.all_scenes[0].mask.shape == MASK.shape
    assert prepared.gsd == 2.0


def test_source_files_are_only_read(tmp_path) -> None:
    labelled_folder(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*.tif")}
    prepare(data_section(tmp_path), "mine")
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before}
    assert {path.name for path in tmp_path.iterdir()} == {"images", "labels", "prepared"}


def test_damaged_images_are_an_error_in_words(tmp_path) -> None:
    labelled_folder(tmp_path)
    whole = (tmp_path / "images/a.tif").read_bytes()
    (tmp_path / "images/a.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GeosegError, match=r"a\.tif"):
        prepare(data_section(tmp_path), "mine")


def test_a_changed_list_of_a_split_is_noticed(tmp_path) -> None:
    labelled_folder(tmp_path)
    section = data_section(tmp_path, splits={"train": "train.txt", "val": "val.txt"})
    for train, val in ("ab", "ba"):
        (tmp_path / "train.txt").write_text(train)
        (tmp_path / "val.txt").write_text(val)
        assert [scene.name for scene in prepare(section, "mine").scenes("train")] == [train]


def test_what_is_refused_half_way_keeps_finished_scenes_and_no_manifest(tmp_path, monkeypatch) -> None:
    labelled_folder(tmp_path, names=("a",))
    labelled_folder(tmp_path, names=("b",), label=np.where(MASK == 0, 77, MASK).astype(np.uint8))
    section = data_section(tmp_path)
    with pytest.raises(DataError, match="not in the legend"):
        prepare(section, "mine")
    (folder,) = section.prepared.iterdir()
    assert not (folder / "manifest.json").exists()
    monkeypatch.setattr("geoseg.data.preparation.conversion_pool.convert_scene", None)  # nothing is left to convert
    allowed = prepare(section.model_copy(update={"unknown_share": 1.0}), "mine")
    assert allowed.folder == folder
    assert len(allowed.all_scenes) == 2


def test_bands_in_another_order_are_taken_by_name(tmp_path) -> None:
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    labelled_folder(tmp_path)
    make_raster(tmp_path / "images/a.tif", IMAGE, **UTM, colours=colours)
    make_raster(tmp_path / "images/b.tif", IMAGE[::-1], **UTM, colours=colours[::-1])
    first, second = prepare(data_section(tmp_path), "mine").all_scenes
    assert np.array_equal(first.image, second.image)


def test_validation_scenes_without_any_label_are_refused(tmp_path) -> None:
    labelled_folder(tmp_path, names=("a",))
    labelled_folder(tmp_path, names=("b",), label=np.full((12, 16), IGNORE_INDEX, np.uint8))
    with pytest.raises(DataError, match="no pixel of the validation scenes is labeled"):
        prepare(data_section(tmp_path), "mine")


def test_a_place_where_nothing_can_be_prepared_is_one_sentence(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        prepare(data_section(labelled_folder(tmp_path), prepared=str(tmp_path / "file")), "mine")


def test_scenes_of_different_pixel_sizes_need_a_size_to_learn_at(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, gsd in (("fine", 0.5), ("coarse", 2.0)):
        place = {"crs": "EPSG:32633", "transform": Affine(gsd, 0, 4e5, 0, -gsd, 5.8e6)}
        make_raster(tmp_path / "images" / f"{name}.tif", noise(3, 40, 40), **place)
        make_raster(tmp_path / "labels" / f"{name}.tif", noise(1, 40, 40, high=2), **place)
    section = DataSection(
        root=tmp_path, images="images/{name}.tif", labels="labels/{name}.tif", legend=["field", "town"],
        splits={"train": ["fine", "coarse"]}, prepared=tmp_path / "prepared",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"0.5 m in fine and 2 m in coarse") as caught:
        prepare(section, "mixed")
    assert "--set data.gsd=2" in caught.value.hint
    assert not any((tmp_path / "prepared").iterdir())
    assert prepare(section.model_copy(update={"gsd": 2.0}), "mixed").gsd == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("gsd", [None, 0.8])
def test_compressed_scenes_are_the_same_scenes_in_less_room(tmp_path, gsd) -> None:
    mask = striped(600, 700, side=40)
    labelled_folder(tmp_path, label=mask, image=np.stack([50 + 50 * mask] * 4).astype(np.uint8))
    plain, small = (prepare(data_section(tmp_path, gsd=gsd, compress=compress), "x") for compress in (False, True))
    assert (plain.digest, plain.statistics) == (small.digest, small.statistics)
    window = Window(-9, 100, 300, 700)
    for one, other in zip(plain.all_scenes, small.all_scenes, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.read(window), other.read(window), strict=True))
        assert other.image_path.stat().st_size < one.image_path.stat().st_size / 2


def test_statistics_are_those_of_all_valid_training_pixels_together(tmp_path) -> None:
    valid = {"a": noise(12, 16, high=3) > 0, "b": noise(12, 16, high=2) > 0, "c": np.zeros((12, 16), bool)}
    images = {name: noise(3, 12, 16, low=1, high=100 + 50 * n) * valid[name] for n, name in enumerate(valid)}
    for name, image in images.items():
        labelled_folder(tmp_path, names=name, image=image, image_profile={"nodata": 0})
    section = data_section(tmp_path, splits={"train": ["a", "b", "c"]})
    expected = np.concatenate([images[name][:, valid[name]] for name in valid], axis=1).astype(float)
    for _ in range(2):  # converted, and from the records
        made = prepare(section, "x")
        for band, values in zip(made.statistics, expected, strict=True):
            found = (band.mean, band.std, band.minimum, band.maximum)
            assert found == pytest.approx((values.mean(), values.std(), values.min(), values.max()))
        (made.folder / "manifest.json").unlink()


def converted_names(monkeypatch) -> list[str]:
    """The names of the scenes that are converted from now on."""
    names = []
    monkeypatch.setattr(
        "geoseg.data.preparation.conversion_pool.convert_scene",
        lambda job: names.append(job.scene.name) or convert_module.convert_scene(job),
    )
    return names


def test_a_changed_file_is_all_that_is_converted_again(tmp_path, monkeypatch) -> None:
    section = data_section(labelled_folder(tmp_path, names="abc"), splits={"train": ["a", "b"], "val": "c"})
    prepare(section, "x")
    make_raster(tmp_path / "labels/b.tif", (2 - MASK)[None], **UTM)
    names = converted_names(monkeypatch)
    changed = prepare(section, "x")
    assert names == ["b"]
    assert np.array_equal(changed.scenes("train")[1].mask, 2 - MASK)


def test_files_of_scenes_that_are_gone_are_deleted(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path, names="abc"), splits={"train": ["*"]})
    folder = prepare(section, "x").folder
    for kind in ("images", "labels"):
        (tmp_path / kind / "c.tif").unlink()
    assert [scene.name for scene in prepare(section, "x").all_scenes] == ["a", "b"]
    assert [path for path in folder.rglob("*") if path.stem == "c"] == []


def test_scenes_that_another_version_prepared_are_prepared_again(tmp_path, monkeypatch) -> None:
    section = data_section(labelled_folder(tmp_path))
    prepare(section, "x")
    monkeypatch.setattr("geoseg.data.preparation.plan_conversions.FORMAT_VERSION", 99)
    monkeypatch.setattr("geoseg.data.preparation.prepared_dataset.FORMAT_VERSION", 99)
    names = converted_names(monkeypatch)
    prepare(section, "x")
    assert names == ["a", "b"]


def make_older(folder, *, stems=("a", "b"), whole=True) -> None:
    """Rewrite records and manifest as before pixel rules had a version, with pixels that the old rules read differently."""
    for stem in stems:
        record = folder / "records" / f"{stem}.json"
        content = json.loads(record.read_text())
        del content["scene"]["pixel_rules"]
        record.write_text(json.dumps(content))
        shutil.copy(folder / "images" / f"{stem}.tif", folder / "masks" / f"{stem}.tif")
    manifest = json.loads((folder / "manifest.json").read_text())
    for scene in manifest["scenes"]:
        if scene["stem"] in stems:
            del scene["pixel_rules"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if not whole:
        (folder / "manifest.json").unlink()


@pytest.mark.parametrize(("stems", "whole"), [("ab", True), ("b", True), ("ab", False)])
def test_scenes_that_older_pixel_rules_read_are_converted_again_once(
    tmp_path, monkeypatch, caplog, stems, whole
) -> None:
    section = data_section(labelled_folder(tmp_path))
    made = prepare(section, "x")
    make_older(made.folder, stems=stems, whole=whole)
    names = converted_names(monkeypatch)
    again = prepare(section, "x")
    assert names == list(stems)
    assert all(np.array_equal(scene.mask, MASK) for scene in again.all_scenes)
    assert again.digest == made.digest
    (note,) = [message for message in caplog.messages if "earlier version" in message]
    assert note == (
        f"{made.folder}: converting {len(stems)} scene{'s' if len(stems) > 1 else ''} again, because an earlier version of "
        "geoseg prepared them, which read nodata, alpha bands and band names differently"
    )
    caplog.clear()
    files = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")}
    prepare(section, "x")
    assert names == list(stems)
    assert files == {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")}
    assert "earlier version" not in caplog.text


def test_a_folder_of_older_pixel_rules_is_used_as_root_and_that_is_said(tmp_path, caplog) -> None:
    section = data_section(labelled_folder(tmp_path))
    folder = prepare(section, "x").folder
    make_older(folder, whole=True)
    root = section.model_copy(update={"root": folder})
    assert [scene.name for scene in prepare(root, "x").all_scenes] == ["a", "b"]
    (note,) = [message for message in caplog.messages if "earlier version" in message]
    assert note == (
        f"{folder}: using its scenes, but an earlier version of geoseg prepared them, which read nodata, alpha bands and "
        "band names differently; prepare them again from their files"
    )
    assert len(open_dataset(root).scenes("train")) == 1


def test_a_first_scene_of_another_type_is_noticed_although_the_others_were_finished(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    prepare(section, "x")
    make_raster(tmp_path / "images/a.tif", IMAGE.astype(np.uint16), **UTM)
    with pytest.raises(DataError, match=r"b\.tif is uint8, but the other scenes are uint16"):
        prepare(section, "x")


def test_a_prepared_folder_may_be_the_root_and_is_used_as_it_is(tmp_path, monkeypatch) -> None:
    section = data_section(labelled_folder(tmp_path))
    made = prepare(section, "x")
    copy = shutil.copytree(made.folder, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "images")
    names = converted_names(monkeypatch)
    given = prepare(section.model_copy(update={"root": copy, "prepared": tmp_path / "new"}), "x")
    assert (given.digest, given.statistics, given.folder) == (made.digest, made.statistics, copy)
    assert np.array_equal(given.all_scenes[0].mask, MASK)
    assert names == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("compress", [False, True])
def test_a_prepared_folder_is_a_dataset_of_what_it_was_made_from(tmp_path, compress) -> None:
    valid = noise(12, 16, low=0, high=3) > 0
    labelled_folder(tmp_path, image=noise(4, 12, 16, low=1) * valid, image_profile={"nodata": 0})
    section = data_section(tmp_path, compress=compress)
    made = prepare(section, "x")
    dataset = open_dataset(section.model_copy(update={"root": made.folder}))
    assert (dataset.legend, dataset.bands) == (made.legend, made.bands)
    for scene in made.all_scenes:
        (member,) = dataset.scenes(scene.split)
        assert (member.name, member.groups) == (scene.name, scene.groups)
        with (
            Scene.open(member.image) as image,
            closing(LabelReader(member.label, image.grid, dataset.encoding)) as label,
        ):
            assert np.array_equal(image.read(image.grid.window).values.transpose(1, 2, 0), scene.image[:, :])
            assert np.array_equal(label.read(image.grid.window), np.where(valid, MASK, IGNORE_INDEX))
            assert not label.unknown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"legend": ["uno", "due", "tre"]},
            r"was prepared with data.legend \['one', 'two', 'three'\], but the recipe has",
        ),
        ({"ignore": [7]}, r"was prepared with data.ignore None, but the recipe has \[7\]"),
        ({"gsd": 3.0}, r"was prepared with data.gsd None, but the recipe has 3.0"),
        ({"dataset": "potsdam"}, r"was prepared with data.dataset 'folder', but the recipe has 'potsdam'"),
    ],
)
def test_a_prepared_folder_of_another_declaration_is_refused_as_root(tmp_path, change, message) -> None:
    made = prepare(data_section(labelled_folder(tmp_path)), "x")
    other = data_section(tmp_path, **change).model_copy(update={"root": made.folder})
    for use in (open_dataset, lambda section: prepare(section, "x")):
        with pytest.raises(DataError, match=message):
            use(other)


@pytest.mark.parametrize("change", [{"unknown_share": 0.5}, {"prepared": "elsewhere"}])
def test_what_does_not_change_the_scenes_may_be_declared_otherwise(tmp_path, change) -> None:
    made = prepare(data_section(labelled_folder(tmp_path)), "x")
    section = data_section(tmp_path, **change).model_copy(update={"root": made.folder})
    assert prepare(section, "x") == made


def test_a_prepared_folder_of_another_version_is_refused_as_root(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    manifest = prepare(section, "x").folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": ', '"format": 9'))
    with pytest.raises(DataError, match="was prepared by a different version of geoseg"):
        prepare(section.model_copy(update={"root": manifest.parent}), "x")


@pytest.mark.parametrize("name", ["notes.txt", "records/patient.json", "images/holiday.tif"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_holds_other_files_is_left_alone(tmp_path, name, overwrite) -> None:
    section, mine = data_section(labelled_folder(tmp_path)), tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(OutputError, match="mine contains other files"):
        prepare(section, "x", folder=tmp_path / "mine", overwrite=overwrite)
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [mine]


def test_scenes_of_another_declaration_are_replaced_only_when_that_is_said(tmp_path) -> None:
    folder = tmp_path / "mine"
    first = prepare(data_section(labelled_folder(tmp_path)), "x", folder=folder)
    other = data_section(tmp_path, legend=["uno", "due", "tre"], splits={"train": "a"})
    with pytest.raises(OutputError, match="contains scenes of a different declaration") as error:
        prepare(other, "x", folder=folder)
    assert "--overwrite" in error.value.hint
    assert prepare(data_section(tmp_path), "x", folder=folder) == first
    replaced = prepare(other, "x", folder=folder, overwrite=True)
    assert replaced.legend.names == ("uno", "due", "tre")
    assert [path.name for path in (folder / "images").iterdir()] == ["a.tif"]


def test_scenes_are_prepared_whatever_killed_runs_left_behind(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    made = prepare(section, "x")
    (made.folder / "manifest.json").unlink()
    (made.folder / "records/b.json").unlink()
    (made.folder / "images/.b.tif.part.tif").write_bytes(b"half")
    made.all_scenes[1].class_locations_path.write_bytes(b"half")
    again = prepare(section, "x")
    assert (again.digest, again.statistics) == (made.digest, made.statistics)
    assert again.all_scenes[1].class_locations.counts.sum() == MASK.size
    assert not (made.folder / "images/.b.tif.part.tif").exists()


def test_a_recipe_its_file_and_its_data_section_give_the_same_folder(tmp_path) -> None:
    section = data_section(labelled_folder(tmp_path))
    path = tmp_path / "town.yaml"
    path.write_text(to_yaml(Recipe(name="town", data=section)), "utf-8")
    folders = {prepare(source).folder for source in (path, str(path), load_recipe(path))}
    assert folders == {prepare(section, "town").folder}
    assert prepare(path, folder=str(tmp_path / "elsewhere")).folder == tmp_path / "elsewhere"


def test_a_misspelt_option_is_a_type_error(tmp_path) -> None:
    with pytest.raises(TypeError, match="overwritten"):
        prepare(data_section(labelled_folder(tmp_path)), overwritten=True)  # type: ignore[call-arg]
