"""Crops: image, target and validity of one window, resampled together."""

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies_data import prepared_scene, striped
from strategies_raster import noise, windows_around

from geoseg.data.crops.crop import cut
from geoseg.data.crops.samplers.base import CropPlan
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX

HEIGHT, WIDTH = 40, 48
MASK = striped(HEIGHT, WIDTH, side=8)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A scene whose image shows its classes: 40, 120 or 200 in every band."""
    image = np.stack([40 + 80 * MASK] * 3).astype(np.uint8)
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[:, :8] = False
    return prepared_scene(tmp_path_factory.mktemp("prepared"), MASK, image=image, valid=valid)


@given(window=windows_around(HEIGHT, WIDTH).map(lambda w: Window(w.row, w.col, w.height, w.height)))
def test_a_crop_of_its_own_size_is_what_the_scene_holds(scene, window) -> None:
    crop = cut(scene, CropPlan(0, window, window.height))
    image, target, valid = scene.cut(window)
    assert np.array_equal(crop.image.permute(1, 2, 0), image)
    assert np.array_equal(crop.target, target)
    assert np.array_equal(crop.valid, valid)


@pytest.mark.parametrize(("side", "size"), [(32, 64), (32, 96), (32, 16)])
def test_a_resampled_target_stays_under_its_image(scene, side, size) -> None:
    crop = cut(scene, CropPlan(0, Window(8, 16, side, side), size))
    assert crop.image.shape == (3, size, size)
    assert (crop.image.dtype, crop.target.dtype, crop.valid.dtype) == (torch.uint8, torch.uint8, torch.bool)
    middle = torch.arange(size // 8, size, size // 4)  # of the squares: there no neighbour shines through
    shown = (crop.image[0].int() - 40) / 80
    assert torch.allclose(shown[middle][:, middle], crop.target[middle][:, middle].float(), atol=0.1)


def test_reducing_takes_all_pixels_into_account(tmp_path) -> None:
    fences = np.where(np.indices((32, 32))[1] % 4 == 0, 200, 0)  # between the pixels that lie nearest
    scene = prepared_scene(tmp_path, striped(32, 32), image=fences[None].astype(np.uint8))
    crop = cut(scene, CropPlan(0, Window(0, 0, 32, 32), 8))
    assert (crop.image.int() - 50).abs().max() <= 20


@pytest.mark.parametrize("factor", [3, 5])
def test_a_reduced_target_is_not_shifted_against_its_image(tmp_path, factor) -> None:
    slope = np.broadcast_to(np.arange(60, dtype=np.uint8), (60, 60))
    scene = prepared_scene(tmp_path, slope, image=slope[None].copy())
    crop = cut(scene, CropPlan(0, Window(0, 0, 60, 60), 60 // factor))
    inner = slice(1, -1)  # antialiasing leans inward at the edges
    assert torch.equal(crop.image[0, :, inner], crop.target[:, inner])


def test_enlarged_labels_are_the_same_labels_side_by_side(scene) -> None:
    crop = cut(scene, CropPlan(0, Window(-4, -4, 24, 24), 72))
    _, target, valid = scene.cut(Window(-4, -4, 24, 24))
    assert np.array_equal(crop.target, target.repeat(3, axis=0).repeat(3, axis=1))
    assert np.array_equal(crop.valid, valid.repeat(3, axis=0).repeat(3, axis=1))


def test_outside_its_core_a_crop_is_not_labelled(scene) -> None:
    window, core = Window(0, 8, 16, 16), Window(2, 3, 10, 9)
    crop, whole = cut(scene, CropPlan(0, window, 16, core)), cut(scene, CropPlan(0, window, 16))
    assert torch.equal(crop.target[core.slices()], whole.target[core.slices()])
    assert (crop.target != IGNORE_INDEX).sum() == 90
    assert torch.equal(crop.image, whole.image)


def test_a_core_is_counted_in_pixels_of_the_crop_even_if_it_is_resampled(scene) -> None:
    crop = cut(scene, CropPlan(0, Window(0, 8, 16, 16), 32, Window(0, 0, 32, 20)))
    assert (crop.target[:, :20] != IGNORE_INDEX).all()
    assert (crop.target[:, 20:] == IGNORE_INDEX).all()


@pytest.mark.parametrize("size", [16, 23, 9])
def test_a_compressed_scene_gives_the_same_crops(tmp_path, size) -> None:
    image, mask = noise(3, 40, 48), striped(40, 48)
    mapped, compressed = (
        prepared_scene(tmp_path, mask, image=image, name=name, compressed=name == "compressed")
        for name in ("mapped", "compressed")
    )
    plan = CropPlan(0, Window(30, 20, 16, 16), size)  # reaches outside
    for field, other in zip(cut(mapped, plan), cut(compressed, plan), strict=True):
        assert torch.equal(field, other)
        assert other.is_contiguous()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_pixels_of_other_types_keep_their_values_as_float(tmp_path, dtype) -> None:
    image = noise(2, 16, 16, dtype=dtype, high=2000)
    scene = prepared_scene(tmp_path, striped(16, 16), image=image)
    crop = cut(scene, CropPlan(0, Window(0, 0, 16, 16), 16))
    assert crop.image.dtype == torch.float32
    assert np.array_equal(crop.image, image.astype(np.float32))
    assert cut(scene, CropPlan(0, Window(0, 0, 16, 16), 8)).image.shape == (2, 8, 8)


@pytest.mark.parametrize("size", [28, 45, 53])
def test_resampling_does_not_shift_labels_against_their_image(scene, size) -> None:
    crop = cut(scene, CropPlan(0, Window(0, 8, 40, 40), size))
    centres = (np.arange(size) + 0.5) * 40 / size
    source = scene.cut(Window(0, 8, 40, 40))[1]
    assert np.array_equal(crop.target, source[np.ix_(centres.astype(int), centres.astype(int))])
