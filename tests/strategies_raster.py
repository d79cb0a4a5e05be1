"""Rasters made in code, and hypothesis strategies for windows and for ways to cut a raster into pieces."""

import random
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from geoseg.grid.window import Window

UTM = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)}
"""A usual place for a raster: UTM, half a metre per pixel, north-up."""


def make_raster(path: Path, values: NDArray[Any], *, colours: Any = None, mask: Any = None, **profile: Any) -> Path:
    """Write values (band, row, col) as GeoTIFF; ``profile`` goes to rasterio, ``mask`` is True = usable."""
    bands, height, width = values.shape
    shape = {"count": bands, "height": height, "width": width, "dtype": values.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **{"driver": "GTiff"} | shape | profile) as file:
            file.write(values)
            if colours is not None:
                file.colorinterp = colours
            if mask is not None:
                file.write_mask(mask)
    return path


def damage(path: Path, *blocks: tuple[int, int]) -> Path:
    """Overwrite blocks of a file with garbage; a block is given by its place (row, col) among the blocks."""
    with rasterio.open(path) as file:
        tags = [
            [file.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")]
            for row, col in blocks
        ]
    with path.open("r+b") as file:
        for offset, size in tags:
            file.seek(int(offset))
            file.write(b"\xff" * int(size))
    return path


def noise(*shape: int, dtype: Any = np.uint8, low: int = 0, high: int = 256) -> NDArray[Any]:
    """Reproducible noise."""
    return np.random.default_rng(7).integers(low, high, shape).astype(dtype)


def padded(values: NDArray[Any], window: Window) -> NDArray[Any]:
    """A window of an array's last two axes, 0 outside: how reading at the edges is defined."""
    height, width = values.shape[-2:]
    result = np.zeros((*values.shape[:-2], *window.shape), values.dtype)
    inside = window.clip_to(height, width)
    if not inside.is_empty:
        result[..., *inside.relative_to(window).slices()] = values[..., *inside.slices()]
    return result


def windows_around(height: int, width: int, reach: int = 9) -> st.SearchStrategy[Window]:
    """Windows inside, across and beyond the edges of a raster, never empty."""
    return st.builds(
        Window,
        st.integers(-reach, height + reach),
        st.integers(-reach, width + reach),
        st.integers(1, height + reach),
        st.integers(1, width + reach),
    )


@st.composite
def partitions(draw: st.DrawFn, height: int, width: int) -> list[Window]:
    """Windows that cover a raster once, in any order."""
    rows = sorted({0, height, *draw(st.lists(st.integers(1, height - 1), max_size=3))})
    cols = sorted({0, width, *draw(st.lists(st.integers(1, width - 1), max_size=3))})
    pieces = [
        Window(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
    ]
    random.Random(draw(st.integers(0, 99))).shuffle(pieces)
    return pieces
