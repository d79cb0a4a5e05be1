"""Rasters made in code."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
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
