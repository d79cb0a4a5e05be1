"""``geoseg predict`` as it is typed, with a real (small) model behind it."""

import time

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from helpers.models import TRANSFORM, pixels, write_scene
from helpers.predictions import saved_model, tall_scene
from helpers.rasters import damage
from PIL import Image

BLOCKS = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved_model(tmp_path_factory.mktemp("model") / "town.safetensors")


@pytest.fixture
def predict(geoseg, model, tmp_path, monkeypatch):
    """Runs ``geoseg predict`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    usual = ["--engine", "torch", "--precision", "float32", "--device", "cpu"]
    return lambda *arguments: geoseg("predict", *arguments, "--model", model, *usual)


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", pixels(120, 100, bands=1))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_plan_writes_nothing_and_says_what_it_would_take(predict, scene, tmp_path):
    result = predict("scene.tif", "-o", "mask.tif", "--plan", "--probabilities", "shares.tif")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("scene.tif: 120 x 100 pixels in 9 tiles on cpu, torch, float32; about 0:0")
    assert "(m:ss), " in result.stdout
    assert "GB of memory" in result.stdout
    assert result.stdout.count("\n") == 1
    assert names(tmp_path) == ["scene.tif"]
    made = predict("scene.tif", "-o", "mask.tif")
    assert "9 tiles in" in made.stderr


def test_plan_of_several_scenes_and_of_their_mosaic(predict, scene, tmp_path):
    write_scene(tmp_path / "other.tif", pixels(60, 50, bands=1))
    result = predict("scene.tif", "other.tif", "-o", "masks", "--plan")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["scene.tif", "other.tif"]
    result = predict("scene.tif", "other.tif", "--mosaic", "-o", "mask.tif", "--plan")
    assert result.stdout.startswith("the mosaic: 120 x 100 pixels in 9 tiles")
    assert names(tmp_path) == ["other.tif", "scene.tif"]


def test_notes_about_the_area_are_printed_once_for_all_scenes(predict, scene, tmp_path):
    write_scene(tmp_path / "other.tif", pixels(60, 50, bands=1))
    inside = shapely.box(TRANSFORM.c + 3, TRANSFORM.f - 9, TRANSFORM.c + 9, TRANSFORM.f - 3)
    gpd.GeoDataFrame(geometry=[inside, inside.centroid], crs=32633).to_file(tmp_path / "area.gpkg")
    note = "Note: area.gpkg: left out 1 feature (1 point)\n"
    several = predict("scene.tif", "other.tif", "-o", "masks/", "--aoi", "area.gpkg")
    assert several.exit_code == 0, several.stderr
    assert several.stderr.count("left out") == several.stderr.count(note) == 1
    assert predict("scene.tif", "-o", "mask.tif", "--aoi", "area.gpkg").stderr.count(note) == 1


def test_shares_and_a_preview_beside_the_mask(predict, scene, tmp_path):
    outputs = ["--probabilities", "p.tif", "--confidence", "c.tif", "--entropy", "e.tif", "--preview", "look.png"]
    result = predict("scene.tif", "-o", "mask.tif", *outputs)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "mask.tif\n"
    assert names(tmp_path) == ["c.tif", "e.tif", "look.png", "mask.tif", "mask.tif.aux.xml", "p.tif", "scene.tif"]
    with rasterio.open(tmp_path / "p.tif") as p, rasterio.open(tmp_path / "mask.tif") as mask:
        assert p.descriptions == ("class 0", "class 1", "class 2")
        shares, classes = p.read(), mask.read()
        np.testing.assert_array_equal(np.take_along_axis(shares, classes, 0)[0], shares.max(axis=0))
        with rasterio.open(tmp_path / "c.tif") as c, rasterio.open(tmp_path / "e.tif") as e:
            np.testing.assert_array_equal(c.read(1), shares.max(axis=0))
            assert e.read(1).max() <= 254
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.format == "PNG"


def test_several_scenes_into_folders(predict, tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":
        write_scene(tmp_path / "in" / f"{name}.tif", pixels(70, 60, bands=1))
    result = predict("in", "-o", "masks", "--confidence", "sure", "--preview", "looks")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ["masks/a_mask.tif", "masks/b_mask.tif"]
    assert names(tmp_path / "sure") == ["a_confidence.tif", "b_confidence.tif"]
    assert names(tmp_path / "looks") == ["a_preview.png", "b_preview.png"]


def test_resume_leaves_masks_that_are_there(predict, tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":
        write_scene(tmp_path / "in" / f"{name}.tif", pixels(70, 60, bands=1))
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a_mask.tif").write_text("precious")
    refused = predict("in", "-o", "masks")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    result = predict("in", "-o", "masks", "--resume")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ["masks/b_mask.tif"]
    assert "in/a.tif: the mask already exists" in result.stderr
    assert (tmp_path / "masks" / "a_mask.tif").read_text() == "precious"


def test_everything_in_one_folder_can_be_resumed(predict, tmp_path):
    """Masks, shares and previews beside the scenes are not taken for scenes."""
    write_scene(tmp_path / "a.tif", pixels(70, 60, bands=1))
    everything = [".", "-o", ".", "--confidence", ".", "--preview", "."]
    assert predict(*everything).exit_code == 0
    before = names(tmp_path)
    result = predict(*everything, "--resume")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert names(tmp_path) == before


def test_damage_stops_unless_it_is_skipped_and_told(predict, tmp_path):
    damage(write_scene(tmp_path / "scene.tif", pixels(200, 100, bands=1), **BLOCKS), (1, 1))
    result = predict("scene.tif", "-o", "mask.tif")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2].startswith("Error: scene.tif cannot be read at rows")
    assert names(tmp_path) == ["scene.tif"]
    result = predict("scene.tif", "-o", "mask.tif", "--on-read-error", "skip")
    assert result.exit_code == 0, result.stderr
    assert (
        "Note: 1 block could not be read and is nodata: rows 64 to 127, columns 64 to 99" in result.stderr.splitlines()
    )
    with rasterio.open(tmp_path / "mask.tif") as mask:
        lost = np.zeros((200, 100), np.bool_)
        lost[64:128, 64:] = True
        np.testing.assert_array_equal(mask.read(1) == 255, lost)


def test_an_unfinished_mask_is_told_and_resumed(predict, tmp_path, monkeypatch):
    from geoseg.raster.writers.partial import PartialRasters  # noqa: PLC0415

    tall_scene(tmp_path / "scene.tif", height=1100)
    write = PartialRasters._write

    def interrupting(self, slab):
        write(self, slab)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartialRasters, "_write", interrupting)
        result = predict("scene.tif", "-o", "mask.tif")
    assert result.exit_code == 130
    assert "1 of 3 parts are done in .mask.tif.part; use --resume to continue" in result.stderr
    result = predict("scene.tif", "-o", "mask.tif")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "Hint: use --resume to continue it or --overwrite to start again",
    )
    result = predict("scene.tif", "-o", "mask.tif", "--resume")
    assert (result.exit_code, result.stdout) == (0, "mask.tif\n")
    assert "Resuming: 1 of 3 parts" in result.stderr
    assert names(tmp_path) == ["mask.tif", "mask.tif.aux.xml", "scene.tif"]


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_scheduler_that_does_not_answer_is_one_sentence(predict, scene, tmp_path):
    begun = time.monotonic()
    result = predict("scene.tif", "-o", "mask.tif", "--dask", "nonsense")
    assert result.exit_code == 1
    sentence, hint = result.stderr.splitlines()[-2:]
    assert sentence.startswith("Error: no Dask scheduler responds at nonsense")
    assert hint == "Hint: use an address like tcp://HOST:8786, or local:4"
    assert time.monotonic() - begun < 30
    assert names(tmp_path) == ["scene.tif"]


def test_a_number_of_workers_that_makes_no_sense_is_one_sentence(predict, scene):
    result = predict("scene.tif", "-o", "mask.tif", "--dask", "local:many")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == [
        "Error: invalid number of workers in 'local:many'",
        "Hint: use local:4 for four workers",
    ]
