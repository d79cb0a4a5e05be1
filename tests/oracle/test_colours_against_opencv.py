"""HSV is OpenCV's for every colour, and whole changes are what its functions and numpy make of the same amounts.

`python benchmarks/parity` compares with mmsegmentation itself.
"""

import numpy as np
import pytest
from helpers.colors import all_to_hsv, all_to_rgb, amounts, grid
from hypothesis import given
from hypothesis import strategies as st

from geoseg.augment.photometric_distortion import distort

cv2 = pytest.importorskip("cv2")


def test_every_colour_has_opencvs_hue_saturation_and_value() -> None:
    expected = cv2.cvtColor(grid(256, 256, 256), cv2.COLOR_RGB2HSV)
    assert np.array_equal(all_to_hsv(grid(256, 256, 256)), expected)


def test_every_hue_saturation_and_value_has_opencvs_colour() -> None:
    expected = cv2.cvtColor(grid(180, 256, 256), cv2.COLOR_HSV2RGB)
    assert np.array_equal(all_to_rgb(grid(180, 256, 256)), expected)


@given(amounts, st.integers(0, 2**32))
def test_changes_are_those_of_opencv_and_numpy(amounts, seed) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    ours = distort(np.moveaxis(image, 2, 0), amounts)
    assert np.array_equal(np.moveaxis(ours, 0, 2), expected_change(image, amounts))


def expected_change(image: np.ndarray, amounts) -> np.ndarray:
    """One change after the other, each on the levels that the last one left."""
    image = scaled(image, shift=amounts.brightness or 0)
    if amounts.is_contrast_first:
        image = scaled(image, factor=amounts.contrast or 1)
    if amounts.saturation is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 1] = scaled(hsv[..., 1], factor=amounts.saturation)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if amounts.hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + amounts.hue) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return image if amounts.is_contrast_first else scaled(image, factor=amounts.contrast or 1)


def scaled(levels: np.ndarray, *, factor: float = 1, shift: float = 0) -> np.ndarray:
    """Float32, clipped, cut off."""
    return np.clip(levels.astype(np.float32) * factor + shift, 0, 255).astype(np.uint8)
