"""The result of a prediction: its mask, its summary, and the picture of scene and mask."""

import numpy as np
import pytest
from helpers.models import EXACT, threshold_bundle, write_scene
from PIL import Image

from geoseg.errors import OutputError
from geoseg.inference.predict import predict
from geoseg.inference.prediction import PREVIEW_MASK_OPACITY
from geoseg.legend import Legend
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter

COLOURS = {"low": "#ff0000", "high": "#0000ff"}


@pytest.fixture
def scene(tmp_path):
    """Above 2, below 8, and a corner of nodata."""
    values = np.full((1, 120, 160), 2, np.uint8)
    values[:, 60:], values[:, :40, :40] = 8, 0
    return write_scene(tmp_path / "scene.tif", values, nodata=0)


def model():
    return threshold_bundle(legend=Legend.of(COLOURS))


def drawn(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def count(picture, colour):
    return int((picture == np.array(colour)).all(axis=-1).sum())


def over(grey, colour):
    return [round(grey + (part - grey) * PREVIEW_MASK_OPACITY) for part in colour]


def test_a_mask_in_memory_is_that_in_a_file(scene, tmp_path):
    in_memory, on_disk = (
        predict(scene, model=model(), **EXACT),
        predict(scene, tmp_path / "m.tif", model=model(), **EXACT),
    )
    assert (in_memory.path, on_disk.path) == (None, tmp_path / "m.tif")
    for prediction in (in_memory, on_disk):
        assert prediction.mask.values.shape == (1, 120, 160)
        assert prediction.class_shares == {"high": 9600 / 17600, "low": 8000 / 17600}
    np.testing.assert_array_equal(in_memory.mask.valid, on_disk.mask.valid)
    np.testing.assert_array_equal(
        in_memory.mask.values[0][in_memory.mask.valid], on_disk.mask.values[0][on_disk.mask.valid]
    )
    assert in_memory.mask.grid.matches(on_disk.mask.grid)


def test_a_raster_is_predicted_like_its_file(scene):
    with Scene.open(scene) as opened:
        raster, bands = opened.read(opened.grid.window), opened.bands
    assert not raster.valid.all()
    from_file = predict(scene, model=model(), bands=bands, **EXACT).mask
    from_memory = predict(raster, model=model(), **EXACT).mask
    np.testing.assert_array_equal(from_memory.values, from_file.values)
    np.testing.assert_array_equal(from_memory.valid, from_file.valid)
    assert from_memory.grid.matches(from_file.grid)


def test_the_summary_names_file_size_classes_and_time(scene, tmp_path):
    prediction = predict(scene, tmp_path / "mask.tif", model=model(), **EXACT)
    text, html = repr(prediction), prediction._repr_html_()
    path = str(tmp_path / "mask.tif")
    for words in (path, "120 rows x 160 columns", "high 54.55%", "low 45.45%", "cpu, torch, float32"):
        assert words in text
        assert words in html
    assert "data:image/png;base64," in html


def test_the_summary_in_html_is_escaped(scene, tmp_path):
    legend = Legend.of({"<b>low</b>": "#ff0000", "high": "#0000ff"})
    prediction = predict(scene, model=threshold_bundle(legend=legend), **EXACT)
    assert "<b>" not in prediction._repr_html_()
    assert "&lt;b&gt;low" in prediction._repr_html_()


def test_the_summary_does_without_a_mask_that_is_gone_or_elsewhere(scene, tmp_path):
    gone = predict(scene, tmp_path / "mask.tif", model=model(), **EXACT)
    gone.path.unlink()
    elsewhere = predict(scene, MemoryWriter(), model=model(), **EXACT)
    for prediction in (gone, elsewhere):
        assert "120 rows x 160 columns" in repr(prediction)
        assert "<img" not in prediction._repr_html_()
    with pytest.raises(OutputError, match="caller-supplied writer"):
        _ = elsewhere.mask


# Previews


def test_it_shows_the_scene_and_the_mask_in_its_colours(scene, tmp_path):
    predict(scene, tmp_path / "mask.tif", model=model(), preview=tmp_path / "look.png", **EXACT)
    picture = drawn(tmp_path / "look.png")
    assert picture.shape[0] >= 120
    assert picture.shape[1] >= 2 * 160
    assert count(picture, [8, 8, 8]) >= 60 * 160, "the scene as it is"
    assert count(picture, over(2, (255, 0, 0))) == 60 * 160 - 40 * 40, "red where it is low and valid"
    assert count(picture, over(8, (0, 0, 255))) == 60 * 160


def test_it_shows_the_area_that_was_predicted(scene, tmp_path):
    bbox = (400_000, 5_800_000 - 0.3 * 120, 400_000 + 0.3 * 160, 5_800_000 - 0.3 * 60)
    predict(scene, tmp_path / "mask.tif", model=model(), preview=tmp_path / "look.png", bbox=bbox, **EXACT)
    picture = drawn(tmp_path / "look.png")
    assert count(picture, over(8, (0, 0, 255))) == 60 * 160
    assert count(picture, over(2, (255, 0, 0))) == 0


def test_large_scenes_are_drawn_smaller(tmp_path):
    values = np.full((1, 3000, 40), 8, np.uint8)
    scene = write_scene(tmp_path / "scene.tif", values)
    predict(scene, tmp_path / "mask.tif", model=model(), preview=tmp_path / "look.png", tile=128, **EXACT)
    picture = drawn(tmp_path / "look.png")
    assert 1024 <= picture.shape[0] < 1300
    assert count(picture, over(8, (0, 0, 255))) >= 1000 * 13


def test_results_never_take_the_place_of_each_other_or_of_the_scene(scene, tmp_path):
    taken = tmp_path / "taken.png"
    taken.write_bytes(b"precious")
    content = scene.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        predict(scene, tmp_path / "mask.tif", model=model(), preview=taken, **EXACT)
    with pytest.raises(OutputError, match="have the same path"):
        predict(scene, tmp_path / "mask.tif", model=model(), preview=tmp_path / "mask.tif", **EXACT)
    both = {"entropy": tmp_path / "mask.tif"}
    with pytest.raises(OutputError, match="have the same path"):
        predict(scene, tmp_path / "mask.tif", model=model(), **both, **EXACT)
    for results in ({"preview": scene}, {"confidence": scene}):
        with pytest.raises(OutputError, match="would replace the scene"):
            predict(scene, tmp_path / "mask.tif", model=model(), overwrite=True, **results, **EXACT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.tif", "taken.png"]
    assert (taken.read_bytes(), scene.read_bytes()) == (b"precious", content)
