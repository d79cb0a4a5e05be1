import numpy as np
import pytest
import torch
from affine import Affine
from strategies_inference import Convolutions, bundle, pixels, threshold_bundle
from torch.nn import functional as F

from geoseg.grid.grid import Grid
from geoseg.inference.predictor import Predictor
from geoseg.inference.tta import mean_probabilities, tile_probabilities
from geoseg.inference.tta_variants import AS_IT_IS, TTA
from geoseg.raster.raster import Raster


def raster(values):
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, bool), Grid(None, Affine.identity(), *shape))


def test_without_augmentation_probabilities_are_the_predictors():
    predictor, rasters = Predictor(bundle(), "cpu"), [raster(pixels(8, 9))]
    assert torch.equal(tile_probabilities(predictor, rasters, (AS_IT_IS,)), predictor.probabilities(rasters))


@pytest.mark.parametrize("tta", ["flip", "d4"])
def test_a_network_that_turns_with_its_images_gets_the_same_probabilities(tta):
    predictor, rasters = Predictor(threshold_bundle(), "cpu"), [raster(pixels(8, 9, bands=1))]
    torch.testing.assert_close(tile_probabilities(predictor, rasters, TTA[tta]), predictor.probabilities(rasters))


def test_softmax_comes_before_the_mean():
    predictor, values = Predictor(bundle(Convolutions(3)), "cpu"), pixels(8, 9)
    images = torch.from_numpy(values).float()[None] - 4
    with torch.inference_mode():
        network = predictor.network
        expected = (network(images).softmax(1) + network(images.flip(3)).flip(3).softmax(1)) / 2
    torch.testing.assert_close(tile_probabilities(predictor, [raster(values)], TTA["flip"]), expected)


@pytest.mark.parametrize("tta", TTA)
def test_probabilities_lie_on_the_pixels_of_the_tile_and_add_up_to_one(tta):
    predictor = Predictor(bundle(), "cpu")
    probabilities = tile_probabilities(predictor, [raster(pixels(8, 9)), raster(pixels(8, 9, seed=1))], TTA[tta])
    assert probabilities.shape == (2, 3, 8, 9)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 8, 9))


def test_the_network_sees_every_scale_with_and_without_the_flip():
    model = threshold_bundle()
    tile_probabilities(Predictor(model, "cpu"), [raster(pixels(16, 16, bands=1))], TTA["ms+flip"])
    assert [shape[2] for shape in model.network.seen] == [8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28]


def test_corners_are_aligned_where_the_networks_are():
    """What the network says of another scale is resized in the way in which it resizes its own features."""
    aligned = bundle(Convolutions(1), model=bundle().card.model.model_copy(update={"align_corners": True}))
    rasters = [raster(pixels(8, 8))]
    ours = [
        tile_probabilities(Predictor(each, "cpu"), rasters, TTA["ms+flip"])
        for each in (aligned, bundle(Convolutions(1)))
    ]
    assert not torch.allclose(*ours, atol=1e-3)


def test_one_variant_alone_keeps_its_logits():
    logits = torch.randn(3, 4, 5)
    assert mean_probabilities(iter([logits]), 1) is logits
    torch.testing.assert_close(mean_probabilities(iter([logits, logits]), 2), F.softmax(logits, 0))
