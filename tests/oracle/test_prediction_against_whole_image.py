"""The law of tiling: cut into tiles, a scene gets the mask it would get in one piece."""

import numpy as np
import pytest
import torch
from helpers.models import EXACT, Convolutions, bundle, pixels, write_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from geoseg.inference.predict import predict
from geoseg.raster.writers.memory import MemoryWriter

RADIUS = 3  # pixels around a pixel that the networks here take into account


def whole_image_mask(bundle, values, valid, *, margin=8, border="mirror"):
    """The mask without tiles. Around the scene it is mirrored, or there are zeros, as views have it."""
    images = (torch.from_numpy(values).float() - 4) * torch.from_numpy(valid)
    around = ((0, 0), (margin, margin), (margin, margin))
    padded = np.pad(images.numpy(), around, mode="reflect" if border == "mirror" else "constant")
    with torch.inference_mode():
        logits = bundle.network(torch.from_numpy(padded)[None])[0]
    mask = logits[:, margin:-margin, margin:-margin].numpy().argmax(axis=0)
    return np.where(valid, mask, 255)


def tiled_mask(path, bundle, **options):
    sink = MemoryWriter()
    predict(path, sink, model=bundle, **EXACT, **options)
    return sink.mask


@st.composite
def scenes(draw):
    """Pixels with holes of nodata (0 in both bands), from 1 x 1 to 40 x 40."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    values = pixels(height, width, seed=draw(st.integers(0, 99)), low=1)
    share = draw(st.sampled_from([0.0, 0.3, 0.95]))
    holes = np.random.default_rng(1).random((height, width)) < share
    values[:, holes] = 0
    return values, ~holes


@st.composite
def tilings(draw, least_halo):
    halo = draw(st.integers(least_halo, 6))
    tile, border = 2 * halo + draw(st.integers(1, 20)), draw(st.sampled_from(["mirror", "mean"]))
    return {"halo": halo, "tile": tile, "batch": draw(st.integers(1, 5)), "border": border}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes") / "scene.tif"


@pytest.mark.parametrize("kernels", [(7,), (3, 3, 3)], ids=["one layer", "three layers"])
def test_tiles_give_the_mask_of_the_whole_scene_when_the_halo_covers_the_receptive_radius(path, kernels):
    model = bundle(Convolutions(*kernels))

    @settings(max_examples=20, deadline=None)
    @given(scenes(), tilings(RADIUS))
    def law(scene, tiling):
        values, valid = scene
        write_scene(path, values, nodata=0)
        expected = whole_image_mask(model, values, valid, border=tiling["border"])
        np.testing.assert_array_equal(tiled_mask(path, model, blend="crop", **tiling), expected)

    law()


@pytest.mark.parametrize(("halo", "same"), [(RADIUS, True), (RADIUS - 1, False), (0, False)])
def test_the_law_holds_from_the_receptive_radius_on_and_not_below(path, halo, same):
    model, values = bundle(), pixels(40, 40)
    write_scene(path, values)
    expected = whole_image_mask(model, values, np.ones((40, 40), bool))
    assert np.array_equal(tiled_mask(path, model, blend="crop", tile=16, halo=halo), expected) == same


def test_a_network_that_sees_single_pixels_gets_the_same_mask_from_every_blend(path):
    model = bundle(Convolutions(1))

    @settings(max_examples=20, deadline=None)
    @given(scenes(), tilings(0))
    def law(scene, tiling):
        values, valid = scene
        write_scene(path, values, nodata=0)
        expected = whole_image_mask(model, values, valid, border=tiling["border"])
        np.testing.assert_array_equal(tiled_mask(path, model, blend="weighted", **tiling), expected)

    law()


def test_weighted_tiles_give_the_mask_of_the_whole_scene_away_from_the_views_edges(path):
    model, values = bundle(), pixels(60, 60)
    write_scene(path, values)
    expected = whole_image_mask(model, values, np.ones((60, 60), bool))
    mask = tiled_mask(path, model, blend="weighted", tile=20, halo=4)
    edges = np.array([view + side for view in range(-4, 60, 12) for side in (0, 20)])
    clean = np.abs(np.arange(60)[:, None] + 0.5 - edges).min(axis=1) > RADIUS
    assert clean.sum() > 10
    np.testing.assert_array_equal(mask[np.ix_(clean, clean)], expected[np.ix_(clean, clean)])


class Global(nn.Module):
    """Like image pooling: what a pixel is called depends on the mean of all that the network sees."""

    def forward(self, images):
        score = images[:, :1] + 2 * images[:, :1].mean(dim=(2, 3), keepdim=True)
        return torch.cat([-score, score], dim=1)


def test_weighted_tiles_leave_no_seams_where_tiles_disagree(path):
    """A scene that brightens from left to right has one border between two classes, straight up to the seams."""
    ramp = np.broadcast_to(np.linspace(0, 200, 200).astype(np.uint8), (200, 200))
    tilted = (ramp // 2 + ramp.T // 2)[None].copy()
    write_scene(path, tilted)
    model = bundle(Global(), bands=("red",), classes=2, mean=(100.0,), std=(100.0,))
    jumps = {}
    for blend in ("crop", "weighted"):
        border = (tiled_mask(path, model, blend=blend, tile=50, halo=12) == 0).sum(axis=1)
        jumps[blend] = np.abs(np.diff(border)).max()
    assert jumps["crop"] >= 10
    assert jumps["weighted"] <= 6
