import numpy as np
import pytest
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import ConfigError, SceneError
from geoseg.raster import class_values
from geoseg.raster.class_values import ClassValues, IgnoredValues, count_values
from geoseg.raster.scene import Scene


@given(st.sets(st.integers(-(2**31), 2**31 - 1), max_size=40))
def test_every_value_is_a_class_named_by_itself(values):
    classes = ClassValues.of(values)
    assert {value: int(classes.legend.names[index]) for value, index in classes.indices.items()} == {
        value: value for value in values
    }
    assert "0" in classes.legend.names


def test_values_below_255_are_their_own_indices():
    assert ClassValues.of([2, 0]).indices == {0: 0, 2: 2}
    assert ClassValues.of([0, 255]).indices == {0: 0, 255: 1}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_values_are_counted_as_by_numpy(tmp_path, monkeypatch, dtype, rows):
    monkeypatch.setattr(class_values, "STRIP_PIXELS", 30 * rows)
    values = noise(50, 30, low=0, high=100).astype(dtype)
    if np.iinfo(dtype).max > 255:
        values[values == 3] = 1000
    with Scene.open(make_raster(tmp_path / "m.tif", values[None], **UTM, nodata=5, blockysize=1)) as scene:
        everything = dict(zip(*map(np.ndarray.tolist, np.unique(values, return_counts=True)), strict=True))
        assert count_values(scene, IgnoredValues.parse(["none"])) == everything
        assert count_values(scene) == {value: n for value, n in everything.items() if value != 5}
        assert count_values(scene, IgnoredValues.parse(["7"])) == {
            value: n for value, n in everything.items() if value not in (5, 7)
        }


def test_an_image_has_too_many_values_for_a_mask(tmp_path):
    with (
        Scene.open(make_raster(tmp_path / "m.tif", noise(1, 64, 64, dtype=np.uint16, high=9999), **UTM)) as scene,
        pytest.raises(SceneError, match="more than 255 different values"),
    ):
        count_values(scene)


def test_none_is_not_combined_with_a_value():
    with pytest.raises(ConfigError, match="none"):
        IgnoredValues.parse(["none", "255"])


def test_255_values_of_which_none_is_0_are_255_classes():
    classes = ClassValues.of(range(1, 256))
    assert len(classes.legend) == 255
    assert sorted(classes.indices.values()) == list(range(255))


@pytest.mark.parametrize("word", ["foo", "--5", "1.5", ""])
def test_only_integers_and_none_can_be_ignored(word):
    with pytest.raises(ConfigError, match="is not a pixel value"):
        IgnoredValues.parse([word])
    assert IgnoredValues.parse([word, "-3"], skip_others=True).values == {-3}
