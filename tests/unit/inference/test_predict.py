import inspect
import logging
import math
import tracemalloc
import weakref
from dataclasses import fields

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch
from affine import Affine
from helpers.models import EXACT, Heard, Nowhere, Threshold, bundle, pixels, threshold_bundle, write_scene
from rasterio.control import GroundControlPoint

import geoseg
from geoseg.bundle import digest_file
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, ConfigError, GeosegError, OutputError, SceneError
from geoseg.inference import predict as module
from geoseg.inference import predict_many as many
from geoseg.inference import predict_missing
from geoseg.inference.options import PredictOptions
from geoseg.inference.predict import predict
from geoseg.inference.predict_many import predict_many
from geoseg.legend import IGNORE_INDEX
from geoseg.models.build import build_network
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter


class Sink(MemoryWriter):
    """Remembers how it ended."""

    ended = ""

    def finish(self):
        super().finish()
        self.ended += "finished"

    def abandon(self):
        super().abandon()
        self.ended += "abandoned"


def mask_of(scene, model, **options):
    sink = Sink()
    prediction = predict(scene, sink, model=model, **EXACT, **options)
    assert sink.ended == "finished"
    return sink.mask, prediction


@pytest.fixture
def scene(tmp_path):
    """One band of 50 x 37 pixels."""
    return write_scene(tmp_path / "scene.tif", pixels(50, 37, bands=1))


def expected(path):
    with rasterio.open(path) as dataset:
        return (dataset.read(1) > 4).astype(np.uint8)


@pytest.mark.parametrize("blend", ["crop", "weighted"])
def test_a_scene_becomes_a_mask_on_its_grid(scene, tmp_path, blend):
    prediction = predict(scene, tmp_path / "mask.tif", model=threshold_bundle(), blend=blend, **EXACT)
    with rasterio.open(prediction.path) as mask, rasterio.open(scene) as original:
        assert (mask.transform, mask.crs, mask.shape) == (original.transform, original.crs, original.shape)
        assert (mask.dtypes, mask.nodata) == (("uint8",), IGNORE_INDEX)
        np.testing.assert_array_equal(mask.read(1), expected(scene))
    assert prediction.shape == (50, 37)
    assert prediction.tiles == math.ceil(50 / 8) * math.ceil(37 / 8)
    assert prediction.skipped == 0
    assert prediction.device == "cpu, torch, float32"
    assert prediction.seconds > 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 2), (17, 1), (15, 16)])
@pytest.mark.parametrize("blend", ["crop", "weighted"])
def test_scenes_smaller_than_a_tile_work(tmp_path, shape, blend):
    path = write_scene(tmp_path / "small.tif", pixels(*shape, bands=1))
    np.testing.assert_array_equal(mask_of(path, threshold_bundle(), blend=blend)[0], expected(path))


@pytest.mark.parametrize("blend", ["crop", "weighted"])
def test_nodata_stays_nodata_and_empty_views_skip_the_network(tmp_path, blend):
    values = pixels(64, 64, bands=1, low=1)
    values[:, :40], values[:, 50, 50] = 0, 0
    path = write_scene(tmp_path / "holes.tif", values, nodata=0)
    model = threshold_bundle()
    mask, prediction = mask_of(path, model, blend=blend, tile=16, halo=2, batch=3)
    np.testing.assert_array_equal(mask == IGNORE_INDEX, values[0] == 0)
    np.testing.assert_array_equal(mask[values[0] != 0], expected(path)[values[0] != 0])
    assert prediction.skipped > 0
    assert sum(shape[0] for shape in model.network.seen) == prediction.tiles - prediction.skipped
    assert {shape[0] for shape in model.network.seen[:-1]} == {3}, "batches are full until the last"


@pytest.mark.timeout(60)
def test_few_valid_pixels_in_a_large_scene_do_not_hold_back_the_rest(tmp_path):
    values = np.zeros((1, 400, 100), np.uint8)
    values[0, 3, 3] = 7
    path = write_scene(tmp_path / "scene.tif", values, nodata=0)
    written = []

    class Watched(Sink):
        def write(self, window, pixels):
            written.append(len(model.network.seen))
            super().write(window, pixels)

    model = threshold_bundle()
    predict(path, sink := Watched(), model=model, **EXACT, batch=4, blend="crop")
    assert written[0] == 1
    assert len(written) == 50
    assert (sink.mask != IGNORE_INDEX).nonzero() == ([3], [3])


