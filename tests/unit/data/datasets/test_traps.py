"""Traps that others fell into (shared/facts/landscape.md, section 1.2), one test each, as far as data is concerned."""

import numpy as np
import pytest
from helpers.archives import (
    POTSDAM_ARCHIVES,
    archive_section,
    isaid_archives,
    loveda_archives,
    potsdam_archives,
    tiff,
    vaihingen_archives,
)
from helpers.prepared import data_section, labelled_folder, prepared_scene, striped
from helpers.rasters import noise
from PIL import Image

from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.samplers.grid import GridSampler
from geoseg.data.datasets.potsdam import potsdam
from geoseg.data.export.export_crops import tile
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError
from geoseg.grid.patch_positions import patch_windows
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene


def starts(side, rule, **options) -> list[int]:
    return [window.col for window in patch_windows(1, side, rule, **options)]


def test_trap_stride_ignored() -> None:
    """The converters say 256 and cut every 512. As published that stays; another stride is an option."""
    assert starts(6000, "isprs") == starts(6000, "isprs", stride=512) == [*range(0, 5121, 512), 5488]
    assert starts(6000, "plain", size=512, stride=256) == [*range(0, 5377, 256), 5488]


def test_trap_stride_longer_than_the_window_loses_the_rest() -> None:
    """The converters then miss everything to the right and below; plain windows end where the scene ends."""
    assert starts(6000, "isprs", stride=1024)[-1] + 512 < 6000
    assert starts(6000, "plain", size=512, stride=1024)[-1] + 512 == 6000


def test_trap_shifted_last_window_counts_pixels_twice(tmp_path) -> None:
    """Published scores count columns 5488 to 5632 twice. Tiles, which ours are counted over, count every pixel once."""
    scene = prepared_scene(tmp_path, striped(9, 60))
    counts = {}
    for rule in ("tiles", "isprs"):
        sampler = GridSampler([scene], 16, rule=rule)
        counts[rule] = np.zeros(60, int)
        for plan in sampler.plans:
            part = plan.window if plan.core is None else plan.core.shift(plan.window.row, plan.window.col)
            counts[rule][part.clip_to(9, 60).slices()[1]] += 1
    assert counts["tiles"].tolist() == [1] * 60
    assert counts["isprs"].max() == 2


def test_trap_small_images_are_cut_from_negative_places() -> None:
    """The converters cut 300 x 400 pixels into 212 x 112 of them, and less than 256 into nothing."""
    for side in (100, 300, 511):
        assert starts(side, "isprs") == [0]


def test_trap_unknown_colours_vanish_silently(tmp_path) -> None:
    """To the converters an unknown colour is "not labelled", and one that collides in their hash is clutter."""
    label = np.zeros((3, 20, 20), np.uint8)
    label[:, :10] = 255
    label[:, 10:] = np.array([0, 170, 255])[:, None, None]  # 2 B + 3 G + 4 R = 1020, as red
    root = potsdam_archives(tmp_path / "a", content=lambda *_: tiff(label))
    with pytest.raises(DataError, match=r"50.00% of the pixels are not in the legend: #00aaff"):
        prepare(archive_section("potsdam", root), "x")
    prepared = prepare(archive_section("potsdam", root, unknown_share=0.5), "x")
    assert (prepared.all_scenes[0].mask[10:] == IGNORE_INDEX).all()
    assert prepared.all_scenes[0].unknown == "#00aaff (50.00%)"


def test_trap_orthophotos_of_other_kinds_overwrite_one_another(tmp_path) -> None:
    """The converter takes every zip in the folder and gives RGB, IRRG and RGBIR the same names."""
    root = potsdam_archives(tmp_path, size=8, kinds=POTSDAM_ARCHIVES)
    for kind in ("rgb", "irrg", "rgbir"):
        assert {scene.image.stem.rpartition("_")[2] for scene in potsdam(root, kind).scenes("train")} == {kind.upper()}


@pytest.mark.parametrize("merged", [True, False])
def test_trap_urban_and_rural_folders_merged(tmp_path, merged) -> None:
    """After conversion nobody can tell the domains apart, but by the images' numbers."""
    root = loveda_archives(tmp_path, size=8, merged=merged)
    made = open_dataset(archive_section("loveda", root, complete=False))
    assert [scene.groups["domain"] for scene in made.scenes("val")] == ["urban"] * 3 + ["rural"] * 3


