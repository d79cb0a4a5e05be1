"""What `describe` says of recipes, models, scenes, masks and label rasters."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from geoseg.bundle import make_header
from geoseg.config.load import load_recipe
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, ConfigError, SceneError
from geoseg.file_info.describe import describe
from geoseg.legend import Legend
from geoseg.model_card import ModelCard

LEGEND = Legend.of({"land": "#102030", "roof": "#405060"})
CARD = ModelCard(
    model=ModelSection(),
    legend=LEGEND,
    bands=("red", "green", "nir"),
    mean=(100.0, 90.5, 80.25),
    std=(40.0, 41.0, 42.0),
    minimum=(0.0, 0.0, 0.0),
    maximum=(255.0, 255.0, 251.0),
    dtype="uint8",
    gsd=0.3,
    crop=256,
    tile=512,
    halo=64,
    scores={"mean_iou": 0.5},
    protocol="scenes",
    recipe={"name": "town", "train": {"crop": 256}},
    data={"digest": "0123abcd", "licence": "CC BY 4.0"},
    provenance={"seed": "7", "geoseg": "0.1.0", "torch": "2.15.0"},
)


HALF_METRE = Affine(0.5, 0, 400000, 0, -0.5, 5000000)


def write(path, values, *, epsg=32633, transform=HALF_METRE, tags=None, **options):
    """A GeoTIFF of the values (band, row, col)."""
    count, height, width = values.shape
    crs = None if epsg is None else CRS.from_epsg(epsg)
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **options) as file:
        file.write(values)
        file.update_tags(**(tags or {}))
    return path


def write_model(path, card=CARD):
    """The header of a bundle, without weights."""
    text = json.dumps({"__metadata__": make_header(card.to_json(), "")}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def texts(summary):
    return {fact.label: fact.text for fact in summary.facts}


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def test_a_scene_is_described_by_place_and_pixels(tmp_path):
    summary = describe(write(tmp_path / "a.tif", noise(3, 20, 30, dtype=np.uint16), nodata=0))
    said = texts(summary)
    assert summary.kind == "scene"
    assert said["size"] == "20 x 30 pixels (height x width)"
    assert said["CRS"] == "EPSG:32633 (WGS 84 / UTM zone 33N)"
    assert said["GSD"].startswith("0.5")
    assert said["orientation"] == "north-up"
    assert said["pixel type"] == "uint16"
    assert said["valid pixels"] == "by nodata 0"
    assert summary.classes == ()


@pytest.mark.parametrize(
    ("transform", "orientation"),
    [
        (Affine(0.5, 0, 4e5, 0, 0.5, 5e6), "south-up"),
        (Affine(0.4, 0.3, 4e5, 0.3, -0.4, 5e6), "rotated"),
    ],
)
def test_unusual_orientations_are_named(tmp_path, transform, orientation):
    assert texts(describe(write(tmp_path / "a.tif", noise(3, 5, 5), transform=transform)))["orientation"] == orientation


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_without_place_has_unknown_gsd_and_a_note(tmp_path):
    summary = describe(write(tmp_path / "a.tif", noise(3, 5, 5), epsg=None, transform=Affine.identity()))
    said = texts(summary)
    assert (said["CRS"], said["GSD"], said["orientation"]) == ("none", "unknown", "unknown: coordinates are pixels")
    assert any(note.startswith("no CRS") for note in summary.notes)


@pytest.fixture
def mask(tmp_path):
    values = np.zeros((1, 10, 20), np.uint8)
    values[0, :5] = 1
    values[0, :, 0] = 255
    tags = {"GEOSEG_CLASSES": LEGEND.to_json(), "GEOSEG_MODEL": "best.safetensors"}
    return write(tmp_path / "mask.tif", values, nodata=255, tags=tags)


def test_a_mask_has_its_legend_with_pixels_share_and_area(mask):
    summary = describe(mask)
    land, roof = summary.classes
    assert (summary.kind, summary.counted) == ("mask", "pixels")
    assert (land.name, land.colour, land.count, land.share) == ("land", "#102030", 95, 0.5)
    assert (roof.name, roof.count) == ("roof", 95)
    assert land.area_m2 == pytest.approx(95 * 0.25, rel=2e-3)  # the grid scale of UTM


def test_a_description_shows_its_facts_and_classes(mask):
    lines = repr(describe(mask)).splitlines()
    assert lines[0] == f"FileInfo(mask, {str(mask)!r})"
    assert "  size          10 x 20 pixels (height x width)" in lines
    assert "  class 1  roof: 95 pixels" in lines


def test_a_mask_tells_its_unlabelled_pixels_and_its_model(mask):
    said = texts(describe(mask))
    assert said["unlabelled"].startswith("10 pixels")
    assert said["tag model"] == "best.safetensors"


@pytest.mark.parametrize(("dtype", "objects"), [(np.uint8, 255), (np.uint16, 255), (np.uint16, 4000), (np.int16, -3)])
@pytest.mark.parametrize("nodata", [None, 0])
def test_values_of_other_programs_are_classes_unless_they_are_nodata(tmp_path, dtype, objects, nodata):
    values = np.zeros((1, 30, 20), dtype)
    values[0, 4:9, 3:9] = objects
    summary = describe(write(tmp_path / "labels.tif", values, nodata=nodata))
    counts = {row.name: row.count for row in summary.classes}
    assert summary.kind == "label raster"
    assert counts == {str(objects): 30} | ({"0": 570} if nodata is None else {})
    assert texts(summary)["unlabelled"] == f"{0 if nodata is None else 570} pixels (not valid)"
    assert summary.classes[0].area_m2 == pytest.approx(summary.classes[0].count * 0.25, rel=2e-3)


def test_255_without_nodata_is_noted(tmp_path):
    values = np.full((1, 4, 4), 255, np.uint8)
    assert any("255" in note for note in describe(write(tmp_path / "a.tif", values)).notes)
    assert not any("255" in note for note in describe(write(tmp_path / "b.tif", values, nodata=255)).notes)


def test_a_band_of_many_values_is_a_scene_even_if_its_overview_has_few(tmp_path):
    values = np.zeros((1, 2000, 2000), np.uint16)
    values[0, 1, 1:1001] = np.arange(1000)
    assert describe(write(tmp_path / "a.tif", values)).kind == "scene"


def test_classes_that_do_not_occur_are_shown_with_zero(tmp_path):
    tags = {"GEOSEG_CLASSES": LEGEND.to_json()}
    summary = describe(write(tmp_path / "mask.tif", np.zeros((1, 4, 4), np.uint8), tags=tags))
    assert [row.count for row in summary.classes] == [16, 0]


def test_values_outside_the_legend_are_shown_too(tmp_path):
    tags = {"GEOSEG_CLASSES": LEGEND.to_json()}
    summary = describe(write(tmp_path / "mask.tif", np.full((1, 4, 4), 9, np.uint8), tags=tags))
    assert [(row.name, row.count) for row in summary.classes] == [("land", 0), ("roof", 0), ("9", 16)]


def test_a_mask_of_nothing_has_no_shares(tmp_path):
    tags = {"GEOSEG_CLASSES": LEGEND.to_json()}
    summary = describe(write(tmp_path / "mask.tif", np.full((1, 4, 4), 255, np.uint8), tags=tags, nodata=255))
    assert [row.share for row in summary.classes] == [0, 0]


def test_a_band_of_few_values_is_a_label_raster(tmp_path):
    summary = describe(write(tmp_path / "labels.tif", noise(1, 40, 40) // 100))
    assert summary.kind == "label raster"
    assert [row.name for row in summary.classes] == ["0", "1"]
    assert sum(row.count for row in summary.classes) == 1600


def test_a_band_of_many_values_is_a_scene(tmp_path):
    assert describe(write(tmp_path / "grey.tif", noise(1, 40, 40))).kind == "scene"


def test_colours_of_a_palette_are_shown(tmp_path):
    path = write(tmp_path / "labels.tif", noise(1, 40, 40) // 100)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 1: (255, 0, 16, 255)})
    assert [row.colour for row in describe(path).classes] == ["#010203", "#ff0010"]


class Counter:
    """A progress that counts what it is told."""

    def __init__(self):
        self.announced = self.done = 0

    def __call__(self, total, description):
        assert description
        self.announced += total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def advance(self, steps=1, note=""):
        assert not note
        self.done += steps


def test_large_masks_are_counted_strip_by_strip_with_progress(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.file_info.describe_raster.STRIP_PIXELS", 20 * 64)
    progress = Counter()
    summary = describe(write(tmp_path / "labels.tif", noise(1, 100, 64) // 100, blockysize=16), progress=progress)
    assert sum(row.count for row in summary.classes) == 6400
    assert progress.announced == progress.done == 7


def test_a_model_is_described_by_its_card_without_its_weights(tmp_path):
    summary = describe(write_model(tmp_path / "m.safetensors"))
    said = texts(summary)
    assert summary.kind == "model"
    assert said["network"] == "resnet50 with deeplabv3plus"
    assert said["bands"] == "3: red, green, nir"
    assert said["mean"].startswith("100, 90.5, 80.25")
    assert said["GSD"] == "0.3 m per pixel"
    assert said["scores"] == "mean_iou 0.5000"
    assert said["protocol"] == "scenes"
    assert said["recipe"] == "town"
    assert said["data"] == "digest 0123abcd, licence CC BY 4.0"
    assert (said["seed"], said["geoseg"], said["torch"]) == ("7", "0.1.0", "2.15.0")
    assert len(said["digest"]) == 16
    assert [(row.name, row.colour, row.count) for row in summary.classes][1] == ("roof", "#405060", None)


def test_a_model_without_gsd_and_scores_says_so(tmp_path):
    card = replace(CARD, gsd=None, scores={}, protocol="", recipe={}, data={}, provenance={})
    said = texts(describe(write_model(tmp_path / "m.safetensors", card)))
    assert (said["GSD"], said["scores"]) == ("unknown", "none recorded")
    assert said["protocol"] == said["recipe"] == said["data"] == ""


def test_what_a_model_learnt_from_is_json_for_programs(tmp_path):
    content = describe(write_model(tmp_path / "m.safetensors")).to_json()
    assert content["protocol"] == "scenes"
    assert content["recipe"]["train"]["crop"] == 256
    assert content["data"]["digest"] == "0123abcd"


def test_the_folder_of_a_run_means_its_best_model(tmp_path):
    write_model(tmp_path / "best.safetensors")
    assert describe(tmp_path).kind == "model"


def test_a_recipe_is_shown_whole_and_can_be_loaded_again(tmp_path):
    summary = describe("sample")
    path = tmp_path / "sample.yaml"
    path.write_text(summary.text)
    assert summary.kind == "recipe"
    assert load_recipe(path) == load_recipe("sample")


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("samle", ConfigError, "unknown recipe samle"),
        ("nowhere.yaml", ConfigError, "unknown recipe"),
        ("nowhere.tif", SceneError, "does not exist"),
        ("nowhere.safetensors", BundleError, "does not exist"),
    ],
)
def test_what_does_not_exist_is_answered_in_the_terms_of_its_suffix(source, error, says):
    with pytest.raises(error, match=says):
        describe(source)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(SceneError, match="is a folder"):
        describe(tmp_path)


def test_everything_said_is_also_json(mask, tmp_path):
    for source in (mask, write_model(tmp_path / "m.safetensors"), "sample"):
        content = json.loads(json.dumps(describe(source).to_json(), allow_nan=False))
        assert content["source"] == str(source)
    assert content["recipe"]["model"]["head"] == "deeplabv3plus"


def test_json_has_numbers_where_people_read_text(mask):
    content = describe(mask).to_json()
    assert content["size"] == [10, 20]
    assert content["classes"][1]["count"] == 95


def test_no_torch_is_loaded(mask, tmp_path):
    sources = [str(mask), str(write_model(tmp_path / "m.safetensors")), "sample"]
    call = f"""
import sys
from geoseg.file_info.describe import describe
for source in {sources!r}:
    describe(source)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", call], check=True)
