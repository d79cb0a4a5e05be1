import numpy as np
import pytest
import torch
from affine import Affine
from helpers.models import Convolutions, bundle, pixels, threshold_bundle
from torch.nn import functional as F

from geoseg.grid.grid import Grid
from geoseg.inference.predictor import Predictor
from geoseg.inference.tta import IDENTITY, MULTI_SCALES, TTA, TtaVariant, mean_probabilities
from geoseg.raster.raster import Raster


def raster(values):
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, bool), Grid(None, Affine.identity(), *shape))


def test_without_augmentation_probabilities_are_the_predictors():
    predictor, rasters = Predictor(bundle(), "cpu"), [raster(pixels(8, 9))]
    assert torch.equal(predictor.probabilities(rasters, (IDENTITY,)), predictor.probabilities(rasters))


@pytest.mark.parametrize("tta", ["flip", "d4"])
def test_a_network_that_turns_with_its_images_gets_the_same_probabilities(tta):
    predictor, rasters = Predictor(threshold_bundle(), "cpu"), [raster(pixels(8, 9, bands=1))]
    torch.testing.assert_close(predictor.probabilities(rasters, TTA[tta]), predictor.probabilities(rasters))


def test_softmax_comes_before_the_mean():
    predictor, values = Predictor(bundle(Convolutions(3)), "cpu"), pixels(8, 9)
    images = torch.from_numpy(values).float()[None] - 4
    with torch.inference_mode():
        network = predictor.network
        expected = (network(images).softmax(1) + network(images.flip(3)).flip(3).softmax(1)) / 2
    torch.testing.assert_close(predictor.probabilities([raster(values)], TTA["flip"]), expected)


@pytest.mark.parametrize("tta", TTA)
def test_probabilities_lie_on_the_pixels_of_the_tile_and_add_up_to_one(tta):
    predictor = Predictor(bundle(), "cpu")
    probabilities = predictor.probabilities([raster(pixels(8, 9)), raster(pixels(8, 9, seed=1))], TTA[tta])
    assert probabilities.shape == (2, 3, 8, 9)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 8, 9))


def test_the_network_sees_every_scale_with_and_without_the_flip():
    model = threshold_bundle()
    Predictor(model, "cpu").probabilities([raster(pixels(16, 16, bands=1))], TTA["ms+flip"])
    assert [shape[2] for shape in model.network.seen] == [8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28]


def test_corners_are_aligned_where_the_networks_are():
    """What the network says of another scale is resized in the way in which it resizes its own features."""
    aligned = bundle(Convolutions(1), model=bundle().card.model.model_copy(update={"align_corners": True}))
    rasters = [raster(pixels(8, 8))]
    ours = [
        Predictor(each, "cpu").probabilities(rasters, TTA["ms+flip"]) for each in (aligned, bundle(Convolutions(1)))
    ]
    assert not torch.allclose(*ours, atol=1e-3)


def test_one_variant_alone_keeps_its_logits():
    logits = torch.randn(3, 4, 5)
    assert mean_probabilities(iter([logits]), 1) is logits
    torch.testing.assert_close(mean_probabilities(iter([logits, logits]), 2), F.softmax(logits, 0))


# Variants

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
    assert TtaVariant(flip_cols=True).turn(torch.tensor([[1, 2], [3, 4]])).tolist() == [[2, 1], [4, 3]]
    assert [variant.flip_cols for variant in TTA["flip"]] == [False, True]


def test_multi_scale_variants_are_in_the_order_of_mmsegmentation():
    assert [(variant.scale, variant.flip_cols) for variant in TTA["ms+flip"]] == [
        (scale, flips) for scale in MULTI_SCALES for flips in (False, True)
    ]
    assert not any(variant.flip_rows or variant.transposed for variant in TTA["ms+flip"])
