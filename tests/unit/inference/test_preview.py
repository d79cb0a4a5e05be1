"""The picture of a prediction shows the scene, and the mask's colours over it."""

import numpy as np
import pytest
from PIL import Image
from strategies_inference import EXACT, threshold_bundle, write_scene

from geoseg.errors import OutputError
from geoseg.inference.predict import predict
from geoseg.inference.preview import OPACITY
from geoseg.legend import Legend

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
    return [round(grey + (part - grey) * OPACITY) for part in colour]


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
    with pytest.raises(OutputError, match="become one file"):
        predict(scene, tmp_path / "mask.tif", model=model(), preview=tmp_path / "mask.tif", **EXACT)
    both = {"entropy": tmp_path / "mask.tif"}
    with pytest.raises(OutputError, match="become one file"):
        predict(scene, tmp_path / "mask.tif", model=model(), shares=both, **EXACT)
    for results in ({"preview": scene}, {"shares": {"confidence": scene}}):
        with pytest.raises(OutputError, match="would replace the scene"):
            predict(scene, tmp_path / "mask.tif", model=model(), overwrite=True, **results, **EXACT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.tif", "taken.png"]
    assert (taken.read_bytes(), scene.read_bytes()) == (b"precious", content)
