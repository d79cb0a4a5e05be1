"""Crops on disk: their pixels are the scene's, they lie where they were cut, and published layouts are those published."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from helpers.archives import archive_section, isaid_archives, loveda_archives, potsdam_archives, vaihingen_archives
from helpers.prepared import striped
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.data.export.export_crops import count_crops, tile
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError, DataError, GeosegWarning, OutputError, SceneError
from geoseg.grid.window import Window
from geoseg.raster.scene import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    return make_raster(tmp_path_factory.mktemp("scene") / "town.tif", noise(3, 70, 90), **UTM)


@given(size=st.integers(8, 100), stride=st.integers(8, 100))
def test_crops_are_windows_of_the_scene_in_their_place(scene, tmp_path_factory, size, stride) -> None:
    folder = tmp_path_factory.mktemp("out") / "crops"
    tile([scene], folder, size=size, stride=stride)
    with Scene.open(scene) as whole:
        for path in folder.glob("*.tif"):
            row, col = map(int, path.stem.split("_")[1:])
            window = Window(row, col, size, size)
            with Scene.open(path) as crop:
                assert crop.grid.matches(whole.grid.crop(window))
                cut, expected = crop.read(crop.grid.window), whole.read(window)
                assert np.array_equal(cut.values, expected.values)
                assert np.array_equal(cut.valid, expected.valid)


def test_as_many_are_cut_as_were_counted(scene, tmp_path) -> None:
    tiled = tile([scene], tmp_path / "crops", size=32, stride=16)
    assert (
        count_crops([scene], size=32, stride=16) == tiled.crops == {"": len(list((tmp_path / "crops").glob("*.tif")))}
    )
    assert json.loads((tmp_path / "crops/crops.json").read_text())["crops"] == {"": tiled.crops[""]}


def test_labels_are_cut_along_and_band_names_and_nodata_kept(tmp_path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    image = make_raster(tmp_path / "images/a.tif", noise(4, 40, 40, low=1), nodata=0, **UTM)
    with rasterio.open(image, "r+") as file:
        file.set_band_description(4, "nir")
    label = striped(40, 40)
    make_raster(tmp_path / "labels/a.tif", label[None], **UTM)
    tile([tmp_path / "images"], tmp_path / "out", size=32, stride=32, labels=tmp_path / "labels")
    with (
        rasterio.open(tmp_path / "out/images/a_8_0.tif") as crop,
        rasterio.open(tmp_path / "out/masks/a_8_0.tif") as mask,
    ):
        assert crop.descriptions[3] == "nir"
        assert crop.nodata == 0
        assert np.array_equal(mask.read(1), label[8:40, :32])


def test_windows_that_hold_nothing_are_left_out_unless_wanted(tmp_path) -> None:
    values = noise(1, 64, 64, low=1)
    values[:, :, 32:] = 0
    path = make_raster(tmp_path / "a.tif", values, nodata=0, **UTM)
    tiled = tile([path], tmp_path / "some", size=32)
    assert (tiled.crops, tiled.skipped) == ({"": 2}, 2)
    assert tile([path], tmp_path / "all", size=32, keep_empty=True).crops == {"": 4}


def test_a_scene_smaller_than_a_crop_gives_one_that_reaches_beyond_it(tmp_path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 20, 30, low=1), **UTM)
    tile([path], tmp_path / "out", size=64)
    (crop,) = (tmp_path / "out").glob("*.tif")
    with Scene.open(crop) as opened:
        raster = opened.read(opened.grid.window)
    assert raster.valid[:20, :30].all()
    assert raster.valid.sum() == 600


def prepared(name, archives, **options):
    return prepare(archive_section(name, archives, **options), name)


def png(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize(("name", "make", "first"), [
    ("potsdam", lambda root: potsdam_archives(root, size=600, tiles=[(2, 10), (2, 13)]), "2_10"),
    ("vaihingen", lambda root: vaihingen_archives(root, size=600, areas=[1, 2]), "area1"),
])  # fmt: skip
def test_isprs_crops_have_the_converters_names_and_pixels(tmp_path, name, make, first) -> None:
    made = prepared(name, make(tmp_path / "archives"), complete=False)
    tiled = tile([made.folder], tmp_path / "out", layout="openmmlab")
    assert tiled.crops == count_crops([made.folder], layout="openmmlab") == {"train": 4, "val": 4}
    scene = made.scenes("train")[0]
    names = {f"{first}_{x}_{y}_{x + 512}_{y + 512}.png" for x in (0, 88) for y in (0, 88)}
    for kind in ("img_dir", "ann_dir"):
        assert {path.name for path in (tmp_path / "out" / kind / "train").iterdir()} == names
    crop = f"{first}_88_0_600_512.png"
    assert np.array_equal(png(tmp_path / "out/img_dir/train" / crop), np.asarray(scene.image)[:512, 88:])
    label = png(tmp_path / "out/ann_dir/train" / crop)
    mask = np.asarray(scene.mask)[:512, 88:]
    assert np.array_equal(label, np.where(mask == 255, 0, mask + 1))  # 0 is not labelled, 1 the first class


def test_isaid_crops_have_the_converters_names_and_pad_small_images(tmp_path) -> None:
    made = prepared("isaid", isaid_archives(tmp_path / "archives", count=1, size=1000), complete=False)
    tiled = tile([made.folder], tmp_path / "out", layout="openmmlab")
    assert tiled.crops == {"train": 4, "val": 4}
    names = {f"P0000_{y}_{y + 896}_{x}_{x + 896}" for y in (0, 104) for x in (0, 104)}
    assert {path.stem for path in (tmp_path / "out/img_dir/train").iterdir()} == names
    labels = {path.name for path in (tmp_path / "out/ann_dir/train").iterdir()}
    assert labels == {f"{name}_instance_color_RGB.png" for name in names}
    small = prepared("isaid", isaid_archives(tmp_path / "small", count=1, size=64), complete=False)
    tile([small.folder], tmp_path / "padded", layout="openmmlab")
    image = png(tmp_path / "padded/img_dir/train/P0000_0_896_0_896.png")
    label = png(tmp_path / "padded/ann_dir/train/P0000_0_896_0_896_instance_color_RGB.png")
    assert (image.shape, label.shape) == ((896, 896, 3), (896, 896))
    assert not image[64:].any()
    assert (label[64:] == 255).all()
    assert np.array_equal(label[:64, :64], np.asarray(small.scenes("train")[0].mask))


def test_the_old_name_of_the_layout_is_accepted_with_a_warning(tmp_path) -> None:
    made = prepared("loveda", loveda_archives(tmp_path / "archives", count=1), complete=False)
    with pytest.warns(GeosegWarning, match="now called 'openmmlab'"):
        old = tile([made.folder], tmp_path / "old", layout="published")
    assert old.crops == tile([made.folder], tmp_path / "new", layout="openmmlab").crops
    contents = [(tmp_path / name / "crops.json").read_bytes() for name in ("old", "new")]
    assert contents[0] == contents[1]
    assert json.loads(contents[0])["layout"] == "published"  # as in earlier releases


def test_loveda_images_are_not_cut_and_keep_their_numbers(tmp_path) -> None:
    made = prepared("loveda", loveda_archives(tmp_path / "archives", count=2), complete=False)
    assert tile([made.folder], tmp_path / "out", layout="openmmlab").crops == {"train": 4, "val": 4}
    assert {path.stem for path in (tmp_path / "out/img_dir/train").iterdir()} == {"0", "1", "1366", "1367"}
    original = png(tmp_path / "out/ann_dir/val/2522.png")
    assert set(np.unique(original)) <= set(range(8))
    assert (original[:4] == 0).all()  # no data, as in the archive


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"size": 0}, ConfigError, "invalid patch size 0"),
    ({"layout": "openmmlab"}, DataError, "prepared from a single benchmark"),
    ({"labels": "nowhere"}, DataError, "nowhere has no label for town.tif"),
])  # fmt: skip
def test_what_cannot_be_cut_is_one_sentence_and_leaves_nothing(scene, tmp_path, change, error, message) -> None:
    with pytest.raises(error, match=message):
        tile([scene], tmp_path / "out", **change)
    assert not list(tmp_path.iterdir())


def test_scenes_of_one_name_would_overwrite_each_other(scene, tmp_path) -> None:
    other = make_raster(tmp_path / "town.tif", noise(3, 70, 90), **UTM)
    with pytest.raises(DataError, match="two scenes are named town"):
        tile([scene, other], tmp_path / "out")


def test_a_folder_with_other_files_is_never_replaced(scene, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="contains other files"):
        tile([scene], tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine/letter.txt").exists()


def test_crops_are_replaced_when_that_is_wanted(scene, tmp_path) -> None:
    tile([scene], tmp_path / "out", size=32)
    with pytest.raises(OutputError, match="exists already"):
        tile([scene], tmp_path / "out", size=64)
    tile([scene], tmp_path / "out", size=64, overwrite=True)
    with rasterio.open(next((tmp_path / "out").glob("*.tif"))) as crop:
        assert crop.shape == (64, 64)


def test_a_damaged_scene_leaves_the_old_crops_alone(scene, tmp_path) -> None:
    tile([scene], tmp_path / "out", size=32)
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scene.read_bytes()[:9000])
    with pytest.raises(SceneError):
        tile([scene, broken], tmp_path / "out", size=16, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before
