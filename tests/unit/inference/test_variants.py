import pytest
import torch

from geoseg.inference.tta_variants import SCALES, TTA, Variant

VARIANTS = [pytest.param(variant, id=f"{name} {number}") for name in TTA for number, variant in enumerate(TTA[name])]


@pytest.mark.parametrize("variant", VARIANTS)
def test_turning_back_undoes_turning(variant):
    images = torch.arange(24).reshape(1, 2, 3, 4)
    assert torch.equal(variant.turn_back(variant.turn(images)), images)


def test_d4_shows_eight_images_and_the_first_as_it_is():
    image = torch.arange(9).reshape(3, 3)
    shown = [tuple(variant.turn(image).flatten().tolist()) for variant in TTA["d4"]]
    assert len(set(shown)) == 8
    assert shown[0] == tuple(range(9))
    assert all(variant.scale == 1 for variant in TTA["d4"])


def test_a_flip_of_columns_is_a_horizontal_flip():
    assert Variant(flip_cols=True).turn(torch.tensor([[1, 2], [3, 4]])).tolist() == [[2, 1], [4, 3]]
    assert [variant.flip_cols for variant in TTA["flip"]] == [False, True]


def test_the_zoos_variants_are_in_the_zoos_order():
    assert [(variant.scale, variant.flip_cols) for variant in TTA["ms+flip"]] == [
        (scale, flips) for scale in SCALES for flips in (False, True)
    ]
    assert not any(variant.flip_rows or variant.transposed for variant in TTA["ms+flip"])
