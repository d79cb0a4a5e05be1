"""Crops: where they are drawn; image, target and validity of one window, resampled together."""

import numpy as np
import pytest
import torch
from helpers.prepared import prepared_scene, striped
from helpers.rasters import noise
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import windows_around

from geoseg.data.crops.read_crop import CropPlan, cut_crop, draw_plan
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
    crop = cut_crop(scene, CropPlan(0, window, window.height))
    image, target, valid = scene.read(window)
    assert np.array_equal(crop.image.permute(1, 2, 0), image)
    assert np.array_equal(crop.target, target)
    assert np.array_equal(crop.valid, valid)


@pytest.mark.parametrize(("side", "size"), [(32, 64), (32, 96), (32, 16)])
def test_a_resampled_target_stays_under_its_image(scene, side, size) -> None:
    crop = cut_crop(scene, CropPlan(0, Window(8, 16, side, side), size))
    assert crop.image.shape == (3, size, size)
    assert (crop.image.dtype, crop.target.dtype, crop.valid.dtype) == (torch.uint8, torch.uint8, torch.bool)
    middle = torch.arange(size // 8, size, size // 4)  # of the squares: there no neighbour shines through
    shown = (crop.image[0].int() - 40) / 80
    assert torch.allclose(shown[middle][:, middle], crop.target[middle][:, middle].float(), atol=0.1)


def test_reducing_takes_all_pixels_into_account(tmp_path) -> None:
    fences = np.where(np.indices((32, 32))[1] % 4 == 0, 200, 0)  # between the pixels that lie nearest
    scene = prepared_scene(tmp_path, striped(32, 32), image=fences[None].astype(np.uint8))
    crop = cut_crop(scene, CropPlan(0, Window(0, 0, 32, 32), 8))
    assert (crop.image.int() - 50).abs().max() <= 20


@pytest.mark.parametrize("factor", [3, 5])
def test_a_reduced_target_is_not_shifted_against_its_image(tmp_path, factor) -> None:
    slope = np.broadcast_to(np.arange(60, dtype=np.uint8), (60, 60))
    scene = prepared_scene(tmp_path, slope, image=slope[None].copy())
    crop = cut_crop(scene, CropPlan(0, Window(0, 0, 60, 60), 60 // factor))
    inner = slice(1, -1)  # antialiasing leans inward at the edges
    assert torch.equal(crop.image[0, :, inner], crop.target[:, inner])


def test_enlarged_labels_are_the_same_labels_side_by_side(scene) -> None:
    crop = cut_crop(scene, CropPlan(0, Window(-4, -4, 24, 24), 72))
    _, target, valid = scene.read(Window(-4, -4, 24, 24))
    assert np.array_equal(crop.target, target.repeat(3, axis=0).repeat(3, axis=1))
    assert np.array_equal(crop.valid, valid.repeat(3, axis=0).repeat(3, axis=1))


def test_outside_its_core_a_crop_is_not_labelled(scene) -> None:
    window, core = Window(0, 8, 16, 16), Window(2, 3, 10, 9)
    crop, whole = cut_crop(scene, CropPlan(0, window, 16, core)), cut_crop(scene, CropPlan(0, window, 16))
    assert torch.equal(crop.target[core.slices()], whole.target[core.slices()])
    assert (crop.target != IGNORE_INDEX).sum() == 90
    assert torch.equal(crop.image, whole.image)


def test_a_core_is_counted_in_pixels_of_the_crop_even_if_it_is_resampled(scene) -> None:
    crop = cut_crop(scene, CropPlan(0, Window(0, 8, 16, 16), 32, Window(0, 0, 32, 20)))
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
    for field, other in zip(cut_crop(mapped, plan), cut_crop(compressed, plan), strict=True):
        assert torch.equal(field, other)
        assert other.is_contiguous()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_pixels_of_other_types_keep_their_values_as_float(tmp_path, dtype) -> None:
    image = noise(2, 16, 16, dtype=dtype, high=2000)
    scene = prepared_scene(tmp_path, striped(16, 16), image=image)
    crop = cut_crop(scene, CropPlan(0, Window(0, 0, 16, 16), 16))
    assert crop.image.dtype == torch.float32
    assert np.array_equal(crop.image, image.astype(np.float32))
    assert cut_crop(scene, CropPlan(0, Window(0, 0, 16, 16), 8)).image.shape == (2, 8, 8)


@pytest.mark.parametrize("size", [28, 45, 53])
def test_resampling_does_not_shift_labels_against_their_image(scene, size) -> None:
    crop = cut_crop(scene, CropPlan(0, Window(0, 8, 40, 40), size))
    centres = (np.arange(size) + 0.5) * 40 / size
    source = scene.read(Window(0, 8, 40, 40))[1]
    assert np.array_equal(crop.target, source[np.ix_(centres.astype(int), centres.astype(int))])


seeds, sizes, sides = st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 200)
places = st.integers(-50, 300)
scales = st.floats(0.05, 4)


class Fixed:
    """A generator whose magnification is known."""

    def __init__(self, seed, magnification) -> None:
        self.rng, self.uniform = np.random.default_rng(seed), lambda *_: magnification
        self.integers = self.rng.integers


@given(row=places, col=places, height=sides, width=sides, size=sizes, seed=seeds, scale=scales)
def test_a_plan_lies_in_its_piece_and_fills_the_crop_or_shows_the_whole_axis(
    row, col, height, width, size, seed, scale
) -> None:
    piece = Window(row, col, height, width)
    plan = draw_plan(Fixed(seed, scale), 3, piece, size=size, scale=(0, 0))
    assert (plan.scene, plan.size, plan.core) == (3, size, None)
    assert piece.contains(plan.window)
    assert not plan.window.is_empty
    filled = tuple(min(max(int(side * scale + 0.5), 1), size) for side in piece.shape)
    assert (plan.shape or (size, size)) == filled
    for read, side, fills in zip(plan.window.shape, piece.shape, filled, strict=True):
        if fills == max(int(side * scale + 0.5), 1):
            assert read == side  # smaller than the crop: read whole
        else:
            assert abs(read - size / scale) <= 1 + side / (2 * scale * side - 1) / scale


@given(height=sides, width=sides, size=sizes, seed=seeds, scale=scales, at=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@example(height=3, width=3, size=3, seed=0, scale=2.0, at=(0.5, 0.5))
def test_a_plan_through_a_pixel_holds_it(height, width, size, seed, scale, at) -> None:
    piece = Window(7, -4, height, width)
    pixel = tuple(min(int(share * side), side - 1) for share, side in zip(at, piece.shape, strict=True))
    row, col = pixel[0] + piece.row, pixel[1] + piece.col
    plan = draw_plan(Fixed(seed, scale), 0, piece, size=size, scale=(0, 0), containing=(row, col))
    assert plan.window.contains(Window(row, col, 1, 1))
    assert piece.contains(plan.window)


def test_every_place_is_drawn_equally_often() -> None:
    rng, count = np.random.default_rng(0), np.zeros((6, 4))
    for _ in range(2400):
        window = draw_plan(rng, 0, Window(0, 0, 9, 7), size=4, scale=(1, 1)).window
        count[window.row, window.col] += 1
    assert count.min() > 60
    assert count.max() < 140


def test_a_pixel_lies_anywhere_in_the_crops_drawn_through_it() -> None:
    rng = np.random.default_rng(0)
    windows = [
        draw_plan(rng, 0, Window(0, 0, 90, 90), size=8, scale=(1, 1), containing=(40, 40)).window for _ in range(400)
    ]
    assert {40 - window.row for window in windows} == {40 - window.col for window in windows} == set(range(8))


def test_magnifications_fill_their_range() -> None:
    rng = np.random.default_rng(0)
    read = [draw_plan(rng, 0, Window(0, 0, 999, 999), size=100, scale=(0.5, 2)).window.height for _ in range(400)]
    assert 50 <= min(read) < 53
    assert 190 < max(read) <= 200
    assert np.mean(np.array(read) < 80) == pytest.approx(0.5, abs=0.07)  # uniform in magnification: 1.25 is the middle


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_what_a_small_piece_leaves_of_the_crop_is_padding_on_the_right_and_below(tmp_path, scale) -> None:
    scene = prepared_scene(tmp_path, striped(10, 16))
    crop = cut_crop(scene, draw_plan(Fixed(0, scale), 0, Window(0, 0, 10, 16), size=32, scale=(0, 0)))
    filled = (slice(int(10 * scale + 0.5)), slice(int(16 * scale + 0.5)))
    outside = np.ones((32, 32), bool)
    outside[filled] = False
    assert crop.valid[filled].all()
    assert not crop.valid[outside].any()
    assert (crop.target[outside] == IGNORE_INDEX).all()
    assert (crop.image[:, outside] == 0).all()


def test_a_piece_may_be_any_part_of_a_scene(tmp_path) -> None:
    mask = striped(40, 40, side=1)
    scene = prepared_scene(tmp_path, mask)
    piece = Window(20, 10, 8, 12)
    crop = cut_crop(scene, draw_plan(Fixed(0, 1.0), 0, piece, size=32, scale=(0, 0)))
    assert np.array_equal(crop.target[:8, :12], mask[piece.slices()])
    assert (crop.target[8:] == IGNORE_INDEX).all()


def test_a_plan_is_a_value() -> None:
    assert CropPlan(0, Window(0, 0, 3, 3), 3) == CropPlan(0, Window(0, 0, 3, 3), 3)
