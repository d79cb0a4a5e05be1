"""Confidence rasters: which bands, in which units."""

import numpy as np
import pytest
from helpers.vectors import LEGEND, write_mask

from geoseg.errors import GridMismatch, SceneError
from geoseg.legend import Legend
from geoseg.raster.read_confidence import ConfidenceBands, open_confidence
from geoseg.raster.scene import Scene

NAMES = LEGEND.names
CLASSES = np.array([[0, 1, 2, 3, 255]], np.uint8)


def bands_of(path, names, legend):
    write_mask(path, np.zeros((len(names), 2, 2), np.int16), names=names)
    with Scene.open(path) as scene:
        return ConfidenceBands.find(scene, legend)


@pytest.mark.parametrize(
    ("names", "legend", "confidence", "classes"),
    [
        (["anything"], LEGEND, 0, None),
        (["a", "b"], None, None, (0, 1)),
        (["a", "b", "c", "d"], LEGEND, None, (0, 1, 2, 3)),
        ([*NAMES[::-1]], LEGEND, None, (3, 2, 1, 0)),
        (["extra", *NAMES], LEGEND, None, (1, 2, 3, 4)),
        (["confidence", *NAMES], LEGEND, 0, (1, 2, 3, 4)),
        (["entropy", "confidence"], LEGEND, 1, None),
    ],
)
def test_bands_are_found_by_name_or_number(tmp_path, names, legend, confidence, classes):
    assert bands_of(tmp_path / "a.tif", names, legend) == ConfidenceBands(confidence, classes)


def test_other_bands_are_an_error(tmp_path):
    with pytest.raises(SceneError, match="2 bands, but the mask has 4 classes"):
        bands_of(tmp_path / "a.tif", ["a", "b"], LEGEND)


@pytest.fixture
def open_values(tmp_path):
    def opened(values, legend=LEGEND, **options):
        path = write_mask(tmp_path / "a.tif", values, **options)
        with Scene.open(path) as scene:
            grid = scene.grid
        return open_confidence(path, grid, legend)

    return opened


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 254), (np.float32, 1)], ids=["bytes", "floats"])
def test_levels_are_steps_of_the_largest_probability(open_values, dtype, factor):
    shares = np.array([[[0.5, 1, 0]], [[0.25, 0, 1]]]) * factor
    with open_values(np.rint(shares * 2).astype(dtype) / 2 if factor == 1 else shares.astype(dtype), None) as raster:
        levels = raster.read_levels(raster.scene.grid.window)
    assert levels.tolist() == [[127, 254, 254]]


def test_levels_are_255_where_the_raster_is_not_valid(open_values):
    with open_values(np.array([[[7, 255]]], np.uint8), nodata=255) as raster:
        assert raster.read_levels(raster.scene.grid.window).tolist() == [[7, 255]]


def test_levels_of_wide_integers_are_an_error(open_values):
    with open_values(np.zeros((1, 2, 2), np.int16)) as raster, pytest.raises(SceneError, match="int16"):
        raster.read_levels(raster.scene.grid.window)


def test_probabilities_are_those_of_the_class_of_each_pixel(open_values):
    values = np.arange(20, dtype=np.uint8).reshape(4, 1, 5)
    with open_values(values, names=NAMES[::-1], scale=0.1) as raster:
        probabilities = raster.read_probabilities(CLASSES, 0)
    assert probabilities[0, :4].tolist() == pytest.approx([1.5, 1.1, 0.7, 0.3])
    assert np.isnan(probabilities[0, 4])


def test_one_band_holds_the_probability_of_any_class(open_values):
    with open_values(np.array([[[0, 127, 254, 1, 2]]], np.uint8), scale=1 / 254) as raster:
        assert raster.read_probabilities(CLASSES, 0)[0, :3].tolist() == pytest.approx([0, 0.5, 1])


def test_masks_of_another_size_are_refused(open_values, tmp_path):
    with open_values(np.zeros((1, 2, 2), np.uint8)) as raster:
        grid = raster.scene.grid.with_shape(4, 4)
    with pytest.raises(GridMismatch), open_confidence(tmp_path / "a.tif", grid, Legend.of(["a"])):
        pass
