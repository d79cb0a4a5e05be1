"""Compare color changes: conversion of all colors to HSV and back, and PhotoMetricDistortion on noise images."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import cv2
import numba
import numpy as np
from mmseg.datasets.transforms import PhotoMetricDistortion, transforms
from numpy.typing import NDArray
from part import Part

from geoseg.augment.photometric_distortion import HUE_STEPS, distort, draw_amounts, hsv_to_rgb, rgb_to_hsv
from geoseg.config.recipe import AugmentSection

CROPS, SIDE = 200, 256

Levels = NDArray[np.uint8]
"""Images (row, col, 3)."""


def compare_colours() -> Iterator[Part]:
    """Compare conversions of all colors and all HSV values, and color changes from the same random numbers."""
    colours, ours = grid(256, 256, 256), grid(256, 256, 256)
    all_to_hsv(ours)
    yield Part("colors to HSV", "all 256 x 256 x 256", gap(cv2.cvtColor(colours, cv2.COLOR_RGB2HSV), ours), "levels")
    hsv, ours = grid(HUE_STEPS, 256, 256), grid(HUE_STEPS, 256, 256)
    all_to_rgb(ours)
    yield Part(
        "HSV to colors", f"all {HUE_STEPS} x 256 x 256", gap(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), ours), "levels"
    )
    worst = max(compare_crop(seed) for seed in range(CROPS))
    yield Part("PhotoMetricDistortion", f"{CROPS} crops of {SIDE} x {SIDE} pixels", worst, "levels")


def compare_crop(seed: int) -> float:
    """Distort the same noise image with both libraries, each with a random generator with this seed."""
    noise = np.random.default_rng((seed, 1)).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    theirs = their_change(noise[..., ::-1], np.random.default_rng(seed))[..., ::-1]
    amounts = draw_amounts(AugmentSection(), np.random.default_rng(seed))
    return gap(theirs, np.moveaxis(distort(np.moveaxis(noise, 2, 0), amounts), 0, 2))


def their_change(image: Levels, rng: np.random.Generator) -> Levels:
    """Return an image (blue, green, red) after mmsegmentation's PhotoMetricDistortion, which draws from ``rng``."""
    numbers = SimpleNamespace(randint=rng.integers, uniform=rng.uniform)
    with mock.patch.object(transforms, "random", numbers):
        changed: dict[str, Any] = PhotoMetricDistortion().transform({"img": image.copy()})
    return changed["img"]


def grid(*sizes: int) -> Levels:
    """Return every combination of three levels, as an image with 256 columns."""
    levels = np.indices(sizes, np.uint8)
    return np.ascontiguousarray(np.moveaxis(levels, 0, 3).reshape(-1, 256, 3))


@numba.njit  # not cached: the cache does not detect changes in called functions
def all_to_hsv(image: Levels) -> None:
    """Convert every pixel in place."""
    for row in range(image.shape[0]):
        for col in range(image.shape[1]):
            red, green, blue = image[row, col]
            image[row, col, 0], image[row, col, 1], image[row, col, 2] = rgb_to_hsv(
                np.int32(red), np.int32(green), np.int32(blue)
            )


@numba.njit  # not cached: the cache does not detect changes in called functions
def all_to_rgb(image: Levels) -> None:
    """Convert every pixel in place."""
    for row in range(image.shape[0]):
        for col in range(image.shape[1]):
            hue, saturation, value = image[row, col]
            image[row, col, 0], image[row, col, 1], image[row, col, 2] = hsv_to_rgb(
                np.int32(hue), np.int32(saturation), np.int32(value)
            )


def gap(one: Levels, other: Levels) -> float:
    """Return the largest difference in levels (0 to 255)."""
    return float(np.abs(one.astype(int) - other).max())
