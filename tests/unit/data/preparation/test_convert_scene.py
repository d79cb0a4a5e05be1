"""Converting one scene: what its record says is what lies there, and only a whole scene of the same files has one."""

import json
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from geoseg.data.preparation.class_locations import ClassLocations
from geoseg.data.preparation.conversion_record import ConversionRecord
from geoseg.data.preparation.convert_scene import convert_scene, map_rows, measure_scene, select_bands
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.plan_conversions import plan_conversions
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.resampling_indices import resample_nearest
from geoseg.raster.scene import Scene

MASK = striped(70, 90)
IMAGE = noise(3, 70, 90, low=1)


@pytest.fixture
def archives(tmp_path):
    """Two scenes, a fifth of whose pixels hold nothing."""
    holes = noise(70, 90, high=5) > 0
    return labelled_folder(tmp_path, label=MASK, image=IMAGE * holes, image_profile={"nodata": 0})


def job(root, **changes):
    """The job of scene ``a``."""
    section = data_section(root, **changes)
    return plan_conversions(section, open_dataset(section), root / "made")[0]


@pytest.mark.parametrize("compress", [False, True])
def test_a_record_tells_what_lies_there(archives, compress) -> None:
    record = convert_scene(job(archives, compress=compress))
    scene, valid = record.scene, IMAGE[0] * (noise(70, 90, high=5) > 0) > 0
    expected = np.where(valid, MASK, IGNORE_INDEX)
    whole = scene.image[:, :], scene.mask[:, :]
    assert np.array_equal(whole[0].transpose(2, 0, 1), IMAGE * valid)
    assert np.array_equal(whole[1], expected)
    assert (scene.height, scene.width, scene.gsd) == (70, 90, pytest.approx(0.5, rel=1e-3))
    assert scene.valid_pixels == record.statistics.count == valid.sum()
    assert scene.class_pixels == tuple(np.bincount(expected.ravel())[:3])
    assert np.array_equal(scene.class_locations.counts, ClassLocations.from_mask(expected, 3).counts)
    assert record.statistics.summarize("rgb")[0].mean == pytest.approx(IMAGE[0][valid].mean())
    assert set(record.seconds) == {"decode", "encode", "all"}


def test_a_scene_that_was_converted_is_not_converted_again(archives) -> None:
    made = job(archives)
    assert made.load_record() is None
    record, read = convert_scene(made), made.load_record()
    assert read.statistics.bands == record.statistics.bands
    assert replace(read, statistics=record.statistics) == record


def unfinished(archives, made, what) -> None:
    """Something happens to a finished scene."""
    path = ConversionRecord.path(made.draft)
    content = json.loads(path.read_text())
    if what == "cut short":
        path.write_text(path.read_text()[:-9])
    elif what == "of an older version":
        del content["scene"]["digests"], content["statistics"]
        path.write_text(json.dumps(content))
    elif what == "of another split":
        path.write_text(json.dumps(content | {"scene": content["scene"] | {"split": "val"}}))
    elif what == "of another declaration":
        path.write_text(json.dumps(content | {"declared": "?"}))
    elif what == "without its mask":
        made.draft.mask_path.unlink()
    elif what == "without its validity":
        made.draft.valid_path.unlink()
    else:
        os.utime(archives / what, ns=(0, 1))


@pytest.mark.parametrize(
    "what",
    [
        *("cut short", "of an older version", "of another split", "of another declaration"),
        *("without its mask", "without its validity", "images/a.tif", "labels/a.tif"),
    ],
)
def test_a_record_that_does_not_tell_of_these_files_counts_for_nothing(archives, what) -> None:
    made = job(archives)
    convert_scene(made)
    unfinished(archives, made, what)
    assert made.load_record() is None


def test_a_record_does_not_tell_of_a_label_that_came_later(archives) -> None:
    made = job(archives)
    convert_scene(made)
    later = make_raster(archives / "labels" / "other.tif", MASK[None], **UTM)
    assert replace(made, scene=replace(made.scene, label=later)).load_record() is None


