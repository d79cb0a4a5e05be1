"""What a prediction would take, said before: tiles exactly, memory by the scene's width, nothing written."""

import pytest
from helpers.models import EXACT, bundle, pixels, threshold_bundle, write_scene

from geoseg.errors import ConfigError, SceneError
from geoseg.inference.estimate import estimate_prediction
from geoseg.inference.options import PredictOptions
from geoseg.inference.predict import predict
from geoseg.raster.writers.memory import MemoryWriter

WAYS = [{}, {"blend": "crop"}, {"tta": "flip"}, {"mode": "slide"}, {"mode": "slide", "tta": "ms+flip"}]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("more", [{}, {"bbox": (400_002, 5_799_988, 400_009, 5_799_996)}, {"tile": 24}])
def test_tiles_and_shape_are_those_of_the_prediction(tmp_path, way, more):
    path = write_scene(tmp_path / "scene.tif", pixels(50, 37))
    planned = estimate_prediction(path, model=bundle(), options=PredictOptions(**EXACT, **way, **more))
    made = predict(path, MemoryWriter(), model=bundle(), **EXACT, **way, **more)
    assert (planned.tiles, planned.shape, planned.notes) == (made.tiles, made.shape, made.notes)
    assert planned.device == made.device
    assert planned.seconds > 0


def plan(tmp_path, height, width, **options):
    path = write_scene(tmp_path / f"{height}x{width}.tif", pixels(height, width, bands=1), tiled=True)
    model = threshold_bundle(tile=64, halo=8)
    return estimate_prediction(path, model=model, options=PredictOptions(**EXACT | options))


@pytest.mark.parametrize("mode", ["blended", "slide"])
def test_memory_grows_with_the_width_and_not_with_the_height(tmp_path, mode):
    plan(tmp_path, 60, 60, mode=mode)  # what the process holds grows with the first passes
    low, high, wide = (plan(tmp_path, *shape, mode=mode) for shape in ((60, 600), (3000, 600), (60, 24_000)))
    assert high.memory - low.memory < 30e6
    assert wide.memory - low.memory > 4 * 2 * 64 * 23_000, "float32 scores of two classes in a row of tiles"
    assert high.tiles > 20 * low.tiles


def test_what_is_written_is_counted_by_bands(tmp_path):
    path = write_scene(tmp_path / "scene.tif", pixels(50, 40))
    sizes = [
        estimate_prediction(path, model=bundle(), shares=shares, options=PredictOptions(**EXACT)).size
        for shares in ((), ("confidence",), ("probabilities", "confidence", "entropy"))
    ]
    assert sizes == [50 * 40, 2 * 50 * 40, 6 * 50 * 40]


def test_nothing_is_written(tmp_path):
    path = write_scene(tmp_path / "scene.tif", pixels(50, 40))
    before = path.stat().st_mtime_ns
    estimate_prediction(path, model=bundle(), shares=["probabilities"], options=PredictOptions(**EXACT))
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mtime_ns == before


def test_what_cannot_work_is_refused_as_ever(tmp_path):
    path = write_scene(tmp_path / "scene.tif", pixels(50, 40))
    with pytest.raises(ConfigError):
        estimate_prediction(path, model=bundle(), options=PredictOptions(batch=0))
    with pytest.raises(SceneError):
        estimate_prediction(tmp_path / "no.tif", model=bundle())
