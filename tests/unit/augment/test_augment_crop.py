"""Tests of augmentation: geometry, value ranges, and reproducible random draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.augment import Augmentation
from geoseg.config.recipe import AugmentSection

STILL = {"horizontal_flip": 0, "brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}
MOVING = STILL | {"horizontal_flip": 0.5, "vertical_flip": 0.5, "rotate90": 0.75}
LOUD = {"horizontal_flip": 0, "brightness": 0.5, "contrast": 0.9, "saturation": 0.9, "hue": 0.5}

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([torch.uint8, torch.float32])


def crop(seed=0, *, bands=3, side=8, dtype=torch.uint8):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 256, (bands, side, side)).astype(np.float32)).to(dtype)
    target = torch.from_numpy(rng.integers(0, 256, (side, side)).astype(np.uint8))
    return image, target, torch.from_numpy(rng.random((side, side)) < 0.8)


def augment(section, fields, seed, *, largest=255.0, is_rgb=True):
    return Augmentation(AugmentSection(**section), largest=largest, is_rgb=is_rgb)(*fields, np.random.default_rng(seed))


def equal(fields, others) -> bool:
    return all(torch.equal(field, other) for field, other in zip(fields, others, strict=True))


@given(seeds, dtypes)
def test_zero_probabilities_and_limits_change_nothing(seed, dtype) -> None:
    fields = crop(seed, dtype=dtype)
    assert equal(augment(STILL, fields, seed), fields)


@given(seeds)
def test_geometry_applies_to_image_target_and_validity(seed) -> None:
    _, target, _ = crop(seed)
    image, moved, valid = augment(MOVING, (target[None].clone(), target, target > 100), seed, is_rgb=False)
    assert torch.equal(image[0], moved)
    assert torch.equal(valid, moved > 100)


@given(seeds)
def test_geometry_keeps_all_pixels(seed) -> None:
    fields = crop(seed)
    for before, after in zip(fields, augment(MOVING, fields, seed), strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)


def test_all_eight_orientations_occur() -> None:
    fields = crop()
    layings = {augment(MOVING, fields, seed)[1].numpy().tobytes() for seed in range(80)}
    assert len(layings) == 8


@pytest.mark.parametrize(("key", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
def test_flip_with_probability_one_mirrors_its_axis(key, axis) -> None:
    fields = crop()
    assert equal(augment(STILL | {key: 1}, fields, 0), [field.flip(axis) for field in fields])


@given(seeds, dtypes, st.sampled_from([1, 3, 4]))
def test_colors_keep_range_and_type(seed, dtype, bands) -> None:
    image, target, valid = crop(seed, bands=bands, dtype=dtype)
    changed, *rest = augment(LOUD, (image, target, valid), seed, largest=200.0, is_rgb=bands == 3)
    assert (changed.dtype, changed.shape) == (dtype, image.shape)
    if not torch.equal(changed, image):
        assert 0 <= changed.min() <= changed.max() <= 200
    assert equal(rest, (target, valid))


@given(seeds)
def test_integers_are_rounded_once_at_the_end(seed) -> None:
    image, target, valid = crop(seed)
    whole, exact = (augment(LOUD, (each, target, valid), seed)[0] for each in (image, image.float()))
    assert (whole.float() - exact).abs().max() <= 0.5


def test_all_pixels_of_a_large_crop_change_equally(monkeypatch) -> None:
    fields = crop(side=32)
    whole, *_ = augment(LOUD, fields, 3)
    monkeypatch.setattr("geoseg.augment.color_jitter.BLOCK_PIXELS", 100)  # does not divide 32 * 32
    parts, *_ = augment(LOUD, fields, 3)
    assert not torch.equal(whole, fields[0])
    assert (parts.int() - whole.int()).abs().max() <= 1


@given(seeds)
def test_equal_generators_return_equal_crops(seed) -> None:
    fields = crop(seed)
    assert equal(augment(MOVING | LOUD, fields, seed), augment(MOVING | LOUD, fields, seed))


def test_other_generators_return_other_crops() -> None:
    fields = crop()
    seen = {augment(LOUD, fields, seed)[0].numpy().tobytes() for seed in range(20)}
    assert len(seen) > 10


@given(seeds)
def test_input_crop_is_not_modified(seed) -> None:
    fields = crop(seed)
    copies = [field.clone() for field in fields]
    augment(MOVING | LOUD, fields, seed)
    assert equal(fields, copies)


@given(seeds, st.integers(0, 255))
def test_gray_is_unchanged_by_hue_and_saturation(seed, level) -> None:
    grey = torch.full((3, 4, 4), level, dtype=torch.uint8)
    _, target, valid = crop(side=4)
    changed, *_ = augment(STILL | {"saturation": 0.9, "hue": 0.5}, (grey, target, valid), seed)
    assert (changed.int() - level).abs().max() <= 1


def test_brightness_is_relative_to_the_value_range() -> None:
    image, target, valid = torch.full((2, 4, 4), 5000.0), *crop(side=4)[1:]
    shifts = [
        float(
            augment(STILL | {"brightness": 0.25}, (image, target, valid), seed, largest=10_000, is_rgb=False)[0][
                0, 0, 0
            ]
        )
        for seed in range(60)
    ]
    assert max(abs(shift - 5000) for shift in shifts) <= 2500
    assert min(shifts) < 4000
    assert max(shifts) > 6000
    assert 10 < sum(shift == 5000 for shift in shifts) < 50


@given(seeds)
def test_negative_heights_stay_negative(seed) -> None:
    fields = (torch.full((1, 4, 4), -50.0), *crop(side=4)[1:])
    change = Augmentation(AugmentSection(**STILL | {"contrast": 0.5}), smallest=-100, largest=100, is_rgb=False)
    assert -75 <= float(change(*fields, np.random.default_rng(seed))[0].max()) <= -25


def test_other_bands_are_not_mixed() -> None:
    image, target, valid = crop(bands=3)
    image[1] = 0
    changed, *_ = augment(
        STILL | {"saturation": 0.9, "hue": 0.5, "contrast": 0.5}, (image, target, valid), 1, is_rgb=False
    )
    assert not changed[1].any()


@given(seeds)
def test_negative_values_keep_their_range(seed) -> None:
    image = torch.from_numpy(np.random.default_rng(seed).uniform(-20, -5, (2, 8, 8))).float()
    target = torch.zeros(8, 8, dtype=torch.uint8)
    change = Augmentation(AugmentSection(**LOUD), smallest=-20, largest=-5, is_rgb=False)
    changed = change(image, target, target == 0, np.random.default_rng(seed))[0]
    assert -20 <= changed.min() <= changed.max() <= -5
