"""The zoo's photometric distortion: mmsegmentation's results for given amounts, its order of chance, its losses."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies_colours import amounts

from geoseg.augment import Augmentation
from geoseg.augment.photometric_distortion import Amounts, distorted, draw
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
def test_given_amounts_have_mmsegmentations_result(given_amounts, digest) -> None:
    changed = distorted(colourful(), Amounts(*given_amounts))
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
def test_defaults_draw_from_the_zoos_ranges_in_its_order(mode, asked) -> None:
    rng = Noted(mode=mode)
    assert draw(AugmentSection(), rng) == Amounts(-32, 0.5, bool(mode), 0.5, -18)
    assert rng.asked == asked


@given(seeds)
def test_shares_of_0_leave_every_pixel_as_it_is(seed) -> None:
    section = AugmentSection(photometric="zoo", brightness=0, contrast=0, saturation=0, hue=0)
    drawn = draw(section, np.random.default_rng(seed))
    assert np.array_equal(distorted(colourful(), drawn), colourful())


def test_a_factor_of_1_loses_as_much_as_the_way_to_hsv_and_back() -> None:
    trip = distorted(colourful(), Amounts(saturation=1))
    assert np.array_equal(trip, distorted(colourful(), Amounts(hue=0)))
    assert (trip != colourful()).any(axis=0).mean() > 0.5


@given(amounts)
def test_grey_stays_grey(amounts) -> None:
    grey = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))
    red, green, blue = distorted(grey, amounts)
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)


@given(amounts)
def test_the_image_that_is_given_is_not_changed(amounts) -> None:
    image = colourful()
    changed = distorted(image, amounts)
    assert np.array_equal(image, colourful())
    assert not np.shares_memory(image, changed)


@given(amounts, st.permutations(range(64)))
def test_pixels_do_not_know_each_other(amounts, order) -> None:
    pixels = colourful()[:, 100:101, :64]
    assert np.array_equal(distorted(pixels, amounts)[..., order], distorted(pixels[..., order], amounts))


@given(seeds)
def test_a_recipe_that_says_zoo_is_changed_by_the_amounts_it_draws(seed) -> None:
    section = AugmentSection(photometric="zoo", horizontal_flip=0)
    image, target = torch.from_numpy(colourful()), torch.zeros(256, 256, dtype=torch.uint8)
    change = Augmentation(section, largest=255, is_rgb=False)
    changed, *_ = change(image, target, target == 0, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    rng.random(3)  # the chances of mirroring and turning
    assert np.array_equal(changed.numpy(), distorted(colourful(), draw(section, rng)))
