"""Images at another size are OpenCV's to the last bit."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from geoseg.grid.grid import Grid
from geoseg.inference.resize import image_taps, resize_image, scale_shape
from geoseg.inference.tta import MULTI_SCALES
from geoseg.raster.raster import Raster

cv2 = pytest.importorskip("cv2")


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(MULTI_SCALES), st.integers(0, 2**32))
def test_bytes_are_those_of_opencv(rows, cols, scale, seed) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), np.uint8)
    height, width = scale_shape(rows, cols, scale)
    raster = Raster(np.moveaxis(image, 2, 0), np.ones((rows, cols), bool), Grid(None, Affine.identity(), rows, cols))
    down, across = image_taps(0, height, output=height, size=rows), image_taps(0, width, output=width, size=cols)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    ours = resize_image(raster, down, across, fill=np.zeros(3)).values
    assert np.array_equal(np.moveaxis(ours, 0, 2), expected.reshape(height, width, 3))
