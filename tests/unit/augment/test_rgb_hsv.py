"""Tests of RGB and HSV conversion against OpenCV 5.0.0: single colors, and the SHA-256 of all colors."""

import hashlib

import numpy as np
import pytest
from helpers.colors import all_to_hsv, all_to_rgb, grid

from geoseg.augment.rgb_hsv import hsv_to_rgb, rgb_to_hsv

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
