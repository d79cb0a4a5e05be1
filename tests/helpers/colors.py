"""Images of every colour, and amounts of its change."""

import numba
import numpy as np
from hypothesis import strategies as st

from geoseg.augment import photometric_distortion
from geoseg.augment.photometric_distortion import DistortionAmounts

rgb_to_hsv = photometric_distortion.rgb_to_hsv.compile()
hsv_to_rgb = photometric_distortion.hsv_to_rgb.compile()


def _shares(smallest: float, largest: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(smallest, largest)


amounts = st.builds(
    DistortionAmounts,
    _shares(-32, 32),
    _shares(0.5, 1.5),
    st.booleans(),
    _shares(0.5, 1.5),
    st.none() | st.integers(-18, 17),
)


def grid(*sizes: int) -> np.ndarray:
    """Every combination of three levels, as an image (row, 256, 3)."""
    return np.ascontiguousarray(np.moveaxis(np.indices(sizes, np.uint8), 0, 3).reshape(-1, 256, 3))


@numba.njit  # not cached: the cache would not notice a change of what it calls
def all_to_hsv(image):
    """Every pixel of (row, col, 3), in place."""
    for row in range(image.shape[0]):
        for col in range(image.shape[1]):
            red, green, blue = image[row, col]
            image[row, col, 0], image[row, col, 1], image[row, col, 2] = rgb_to_hsv(
                np.int32(red), np.int32(green), np.int32(blue)
            )
    return image


@numba.njit  # not cached: the cache would not notice a change of what it calls
def all_to_rgb(image):
    """Every pixel of (row, col, 3), in place."""
    for row in range(image.shape[0]):
        for col in range(image.shape[1]):
            hue, saturation, value = image[row, col]
            image[row, col, 0], image[row, col, 1], image[row, col, 2] = hsv_to_rgb(
                np.int32(hue), np.int32(saturation), np.int32(value)
            )
    return image
