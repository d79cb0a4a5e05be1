"""Many scenes: a mask each whatever happens to the others, or one mask for all."""

import numpy as np
import pytest
import rasterio
from helpers.models import EXACT, TRANSFORM, Convolutions, bundle, pixels, threshold_bundle, write_scene

from geoseg.errors import ConfigError, OutputError, SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.inference.predict import predict
from geoseg.inference.predict_many import predict_many
from geoseg.raster.writers.memory import MemoryWriter


@pytest.fixture
def scenes(tmp_path):
    """Three scenes of one band, of which the second is broken."""
    (tmp_path / "in").mkdir()
    paths = [write_scene(tmp_path / "in" / f"{name}.tif", pixels(20, 30, bands=1)) for name in "abc"]
    paths[1].write_text("no raster")
    return [str(path) for path in paths]


def outcomes(scenes, folder, **options):
    return list(predict_many(scenes, folder, **({"model": threshold_bundle(), **EXACT} | options)))


def test_a_broken_scene_stops_none_of_the_others(scenes, tmp_path):
    first, second, third = outcomes(scenes, tmp_path / "masks")
    assert (first.error, second.prediction, third.error) == (None, None, None)
    assert isinstance(second.error, SceneError)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        "a_mask.tif", "a_mask.tif.aux.xml", "c_mask.tif", "c_mask.tif.aux.xml"
    ]  # fmt: skip
    assert third.prediction.path == tmp_path / "masks" / "c_mask.tif"
    predict(scenes[0], sink := MemoryWriter(), model=threshold_bundle(), **EXACT)
    with rasterio.open(first.prediction.path) as mask:
        np.testing.assert_array_equal(mask.read(1), sink.mask)


def test_a_mask_that_exists_is_refused_before_anything_is_done(scenes, tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "c_mask.tif").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        outcomes(scenes, tmp_path / "masks")
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["c_mask.tif"]
    assert [outcome.error is None for outcome in outcomes(scenes, tmp_path / "masks", overwrite=True)] == [
        True,
        False,
        True,
    ]


def test_two_scenes_of_one_name_are_refused(scenes, tmp_path):
    (tmp_path / "A.tif").touch()
    with pytest.raises(OutputError, match="would both be written to"):
        outcomes([*scenes, str(tmp_path / "A.tif")], tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_a_mask_never_takes_the_place_of_a_scene(scenes, tmp_path):
    other = write_scene(tmp_path / "in" / "a_mask.tif", pixels(20, 30, bands=1))
    for attempt in (
        lambda: outcomes([scenes[0], str(other)], tmp_path / "in", overwrite=True),
        lambda: predict([scenes[0], str(other)], other, model=threshold_bundle(), overwrite=True),
    ):
        before = other.read_bytes()
        with pytest.raises(OutputError, match="would replace the scene"):
            attempt()
        assert other.read_bytes() == before


@pytest.mark.parametrize("place", ["masks.tif", "file"])
def test_many_masks_need_a_folder(scenes, tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="require a folder"):
        outcomes(scenes, tmp_path / place)


def test_an_option_without_sense_is_said_once(scenes, tmp_path):
    with pytest.raises(ConfigError):
        outcomes(scenes, tmp_path / "masks", tile=8, halo=4)


def test_progress_tells_which_scene_of_how_many(scenes, tmp_path):
    told = []

    class Task:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, steps=1, note=""): ...

    outcomes(scenes, tmp_path, progress=lambda total, words, **_: told.append((total, words)) or Task())
    assert told == [(3, "predicting scenes"), (12, "1/3 predicting a"), (12, "3/3 predicting c")]


def test_the_mask_of_a_mosaic_is_that_of_the_whole_scene(tmp_path):
    values, model = pixels(50, 70), bundle(Convolutions(7))
    grid = Grid(None, TRANSFORM, 50, 70)
    cuts = [Window(0, 0, 28, 70), Window(28, 0, 22, 33), Window(20, 33, 30, 37)]
    parts = [
        str(write_scene(tmp_path / f"{n}.tif", values[:, *cut.slices()], transform=grid.window_transform(cut)))
        for n, cut in enumerate(cuts)
    ]
    whole = write_scene(tmp_path / "whole.tif", values)
    predict(whole, sink := MemoryWriter(), model=model, **EXACT)
    prediction = predict(parts, tmp_path / "mask.tif", model=model, **EXACT)
    assert prediction.shape == (50, 70)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        np.testing.assert_array_equal(mask.read(1), sink.mask)
        assert mask.transform.almost_equals(TRANSFORM)
        assert mask.tags()["GEOSEG_SOURCE"] == "0_and_2_more.vrt"
