"""Tests of the photometric distortion of OpenMMLab: fixed amounts, order of draws, rounding."""

import hashlib

import numpy as np
import pytest
import torch
from helpers.colors import all_to_hsv, all_to_rgb, amounts, grid
from hypothesis import given
from hypothesis import strategies as st

from geoseg.augment import Augmentation
from geoseg.augment.photometric_distortion import DistortionAmounts, distort, draw_amounts, hsv_to_rgb, rgb_to_hsv
from geoseg.config.recipe import AugmentSection

seeds = st.integers(0, 2**32)

MMSEGMENTATION = [
    ((None, None, True, None, None), "2d1adb4ca1bc790a"),
    ((20.3, None, True, None, None), "0ddd3b6a66271c03"),
    ((-31.9, None, False, None, None), "72ef9529779cb5a6"),
    ((None, 0.61, True, None, None), "928387608886232d"),
    ((None, 1.47, False, None, None), "0ab00b271ab77dfa"),
    ((None, None, True, 0.55, None), "3f029188fca41872"),
    ((None, None, True, 1.0, None), "86556375715c3ded"),
    ((None, None, True, 1.49, None), "9bb30f0add5c9b32"),
    ((None, None, True, None, 0), "86556375715c3ded"),
    ((None, None, True, None, -18), "f0dfe9371a08bf7a"),
    ((None, None, True, None, 17), "d812fef577afa372"),
    ((10.5, 1.2, True, 0.8, 5), "0f53bd24b39a4a0e"),
    ((10.5, 1.2, False, 0.8, 5), "47bdf211510aa85f"),
    ((-25.25, 0.7, True, 1.3, -11), "a7934d0cf0df329b"),
    ((-25.25, 0.7, False, 1.3, -11), "2ff49928d6cea7d0"),
]
"""Amounts, and the SHA-256 of what mmsegmentation 1.2.2 with OpenCV 5.0.0 makes of :func:`colourful` with them."""


def colourful() -> np.ndarray:
    """256 x 256 pixels, no two alike."""
    row, col = np.indices((256, 256))
    return np.stack([row, col, (7 * row + 3 * col) % 256]).astype(np.uint8)


@pytest.mark.parametrize(("given_amounts", "digest"), MMSEGMENTATION)
def test_fixed_amounts_equal_mmsegmentation(given_amounts, digest) -> None:
    changed = distort(colourful(), DistortionAmounts(*given_amounts))
    pixels = np.ascontiguousarray(np.moveaxis(changed, 0, 2))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == digest


class Noted:
    """A generator whose coins all say yes, and which notes what it is asked."""

    def __init__(self, *, mode: int) -> None:
        self.mode, self.asked = mode, []

    def integers(self, *limits: int) -> int:
        self.asked.append(limits)
        if len(limits) == 2:
            return limits[0]
        return self.mode if len(self.asked) == 3 else 1  # after the coin and the amount of brightness

    def uniform(self, *limits: float) -> float:
        self.asked.append(limits)
        return limits[0]


COIN, CONTRAST = (2,), (0.5, 1.5)


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        (1, [COIN, (-32, 32), COIN, COIN, CONTRAST, COIN, (0.5, 1.5), COIN, (-18, 18)]),
        (0, [COIN, (-32, 32), COIN, COIN, (0.5, 1.5), COIN, (-18, 18), COIN, CONTRAST]),
    ],
)
def test_default_amounts_are_drawn_in_openmmlab_ranges_and_order(mode, asked) -> None:
    rng = Noted(mode=mode)
    assert draw_amounts(AugmentSection(), rng) == DistortionAmounts(-32, 0.5, bool(mode), 0.5, -18)
    assert rng.asked == asked


@given(seeds)
def test_amounts_of_zero_change_nothing(seed) -> None:
    section = AugmentSection(photometric="openmmlab", brightness=0, contrast=0, saturation=0, hue=0)
    drawn = draw_amounts(section, np.random.default_rng(seed))
    assert np.array_equal(distort(colourful(), drawn), colourful())