def test_trap_class_names_off_by_one(tmp_path) -> None:
    """LoveDA's files say 1 for background; a list of names that begins with background then calls buildings background."""
    root = loveda_archives(tmp_path / "a", size=32)
    prepared = prepare(archive_section("loveda", root, complete=False), "x")
    scene = prepared.scenes("train")[0]
    with Scene.open(open_dataset(archive_section("loveda", root, complete=False)).scenes("train")[0].label) as label:
        raw = label.read(label.grid.window).values[0]
    names = [None, "background", "building", "road", "water", "barren", "forest", "agricultural"]
    for value in np.unique(raw):
        (index,) = np.unique(scene.mask[raw == value])
        assert (prepared.legend.names[index] if index != IGNORE_INDEX else None) == names[value]


@pytest.mark.parametrize("city", ["potsdam", "vaihingen"])
def test_trap_clutter_first(tmp_path, city) -> None:
    """torchgeo's class 0 is clutter, OpenMMLab's is impervious surface: masks and weights cannot be exchanged."""
    build = {"potsdam": potsdam_archives, "vaihingen": vaihingen_archives}[city]
    made = open_dataset(archive_section(city, build(tmp_path, size=8)))
    assert made.legend.names == ("impervious_surface", "building", "low_vegetation", "tree", "car", "clutter")
    assert made.encoding.colours[255, 255, 255] == 0
    assert made.encoding.colours[255, 0, 0] == 5


def test_trap_palette_labels_lost(tmp_path) -> None:
    """With most versions of Pillow the iSAID converter writes 1 for every class above 0."""
    prepared = prepare(archive_section("isaid", isaid_archives(tmp_path / "a"), complete=False), "x")
    for scene in prepared.scenes("train"):
        with Image.open(scene.mask_path) as mask:
            assert mask.mode == "L"
            assert len(np.unique(mask)) == 16
    tile([prepared.folder], tmp_path / "cut", layout="openmmlab")
    for path in (tmp_path / "cut/ann_dir").rglob("*.png"):
        with Image.open(path) as label:
            assert label.mode == "L"
            assert {*range(16)} <= set(np.unique(label).tolist())


def test_trap_drop_last(tmp_path) -> None:
    """A loader for evaluation that drops the last batch skips an image for ever."""
    scenes = [prepared_scene(tmp_path, striped(16, 16), name=str(n)) for n in range(5)]
    sampler = GridSampler(scenes, 16)
    assert (
        sum(
            len(batch.target)
            for batch in CropLoader(CropDataset(scenes, sampler, range(len(sampler))), batch=2, workers=0)
        )
        == 5
    )


@pytest.mark.parametrize("nodata", [0, 7])
def test_trap_option_for_nodata_hides_the_files_own(tmp_path, nodata) -> None:
    """One tool reads the file's nodata into a variable it never uses; here nobody has to say it at all."""
    holds = noise(12, 16, high=3) > 0
    image = np.where(holds, noise(3, 12, 16, low=10), nodata).astype(np.uint8)
    labelled_folder(tmp_path, image=image, image_profile={"nodata": nodata})
    scene = prepare(data_section(tmp_path), "x").all_scenes[0]
    assert np.array_equal(scene.valid > 0, holds)
    assert np.array_equal(scene.mask != IGNORE_INDEX, holds)


def test_trap_nodata_is_a_class(tmp_path) -> None:
    """With 0 for both "nothing" and background, later programs see an empty raster: here nothing is 255, and no class."""
    labelled_folder(tmp_path, label=striped(12, 16), label_profile={"nodata": 0})
    scene = prepare(data_section(tmp_path), "x").all_scenes[0]
    assert scene.class_pixels == tuple(np.bincount(striped(12, 16).ravel()))
    with Scene.open(scene.mask_path) as mask:
        assert mask.nodata is None
        assert mask.read(mask.grid.window).valid.all()


def test_trap_statistics_are_those_of_something_else(tmp_path) -> None:
    """Defaults that fit another data set scale pixels twice or not at all: here they are measured where one trains."""
    prepared = prepare(archive_section("vaihingen", vaihingen_archives(tmp_path / "a", size=24)), "x")
    pixels = np.concatenate([scene.image.reshape(-1, 3) for scene in prepared.scenes("train")]).astype(float)
    assert [band.mean for band in prepared.statistics] == pytest.approx(pixels.mean(axis=0))
    assert [band.std for band in prepared.statistics] == pytest.approx(pixels.std(axis=0))
    assert [band.name for band in prepared.statistics] == ["nir", "red", "green"]