def test_a_scene_without_any_valid_pixel_gives_an_empty_mask(tmp_path):
    path = write_scene(tmp_path / "empty.tif", np.zeros((1, 20, 20), np.uint8), nodata=0)
    model = threshold_bundle()
    mask, prediction = mask_of(path, model)
    assert (mask == IGNORE_INDEX).all()
    assert prediction.skipped == prediction.tiles
    assert model.network.seen == []


@pytest.mark.parametrize("factor", [2, 1 / 2, 3.3, 1.4, 1 / 1.7])
@pytest.mark.parametrize("blend", ["crop", "weighted"])
def test_a_model_of_another_gsd_still_makes_a_mask_on_the_scenes_grid(tmp_path, factor, blend):
    values = np.kron(pixels(6, 5, bands=1, low=1), np.ones((1, 20, 20), np.uint8))
    values[0, 30, 41] = values[0, 77:, 3] = 0
    path = write_scene(tmp_path / "scene.tif", values, nodata=0)
    model = threshold_bundle(gsd=0.3 * factor, tile=32, halo=6)
    mask, prediction = mask_of(path, model, blend=blend)
    valid = values[0] != 0
    assert "resampled while reading" in prediction.notes[-1]
    assert {shape[2:] for shape in model.network.seen} == {(32, 32)}
    np.testing.assert_array_equal(mask == IGNORE_INDEX, ~valid)
    assert (mask == expected(path))[valid].mean() > 0.93, "only pixels along the squares' borders may differ"


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.26, 0.15, 400_000, 0.15, -0.26, 5_800_000),
        Affine(0.3, 0, 400_000, 0, 0.3, 5_800_000),
        Affine(0.3, 0.1, 0, 0.05, -0.4, 0),
    ],
    ids=["rotated", "south-up", "sheared"],
)
def test_any_transform_is_kept(tmp_path, transform):
    path = write_scene(tmp_path / "scene.tif", pixels(30, 20, bands=1), transform=transform)
    predict(path, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.transform.almost_equals(transform)
        np.testing.assert_array_equal(mask.read(1), expected(path))


def test_ground_control_points_are_carried_over(tmp_path):
    points = [GroundControlPoint(row, col, 400_000 + col, 5_800_000 - row) for row, col in [(0, 0), (0, 20), (20, 0)]]
    path = write_scene(tmp_path / "scene.tif", pixels(20, 20, bands=1), transform=None, gcps=points)
    prediction = predict(path, tmp_path / "mask.tif", model=threshold_bundle(gsd=0.3), **EXACT)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert [(p.row, p.col, p.x, p.y) for p in mask.gcps[0]] == [(p.row, p.col, p.x, p.y) for p in points]
    assert any("ground control points" in note for note in prediction.notes)
    assert any("GSD is unknown" in note for note in prediction.notes)


def test_the_mask_says_where_it_comes_from(tmp_path):
    path = write_scene(tmp_path / "scene.tif", pixels(9, 9, bands=1), tags={"TIFFTAG_DATETIME": "2026:05:04 10:00:00"})
    (tmp_path / "town.safetensors").write_bytes(b"weights")
    model = threshold_bundle(gsd=0.6)
    model = type(model)(model.network, model.card, str(tmp_path / "town.safetensors"))
    predict(path, tmp_path / "mask.tif", model=model, **EXACT)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        tags = mask.tags()
    wanted = {
        "GEOSEG_MODEL": "town.safetensors",
        "GEOSEG_MODEL_DIGEST": digest_file(tmp_path / "town.safetensors"),
        "GEOSEG_VERSION": geoseg.__version__,
        "GEOSEG_SOURCE": "scene.tif",
        "GEOSEG_TILE": "16",
        "GEOSEG_HALO": "4",
        "GEOSEG_BLEND": "weighted",
        "GEOSEG_GSD": "0.6",
        "TIFFTAG_DATETIME": "2026:05:04 10:00:00",
    }
    assert {key: tags.get(key) for key in wanted} == wanted


def test_notes_are_returned_and_logged(tmp_path, caplog):
    path = write_scene(tmp_path / "scene.tif", pixels(9, 9, bands=1), names=("grey",))
    with caplog.at_level(logging.INFO, "geoseg"):
        _, prediction = mask_of(path, threshold_bundle())
    assert prediction.notes == ("using scene bands grey as model inputs red",)
    assert prediction.notes[0] in caplog.text


def test_bands_are_chosen_by_the_user_and_by_name(tmp_path):
    values = pixels(9, 9, bands=4)
    path = write_scene(tmp_path / "scene.tif", values, names=("nir", "blue", "green", "red"))
    np.testing.assert_array_equal(mask_of(path, threshold_bundle())[0], values[3] > 4)
    np.testing.assert_array_equal(mask_of(path, threshold_bundle(), bands="green")[0], values[2] > 4)
    np.testing.assert_array_equal(mask_of(path, threshold_bundle(), bands=["2"])[0], values[1] > 4)


def test_a_model_may_be_a_file(scene, tmp_path):
    section = ModelSection.model_validate({"backbone": "resnet18", "auxiliary_weight": 0})
    network = build_network(section, bands=1, classes=3)
    path = bundle(network, model=section, bands=("red",), tile=64).save(tmp_path / "town.safetensors")
    by_path, _ = mask_of(scene, path)
    np.testing.assert_array_equal(by_path, mask_of(scene, geoseg.load(path))[0])


def test_an_open_scene_stays_open(scene):
    with Scene.open(scene) as opened:
        mask_of(opened, threshold_bundle())
        mask_of(opened, threshold_bundle())


def test_progress_hears_of_every_tile(scene):
    heard = Heard()
    _, prediction = mask_of(scene, threshold_bundle(), progress=heard)
    assert heard.announced == [sum(heard.done)] == [prediction.tiles]


def test_options_and_their_defaults_are_those_of_the_dataclass():
    defaults = {option.name: option.default for option in fields(PredictOptions)}
    for verb in (predict, predict_many):
        parameters = inspect.signature(verb).parameters
        assert {name: parameters[name].default for name in defaults} == defaults
        assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize(
    "options",
    [
        {
            "tile": 256, "halo": 8, "batch": 2, "border": "mean", "blend": "crop", "window": "linear", "tta": "d4",
            "bands": ("nir", "red"), "any_dtype": True, "gsd": 0.3, "bbox": (1, 2, 3.5, 4), "bbox_crs": "EPSG:4326",
            "aoi": "parks.gpkg", "on_read_error": "skip", "device": "cuda:0", "precision": "bfloat16", "engine": "openvino",
        },
        {"mode": "slide", "stride": 100},
    ],
)  # fmt: skip
def test_every_option_arrives(scene, tmp_path, monkeypatch, options):
    received = []
    monkeypatch.setattr(module, "run_prediction", lambda *arguments, **_: received.append(arguments[3]))
    monkeypatch.setattr(many, "run_prediction", lambda *arguments, **_: received.append(arguments[3]))
    predict(scene, MemoryWriter(), model=threshold_bundle(), **options)
    list(predict_many([str(scene)], tmp_path / "masks", model=threshold_bundle(), **options))
    assert received == [PredictOptions(**options)] * 2


def test_a_misspelt_option_is_pythons_own_error(scene):
    with pytest.raises(TypeError, match="tiel"):
        predict(scene, model=threshold_bundle(), tiel=256)


def test_further_files_need_a_file_for_the_mask(scene, tmp_path):
    with pytest.raises(ConfigError, match="require a file"):
        predict(scene, model=threshold_bundle(), confidence=tmp_path / "c.tif", **EXACT)


# What goes wrong, and what is left then


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "no.safetensors"}, BundleError),
        ({"scene": "no.tif"}, SceneError),
        ({"output": "no/such/folder/mask.tif"}, OutputError),
        ({"output": "scene.tif", "overwrite": True}, OutputError),
        ({"tile": 8, "halo": 4}, ConfigError),
        ({"batch": 0}, ConfigError),
        ({"blend": "crap"}, ConfigError),
        ({"device": "gpu"}, ConfigError),
        ({"bands": "blue"}, BundleError),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(scene, tmp_path, monkeypatch, options, error):
    monkeypatch.chdir(tmp_path)
    content = scene.read_bytes()
    arguments = {"scene": "scene.tif", "output": "mask.tif", "model": threshold_bundle(), **EXACT} | options
    with pytest.raises(error):
        predict(arguments.pop("scene"), arguments.pop("output"), **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
    assert scene.read_bytes() == content


def test_a_scene_too_wide_for_the_memory_is_refused_and_leaves_nothing(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_missing, "physical_memory", lambda: 1000)
    with pytest.raises(SceneError, match=r"pixels wide, needs .* GB of memory; this machine has 0\.0 GB") as caught:
        predict(scene, tmp_path / "mask.tif", model=threshold_bundle())
    assert "--bbox" in caught.value.hint
    assert not list(tmp_path.glob("mask*"))


def test_an_existing_mask_is_kept_unless_told_otherwise(scene, tmp_path):
    (tmp_path / "mask.tif").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        predict(scene, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT)
    assert (tmp_path / "mask.tif").read_text() == "precious"
    predict(scene, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT, overwrite=True)
    assert (tmp_path / "mask.tif").read_bytes()[:2] == b"II"


def test_a_truncated_scene_names_the_window_and_leaves_nothing(tmp_path):
    path = write_scene(tmp_path / "strips.tif", pixels(400, 400, bands=1))
    # A Cloud Optimized GeoTIFF has its directory in front, so it opens without its end.
    rasterio.shutil.copy(path, tmp_path / "scene.tif", driver="COG", blocksize=128, compress="NONE")
    path.unlink()
    path = tmp_path / "scene.tif"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(SceneError, match="rows"):
        predict(path, tmp_path / "mask.tif", model=threshold_bundle(), **EXACT)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


class Stops(Threshold):
    """Raises an error the second time it is asked."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, images):
        if self.seen:
            raise self.error
        return super().forward(images)


@pytest.mark.parametrize(
    ("raised", "caught"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (torch.OutOfMemoryError("CUDA out of memory"), GeosegError)],
)
def test_stopping_midway_leaves_nothing_and_the_old_mask_as_it_was(scene, tmp_path, raised, caught):
    (tmp_path / "mask.tif").write_text("old")
    model = bundle(Stops(raised), bands=("red",), classes=2)
    with pytest.raises(caught):
        predict(scene, tmp_path / "mask.tif", model=model, **EXACT, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.tif", "scene.tif"]
    assert (tmp_path / "mask.tif").read_text() == "old"


@pytest.mark.timeout(30)
def test_an_error_in_a_reading_thread_abandons_the_mask(scene, monkeypatch):
    read = Scene.read

    def fails_below(self, window, *arguments, **options):
        if window.row > 20:
            raise SceneError("the disk was pulled out")
        return read(self, window, *arguments, **options)

    monkeypatch.setattr(Scene, "read", fails_below)
    sink = Sink()
    with pytest.raises(SceneError, match="pulled out"):
        predict(scene, sink, model=threshold_bundle(), **EXACT)
    assert sink.ended == "abandoned"


# Memory


def living_rasters(monkeypatch):
    """Counts rasters that a scene has read and nobody has let go of; gives a function that tells the most at once."""
    read, living, most = Scene.read, weakref.WeakSet(), [0]

    def counting(self, *arguments, **options):
        raster = read(self, *arguments, **options)
        living.add(raster.grid)
        most[0] = max(most[0], len(living))
        return raster

    monkeypatch.setattr(Scene, "read", counting)
    return lambda: most[0]


@pytest.mark.parametrize("blend", ["crop", "weighted"])
def test_memory_does_not_grow_with_the_height_of_the_scene(tmp_path, blend):
    peaks = {}
    model = threshold_bundle(tile=64, halo=8)
    for height in (200, 3200):
        path = write_scene(tmp_path / f"{height}.tif", pixels(height, 150, bands=1), tiled=True)
        predict(path, Nowhere(), model=model, **EXACT, blend=blend)
        tracemalloc.start()
        predict(path, Nowhere(), model=model, **EXACT, blend=blend)
        peaks[height] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[3200] < 1.5 * peaks[200] + 200_000


@pytest.mark.parametrize("batch", [1, 4])
def test_no_more_tiles_are_held_than_three_batches_and_one(tmp_path, monkeypatch, batch):
    path = write_scene(tmp_path / "scene.tif", pixels(400, 100, bands=1))
    most = living_rasters(monkeypatch)
    predict(path, Nowhere(), model=threshold_bundle(), **EXACT, batch=batch)
    assert most() <= 3 * batch + 1