def test_equal_pixels_have_equal_digests_and_others_have_others(archives) -> None:
    first, again = convert_scene(job(archives)).scene.digests, convert_scene(job(archives, compress=True)).scene.digests
    assert first == again
    make_raster(archives / "labels/a.tif", (2 - MASK)[None], **UTM)
    changed = convert_scene(job(archives)).scene.digests
    assert (changed["image"] == first["image"], changed["mask"] == first["mask"]) == (True, False)


@pytest.mark.parametrize("gsd", [None, 0.5, 0.3, 2.0])
def test_the_size_is_known_before_a_scene_is_converted(archives, gsd) -> None:
    made = job(archives, gsd=gsd)
    planned, scene = measure_scene(made), convert_scene(made).scene
    assert (planned.height, planned.width, planned.gsd) == (scene.height, scene.width, scene.gsd)


def test_what_cannot_be_converted_leaves_no_file_of_it(archives) -> None:
    made = job(archives)
    whole = made.scene.image.read_bytes()
    made.scene.image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception, match=r"a\.tif cannot be read"):
        convert_scene(made)
    assert [path for path in (archives / "made").rglob("*") if path.is_file()] == []


sides = st.integers(1, 60)


@given(height=sides, width=sides, shape=st.tuples(sides, sides))
def test_nearest_takes_the_pixel_under_each_centre(height, width, shape) -> None:
    values = (np.arange(height * width) % 251).reshape(height, width).astype(np.uint8)
    found = resample_nearest(values, shape)
    for row, col in {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)}:
        at = int((row + 0.5) * height / shape[0]), int((col + 0.5) * width / shape[1])
        assert found[row, col] == values[at]
    assert found.shape == shape


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 90))
def test_rows_under_strips_follow_one_another_and_leave_none_out(height, source_height, rows) -> None:
    grid, source = (Grid(None, None, each, 5) for each in (height, source_height))
    parts = [map_rows(strip, grid, source) for strip in strips(height, 5, rows)]
    assert parts[0].row == 0
    assert parts[-1].row_stop == source_height
    assert all(upper.row_stop == lower.row for upper, lower in pairwise(parts))


def described(folder, name, image, colours, *descriptions):
    path = make_raster(folder / name, image, **UTM, colours=colours)
    with rasterio.open(path, "r+") as file:
        file.descriptions = descriptions
    return path


@pytest.mark.parametrize("descriptions", [("Band 1", "Band 2", "Band 3"), ("x", "y", "z"), ("B02", "B03", "B04")])
def test_bands_are_found_by_what_the_file_declares(archives, descriptions) -> None:
    sentinel = descriptions[0] == "B02"
    colours = [ColorInterp.undefined] * 3 if sentinel else [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    path = described(archives, "other.tif", IMAGE, colours, *descriptions)
    with Scene.open(path) as scene:
        assert select_bands(job(archives, bands=["red", "green"]), scene) == [2, 1]
        assert select_bands(replace(job(archives), bands=("red", "green", "blue")), scene) == [2, 1, 0]


def test_bands_that_are_used_by_position_are_said(archives, caplog) -> None:
    path = described(archives, "other.tif", IMAGE, [ColorInterp.undefined] * 3, "x", "y", "z")
    with Scene.open(path) as scene:
        assert select_bands(job(archives), scene) == [0, 1, 2]
    assert "by position, but the file states descriptions x, y, z" in caplog.text


@pytest.mark.parametrize(
    ("height", "width", "shape"), [(1.0, 0.5, (140, 90)), (0.5, 1.0, (70, 180)), (1, 1, (140, 180))]
)
def test_each_axis_of_a_scene_is_resampled_by_its_own_factor(tmp_path, height, width, shape) -> None:
    transform = Affine(width, 0, 300000, 0, -height, 5600000)
    root = labelled_folder(tmp_path, label=MASK, image=IMAGE, image_profile={"transform": transform})
    measured = measure_scene(job(root, gsd=0.5))
    assert (measured.height, measured.width) == shape
    assert measured.gsd == pytest.approx(0.5, rel=1e-3)
