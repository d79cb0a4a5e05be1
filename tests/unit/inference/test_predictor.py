import numpy as np
import pytest
import torch
from helpers.models import TRANSFORM, Threshold, bundle, pixels
from helpers.networks import experienced
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from geoseg.errors import GeosegError
from geoseg.grid.grid import Grid
from geoseg.inference import predictor as module
from geoseg.inference.predictor import Predictor, softmax_
from geoseg.raster.raster import Raster


def raster(values, valid=None):
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, bool) if valid is None else valid, Grid(None, TRANSFORM, *shape))


def test_images_are_scaled_as_the_card_says_whatever_is_in_them():
    predictor = Predictor(bundle(mean=(1.0, 2.0), std=(2.0, 4.0)), "cpu")
    dark, light = raster(np.full((2, 3, 3), 0, np.uint8)), raster(np.full((2, 3, 3), 250, np.uint8))
    images = predictor.images([dark, light])
    assert images[:, :, 0, 0].tolist() == [[-0.5, -0.5], [124.5, 62.0]]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"])
def test_every_pixel_type_reaches_the_network(dtype):
    images = Predictor(bundle(), "cpu").images([raster(pixels(4, 5, dtype=dtype))])
    np.testing.assert_array_equal(images[0], pixels(4, 5, dtype="float32") - 4)


def test_pixels_that_are_not_valid_reach_the_network_as_the_mean():
    values = pixels(4, 4, dtype=np.float32)
    values[:, 1, 2] = np.nan
    valid = np.isfinite(values[0])
    images = Predictor(bundle(), "cpu").images([raster(values, valid)])
    assert images[0, :, 1, 2].tolist() == [0, 0]
    assert torch.isfinite(images).all()


def test_probabilities_add_up_to_one_and_need_no_gradient():
    probabilities = Predictor(bundle(), "cpu").probabilities([raster(pixels(8, 9)), raster(pixels(8, 9, seed=1))])
    assert probabilities.shape == (2, 3, 8, 9)
    assert not probabilities.requires_grad
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2, 8, 9))


def test_a_batch_gives_what_its_rasters_give_alone():
    predictor, rasters = Predictor(bundle(), "cpu"), [raster(pixels(8, 9, seed=seed)) for seed in range(3)]
    alone = torch.cat([predictor.probabilities([one]) for one in rasters])
    torch.testing.assert_close(predictor.probabilities(rasters), alone)


def test_bfloat16_gives_nearly_the_same_in_float32():
    rasters = [raster(pixels(8, 8))]
    exact = Predictor(bundle(), "cpu").probabilities(rasters)
    narrow = Predictor(bundle(), "cpu", "bfloat16").probabilities(rasters)
    assert narrow.dtype == torch.float32
    assert (narrow.argmax(1) == exact.argmax(1)).float().mean() > 0.9


def test_the_network_is_put_into_evaluation_mode():
    network = nn.Sequential(nn.BatchNorm2d(2)).train()
    assert not Predictor(bundle(network, classes=2), "cpu").network.training


def normed():
    """A network of 2 bands and 3 classes with a batch norm."""
    return experienced(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)))


def test_a_predictor_says_what_runs():
    assert Predictor(bundle(), "cpu").description == "cpu, torch, float32"
    assert Predictor(bundle(), "cpu", "bfloat16").description == "cpu, torch, bfloat16"
    assert Predictor(bundle(), "cpu", "bfloat16").precision == "bfloat16"


def test_the_network_is_that_of_the_bundle_whatever_the_engine_made_of_it():
    model = bundle(normed())
    before = {name: weight.clone() for name, weight in model.network.state_dict().items()}
    predictor = Predictor(model, "cpu")
    assert predictor.network is model.network
    assert all(torch.equal(weight, before[name]) for name, weight in model.network.state_dict().items())
    images = predictor.images([raster(pixels(8, 9))])
    with torch.no_grad():
        torch.testing.assert_close(predictor.logits([raster(pixels(8, 9))]), model.network(images))


def test_a_live_network_is_followed_and_another_is_as_it_was_when_the_predictor_was_made():
    model, rasters = bundle(normed()), [raster(pixels(8, 9))]
    live, fixed = Predictor(model, "cpu", engine="auto", live=True), Predictor(model, "cpu")
    before = fixed.logits(rasters)
    with torch.no_grad():
        model.network[1].bias += 1
    torch.testing.assert_close(live.logits(rasters), before + 1)
    assert torch.equal(fixed.logits(rasters), before)


def test_little_work_is_not_worth_a_conversion():
    assert Predictor(bundle(), "cpu", engine="auto", pixels=512 * 512).description == "cpu, torch, float32"


class Full(Threshold):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _images):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_an_error_that_says_what_helps(error):
    with pytest.raises(GeosegError, match="out of memory") as caught:
        Predictor(bundle(Full(error)), "cpu").probabilities([raster(pixels(4, 4))])
    assert "--batch" in caught.value.hint
    assert "--tile" in caught.value.hint


def test_other_errors_of_the_network_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Predictor(bundle(Full(RuntimeError("shapes cannot be multiplied"))), "cpu").probabilities(
            [raster(pixels(4, 4))]
        )


# Softmax

sides = st.integers(1, 40)


@given(st.integers(1, 3), st.integers(1, 8), sides, sides, st.integers(0, 2**31), st.integers(1, 4000))
def test_softmax_in_place_is_torchs_whatever_the_size_of_its_chunks(
    batch, classes, height, width, seed, cached
) -> None:
    logits = 20 * torch.randn(batch, classes, height, width, generator=torch.Generator().manual_seed(seed))
    expected = logits.softmax(dim=1)
    before, module.SOFTMAX_CHUNK_BYTES = module.SOFTMAX_CHUNK_BYTES, cached
    try:
        found = softmax_(logits)
    finally:
        module.SOFTMAX_CHUNK_BYTES = before
    assert found is logits
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert torch.allclose(found.sum(dim=1), torch.ones(()), atol=1e-5)


def test_softmax_of_whole_tiles_is_torchs_to_the_bit() -> None:
    logits = 4 * torch.randn(2, 6, 512, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(softmax_(logits.clone()), logits.softmax(dim=1))


def test_softmax_of_empty_batches_is_empty() -> None:
    assert softmax_(torch.zeros(0, 3, 4, 5)).shape == (0, 3, 4, 5)


def test_softmax_on_other_devices_is_in_place_too() -> None:
    logits = torch.zeros(2, 3, 4, 5, device="meta")
    assert softmax_(logits) is logits
