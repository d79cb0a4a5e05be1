"""Masks as sources: which rasters are masks, and what their classes are called."""

import numpy as np
import pytest
from helpers.vectors import LEGEND, write_mask

from geoseg.errors import ConfigError, SceneError
from geoseg.raster.scene import Scene
from geoseg.vector.mask_source import MaskClasses, MaskSource


def test_the_background_is_a_value_that_is_not_a_class(tmp_path):
    for dtype in (np.uint8, np.int16):
        with Scene.open(
            write_mask(tmp_path / f"{dtype.__name__}.tif", np.array([[3, 255]], dtype), nodata=255)
        ) as scene:
            source = MaskSource(scene)
            (strip,) = source.raster().strips()
            assert strip.tolist() == [[3, source.background]]


@pytest.mark.parametrize("values", [np.zeros((2, 4, 4), np.uint8), np.zeros((4, 4), np.float32)])
def test_images_and_heights_are_not_masks(tmp_path, values):
    with Scene.open(write_mask(tmp_path / "a.tif", values)) as scene, pytest.raises(SceneError, match="a mask must"):
        MaskSource(scene)


@pytest.mark.parametrize(
    ("values", "stored", "names", "note"),
    [
        ({0, 3}, LEGEND, LEGEND.names, None),
        ({0, 9}, LEGEND, LEGEND.names, "not in its legend"),
        ({0, 2}, None, ("0", "1", "2"), "no legend"),
        (set(range(256)) | {256}, None, None, "not class indices"),
        ({-5, 2}, None, None, "not class indices"),
        (set(), None, ("0",), "empty"),
    ],
)
def test_classes_have_the_stored_legend_or_are_named_by_their_values(values, stored, names, note):
    classes = MaskClasses(frozenset(values), stored)
    assert (classes.legend and classes.legend.names) == names
    assert [note in text for text in classes.notes] == ([] if note is None else [True])


def test_unknown_classes_are_errors_with_the_nearest_name():
    classes = MaskClasses(frozenset({0, 9}), LEGEND)
    classes.require(["water", "roof", "9"])
    with pytest.raises(ConfigError, match="no class 'rof'") as caught:
        classes.require(["rof"])
    assert "roof" in caught.value.hint
