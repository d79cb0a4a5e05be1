"""Tests of the checks of sliding-window prediction that need no network."""

import pytest

from geoseg.errors import ConfigError
from geoseg.inference.sliding.check_sliding import MULTI_SCALE_TTA, check_stride, default_stride
from geoseg.inference.tta import TTA


@pytest.mark.parametrize(("size", "stride"), [(512, 341), (769, 513), (1, 1), (2, 1)])
def test_the_default_stride_is_that_of_mmsegmentation(size, stride):
    assert default_stride(size) == stride


@pytest.mark.parametrize("stride", [0, 513])
def test_strides_that_leave_pixels_out_are_refused(stride):
    with pytest.raises(ConfigError, match=f"stride of {stride}") as caught:
        check_stride(stride, 512)
    assert "between 1 and 512" in caught.value.hint


def test_the_names_of_augmentations_with_several_scales_are_those_of_the_table():
    assert set(MULTI_SCALE_TTA) == {name for name in TTA if any(variant.scale != 1 for variant in TTA[name])}
