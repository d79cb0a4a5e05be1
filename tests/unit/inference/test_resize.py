import hashlib

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from geoseg.grid.grid import Grid
from geoseg.inference.resize import image_taps, logit_taps, resize_image, resize_logits, scale_shape
from geoseg.raster.raster import Raster

sizes = st.integers(1, 40)


def raster(values, valid=None):
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, bool) if valid is None else valid, Grid(None, Affine.identity(), *shape))


def resized(source, height, width, fill=(0.0, 0.0)):
    """The whole raster at another size."""
    rows, cols = source.grid.shape
    down, across = image_taps(0, height, output=height, size=rows), image_taps(0, width, output=width, size=cols)
    return resize_image(source, down, across, fill=np.array(fill))


def noise(height, width, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (2, height, width)).astype(dtype)


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [
        ((512, 512), 0.5, (256, 256)),
        ((97, 131), 0.75, (73, 98)),
        ((97, 131), 0.5, (49, 66)),
        ((1198, 2991), 1.75, (2096, 5234)),  # the first rounding alone would make 2097 rows
        ((1, 100), 0.5, (1, 50)),
        ((1, 1), 0.5, (1, 1)),
    ],
)
def test_sizes_are_those_of_mmcv(shape, scale, expected):
    assert scale_shape(*shape, scale) == expected


@given(sizes, sizes)
def test_an_image_at_its_own_scale_stays_as_it_is(height, width):
    source = raster(noise(height, width))
    assert scale_shape(height, width, 1.0) == (height, width)
    assert np.array_equal(resized(source, height, width).values, source.values)


def test_bytes_have_the_digest_of_opencvs():
    """Of `cv2.resize(..., interpolation=cv2.INTER_LINEAR)`; tests/oracle asks OpenCV itself."""
    digest = hashlib.sha256()
    for size in ((49, 66), (73, 98), (121, 164), (146, 197), (170, 229)):
        digest.update(np.ascontiguousarray(np.moveaxis(resized(raster(noise(97, 131)), *size).values, 0, 2)))
    assert digest.hexdigest() == "69548c94188527f54eedda63616c2dbdfd468fef8046782c63d7fa54eed2b61f"


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
@given(sizes, sizes, sizes, sizes)
def test_other_types_are_what_torch_makes_of_them(dtype, rows, cols, height, width):
    values = noise(rows, cols, dtype)
    expected = F.interpolate(torch.from_numpy(values.astype(np.float32))[None], (height, width), mode="bilinear")[0]
    ours = resized(raster(values), height, width).values
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=2e-3)


@settings(deadline=None)
@given(sizes, sizes, sizes, sizes, st.booleans())
def test_logits_are_resized_as_torch_does_it(rows, cols, height, width, align_corners):
    logits = torch.randn(3, rows, cols, generator=torch.Generator().manual_seed(0))
    down, across = (
        logit_taps(0, output, output=output, size=size, align_corners=align_corners)
        for output, size in ((height, rows), (width, cols))
    )
    expected = F.interpolate(logits[None], (height, width), mode="bilinear", align_corners=align_corners)[0]
    torch.testing.assert_close(resize_logits(logits, down, across), expected, rtol=0, atol=2e-6)


@given(st.integers(2, 40), sizes, st.data())
def test_part_of_the_result_needs_part_of_the_source_only(size, output, data):
    begin = data.draw(st.integers(0, output - 1))
    stop = data.draw(st.integers(begin + 1, output))
    for taps_of in (image_taps, lambda *a, **k: logit_taps(*a, align_corners=False, **k)):
        whole, part = taps_of(0, output, output=output, size=size), taps_of(begin, stop, output=output, size=size)
        for field in ("low", "high", "weight"):
            np.testing.assert_array_equal(getattr(whole.part(begin, stop), field), getattr(part, field))
        inner = part.relative_to(part.first)
        assert inner.low[0] == 0
        assert inner.high.max() == part.count - 1


def test_what_is_not_valid_is_the_fill_and_stays_not_valid():
    values, valid = np.full((2, 4, 4), 50, np.uint8), np.ones((4, 4), bool)
    valid[:, 2:], values[:, :, 2:] = False, 0
    doubled = resized(raster(values, valid), 8, 8, fill=(50.2, 90.0))
    assert (doubled.values[0] == 50).all()
    assert doubled.values[1, 0].tolist() == [50, 50, 50, 60, 80, 90, 90, 90]
    assert doubled.valid[0].tolist() == [True] * 4 + [False] * 4
    assert doubled.grid.shape == (8, 8)
