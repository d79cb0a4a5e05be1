"""Masks and layers that the tests of the vector floor share."""

from typing import Any

import numpy as np
import shapely
from affine import Affine
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.vector.geometry_arrays import polygons
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.trace_raster import trace

BACKGROUND = 255
PIXELS = Affine.identity()
LEGEND = Legend.of({"water": "#0000ff", "forest": "#00aa00", "road": "#888888", "roof": "#ff0000"})
UTM = CRS.from_epsg(32633)
FIVE_METRES = Affine(5, 0, 400_000, 0, -5, 5_800_000)
ROTATED = Affine(4, 3, 400_000, 3, -4, 5_800_000)
"""Pixels of five metres as well."""

masks = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2, BACKGROUND])
)
"""Small masks (row, col) of three classes and background: every way in which pixels can meet."""


def random_masks(count: int, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Small masks of few classes, from noise to nearly nothing."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        mask = rng.integers(0, rng.integers(2, 5), rng.integers(1, 13, 2)).astype(np.uint8)
        mask[rng.random(mask.shape) < rng.choice([0, 0.2])] = BACKGROUND
        made.append(mask)
    return made


def smooth_mask(size: int, *, classes: int = 4, seed: int = 0) -> NDArray[np.uint8]:
    """A mask (size, size) with regions of all sizes: the largest of several blurred noises."""
    rng = np.random.default_rng(seed)
    fields = rng.standard_normal((classes, size, size))
    for axis in (1, 2):
        for _ in range(3):
            fields = sum(np.roll(fields, shift, axis) for shift in range(-2, 3))
    return fields.argmax(axis=0).astype(np.uint8)


def shapes(outlines: Outlines) -> NDArray[np.object_]:
    """Polygons with x = col and y = row."""
    return polygons(outlines, PIXELS)


def layer_of(
    mask: NDArray[Any], *, crs: CRS | None = UTM, transform: Affine = FIVE_METRES, **options: Any
) -> PolygonLayer:
    """The layer of a mask on a grid of five metres."""
    outlines = trace(mask, background=BACKGROUND, **options)
    return PolygonLayer.from_outlines(outlines, Grid(crs, transform, *mask.shape), legend=LEGEND)


def total_area(geometries: NDArray[np.object_]) -> float:
    """Area in CRS units."""
    return float(shapely.area(geometries).sum())
