"""Seams: masks that change at the edges of their tiles are told from those that change anywhere."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.models import EXACT, bundle, write_scene
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import nn

from geoseg.evaluation import seams as module
from geoseg.evaluation.seams import measure_seams
from geoseg.inference.predict import predict


def written(folder: Path, mask: NDArray[np.uint8]) -> Path:
    return write_scene(folder / "mask.tif", mask[np.newaxis], nodata=255)


def counted_one_by_one(mask: NDArray[np.uint8], rows: list[int], cols: list[int]) -> tuple[float, float]:
    """Shares of different neighbours across edges and elsewhere, pair by pair."""
    found: dict[bool, list[bool]] = {True: [], False: []}
    for (row, col), value in np.ndenumerate(mask):
        for other, is_edge in (
            (mask[row - 1, col] if row else None, row in rows),
            (mask[row, col - 1] if col else None, col in cols),
        ):
            if other is not None and 255 not in (value, other):
                found[is_edge].append(value != other)
    return tuple(float(np.mean(found[key])) if found[key] else math.nan for key in (True, False))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    mask=arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.sampled_from([0, 1, 255])),
    rows=st.lists(st.integers(0, 15), max_size=4),
    cols=st.lists(st.integers(0, 15), max_size=4),
    together=st.sampled_from([1, 3, 512]),
)
def test_pairs_are_counted_like_one_by_one(tmp_path, mask, rows, cols, together):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIP_ROWS", together)
        found = measure_seams(written(tmp_path, mask), rows=sorted(set(rows)), cols=sorted(set(cols)))
    np.testing.assert_allclose((found.across_edges, found.elsewhere), counted_one_by_one(mask, rows, cols))


def test_noise_has_no_seams_and_squares_have_nothing_else(tmp_path):
    edges = list(range(32, 512, 32))
    noise = np.random.default_rng(0).integers(0, 3, (512, 512)).astype(np.uint8)
    assert measure_seams(written(tmp_path, noise), rows=edges, cols=edges).index == pytest.approx(1, abs=0.05)
    squares = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((32, 32))).astype(np.uint8)
    found = measure_seams(written(tmp_path, squares), rows=edges, cols=edges)
    assert (found.across_edges, found.elsewhere) == (1, 0)
    assert math.isnan(found.index)


class Relative(nn.Module):
    """Class 1 where a pixel is brighter than the mean of what the network sees: neighbouring tiles disagree."""

    def forward(self, images):
        above = (images - images.mean(dim=(2, 3), keepdim=True)) / 10
        return torch.cat([-above, above], dim=1)


@pytest.mark.parametrize("box", [None, (400_003.0, 5_799_960.0, 400_041.0, 5_799_991.0)])
def test_cores_of_tiles_that_disagree_show_and_averaging_hides_them(tmp_path, box):
    ramp = np.broadcast_to(np.linspace(0, 200, 170).astype(np.uint8), (1, 160, 170))
    path = write_scene(tmp_path / "scene.tif", ramp)
    model = bundle(Relative(), bands=("red",), classes=2, tile=32)
    index = {}
    for blend, halo in (("crop", 0), ("weighted", 8)):
        prediction = predict(path, tmp_path / f"{blend}.tif", model=model, blend=blend, halo=halo, bbox=box, **EXACT)
        index[blend] = measure_seams(prediction.path, rows=prediction.edges[0], cols=prediction.edges[1]).index
    assert index["crop"] > 5
    assert index["weighted"] < index["crop"] / 2