def test_factor_of_one_equals_a_conversion_to_hsv_and_back() -> None:
    trip = distort(colourful(), DistortionAmounts(saturation=1))
    assert np.array_equal(trip, distort(colourful(), DistortionAmounts(hue=0)))
    assert (trip != colourful()).any(axis=0).mean() > 0.5


@given(amounts)
def test_gray_stays_gray(amounts) -> None:
    grey = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))
    red, green, blue = distort(grey, amounts)
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)


@given(amounts)
def test_input_image_is_not_modified(amounts) -> None:
    image = colourful()
    changed = distort(image, amounts)
    assert np.array_equal(image, colourful())
    assert not np.shares_memory(image, changed)


@given(amounts, st.permutations(range(64)))
def test_pixels_are_independent(amounts, order) -> None:
    pixels = colourful()[:, 100:101, :64]
    assert np.array_equal(distort(pixels, amounts)[..., order], distort(pixels[..., order], amounts))


@given(seeds)
def test_recipe_with_openmmlab_distortion_uses_the_drawn_amounts(seed) -> None:
    section = AugmentSection(photometric="openmmlab", horizontal_flip=0)
    image, target = torch.from_numpy(colourful()), torch.zeros(256, 256, dtype=torch.uint8)
    change = Augmentation(section, largest=255, is_rgb=False)
    changed, *_ = change(image, target, target == 0, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    rng.random(3)  # the chances of mirroring and turning
    assert np.array_equal(changed.numpy(), distort(colourful(), draw_amounts(section, rng)))


OPENCV = [
    ((0, 0, 0), (0, 0, 0), (0, 0, 0)),
    ((255, 255, 255), (0, 0, 255), (255, 255, 255)),
    ((128, 128, 128), (0, 0, 128), (128, 128, 128)),
    ((255, 0, 0), (0, 255, 255), (255, 0, 0)),
    ((0, 255, 0), (60, 255, 255), (0, 255, 0)),
    ((0, 0, 255), (120, 255, 255), (0, 0, 255)),
    ((255, 255, 0), (30, 255, 255), (255, 255, 0)),
    ((200, 100, 50), (10, 191, 200), (200, 100, 50)),
    ((50, 100, 200), (110, 191, 200), (50, 100, 200)),
    ((17, 230, 99), (72, 236, 230), (17, 230, 102)),
    ((1, 2, 3), (105, 170, 3), (1, 1, 3)),
    ((255, 254, 253), (15, 2, 255), (255, 254, 253)),
    ((90, 60, 61), (179, 85, 90), (90, 59, 60)),
    ((12, 0, 13), (148, 255, 13), (12, 0, 13)),
]
"""A colour, its hue, saturation and value, and what comes back of them."""


@pytest.mark.parametrize(("rgb", "hsv", "back"), OPENCV)
def test_conversion_of_a_color_equals_opencv(rgb, hsv, back) -> None:
    assert rgb_to_hsv(*map(np.int32, rgb)) == hsv
    assert hsv_to_rgb(*map(np.int32, hsv)) == back


@pytest.mark.parametrize(
    ("convert", "sizes", "digest"),
    [
        (all_to_hsv, (256, 256, 256), "a5b38b214f65aed9d382cc07bf40311a"),
        (all_to_rgb, (180, 256, 256), "cf2763d893cfed37873c3062fb3b644a"),
    ],
)
def test_digest_of_all_colors_equals_opencv(convert, sizes, digest) -> None:
    assert hashlib.sha256(convert(grid(*sizes)).tobytes()).hexdigest()[:32] == digest


def test_round_trip_keeps_the_value_of_colors_and_all_grays() -> None:
    colours = grid(256, 256, 256)
    back = all_to_rgb(all_to_hsv(colours.copy()))
    assert np.array_equal(back.max(axis=2), colours.max(axis=2))
    grey = colours.max(axis=2) == colours.min(axis=2)
    assert np.array_equal(back[grey], colours[grey])
