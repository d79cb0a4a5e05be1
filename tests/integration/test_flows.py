"""The main job through the command line, as a user would run it."""

import json

import numpy as np
import pytest
import rasterio
from helpers.sample import FAST, SAMPLE
from PIL import Image
from rasterio.features import rasterize as burn

import geoseg as library


@pytest.fixture
def mask(geoseg, trained, tmp_path):
    path = tmp_path / "mask.tif"
    result = geoseg("predict", SAMPLE / "images" / "collar.tif", "-o", path, "--model", trained.path)
    assert result.exit_code == 0, result.stderr
    assert str(path) in result.stdout
    return path


def test_a_scene_becomes_a_mask_on_its_own_grid_with_its_nodata(mask):
    with rasterio.open(SAMPLE / "images" / "collar.tif") as scene, rasterio.open(mask) as made:
        assert (made.crs, made.transform, made.shape) == (scene.crs, scene.transform, scene.shape)
        assert made.nodata == 255
        assert np.array_equal(made.read(1) == 255, scene.dataset_mask() == 0)
        assert made.colormap(1)[1] == (0, 0, 255, 255)


def test_a_mask_becomes_polygons_that_burn_back_to_it(geoseg, mask):
    result = geoseg("polygonize", mask)
    assert result.exit_code == 0, result.stderr
    layer = library.polygonize(mask, mask.with_suffix(".fgb"))
    with rasterio.open(mask) as made:
        shapes = zip(layer.frame.geometry, layer.frame["class_index"], strict=True)
        back = burn(shapes, made.shape, fill=255, transform=made.transform, dtype="uint8")
        assert np.array_equal(back, made.read(1))
    assert mask.with_suffix(".gpkg").exists()


def test_a_model_is_evaluated_on_a_split_and_its_mask_scores_the_same(geoseg, trained, mask, tmp_path):
    prepared = trained.run.parent.parent / "prepared"
    settings = [word for setting in [*FAST, f"data.prepared={prepared}"] for word in ("--set", setting)]
    scores = tmp_path / "scores.json"
    result = geoseg("evaluate", "sample.yaml", *settings, "--model", trained.path, "--split", "test", "--json", scores)
    assert result.exit_code == 0, result.stderr
    assert "Protocol scenes: " in result.stdout
    other = tmp_path / "mask.json"
    reference = SAMPLE / "labels" / "collar.tif"
    assert geoseg("evaluate", "--mask", mask, "--reference", reference, "--json", other).exit_code == 0
    scene = json.loads(scores.read_text())["scenes"]["collar"]
    assert scene["counts"] == json.loads(other.read_text())["counts"]


def test_a_model_is_evaluated_by_the_masks_it_makes_when_windows_slide(geoseg, trained, tmp_path):
    prepared = trained.run.parent.parent / "prepared"
    settings = [word for setting in [*FAST, f"data.prepared={prepared}"] for word in ("--set", setting)]
    method = ["--mode", "slide", "--tile", "128", "--stride", "128", "--tta", "flip", "--model", trained.path]
    mask, counts = tmp_path / "mask.tif", []
    assert geoseg("predict", SAMPLE / "images" / "collar.tif", "-o", mask, *method).exit_code == 0
    for what in (
        ["sample.yaml", *settings, "--split", "test", *method],
        ["--mask", mask, "--reference", SAMPLE / "labels" / "collar.tif"],
    ):
        result = geoseg("evaluate", *what, "--json", tmp_path / "scores.json", "--overwrite")
        assert result.exit_code == 0, result.stderr
        counts.append(json.loads((tmp_path / "scores.json").read_text()))
    assert counts[0]["scenes"]["collar"]["counts"] == counts[1]["counts"]


def test_every_kind_of_file_can_be_asked_about(geoseg, trained, mask):
    for path, word in [
        ("sample.yaml", "deeplabv3plus"),
        (trained.path, "building"),
        (SAMPLE / "images" / "mill.tif", "EPSG:32633"),
        (mask, "impervious_surface"),
    ]:
        result = geoseg("info", path)
        assert result.exit_code == 0, result.stderr
        assert word in result.stdout


def test_a_picture_shows_scene_mask_reference_and_errors(geoseg, mask, tmp_path):
    output = tmp_path / "picture.png"
    arguments = ["--mask", mask, "--reference", SAMPLE / "labels" / "collar.tif", "-o", output]
    assert geoseg("picture", SAMPLE / "images" / "collar.tif", *arguments).exit_code == 0
    with Image.open(output) as picture:
        assert picture.width * picture.height > 4 * 487 * 613


def test_nothing_is_overwritten_unless_asked(geoseg, trained, mask):
    before = mask.read_bytes()
    arguments = ["predict", SAMPLE / "images" / "mill.tif", "-o", mask, "--model", trained.path]
    refused = geoseg(*arguments)
    assert refused.exit_code == 1
    assert "--overwrite" in refused.stderr
    assert mask.read_bytes() == before
    assert geoseg(*arguments, "--overwrite").exit_code == 0
