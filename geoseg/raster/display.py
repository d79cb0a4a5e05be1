"""Render rasters as RGB images: choose bands, stretch the contrast, and draw a checkerboard where there is no data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.raster.band_names import BandNames, find_bands
from geoseg.raster.raster import Raster

RgbImage = NDArray[np.uint8]
"""Red, green and blue, axes (row, col, 3)."""

PERCENTILES = (2, 98)
"""Percentiles of a band that are mapped to black and white."""

MAX_SAMPLES = 1_000_000
"""Approximate number of pixels per band from which the percentiles are computed."""


def choose_rgb_bands(bands: Sequence[str]) -> tuple[int, int, int]:
    """Choose the positions of the bands to display as red, green and blue.

    Args:
        bands: Names of all bands.

    Returns:
        Positions of the bands with these names or the corresponding sensor band names; otherwise the first three bands,
        or if there are fewer, the first band three times.

    Example:
        >>> choose_rgb_bands(["blue", "green", "red", "nir"])
        (2, 1, 0)
    """
    found = find_bands(("red", "green", "blue"), BandNames(bands, bands, [""] * len(bands)))
    if found is not None:
        red, green, blue = found.positions
        return red, green, blue
    return (0, 1, 2) if len(bands) >= 3 else (0, 0, 0)


def render_rgb(raster: Raster, bands: Sequence[int] = (0, 1, 2)) -> RgbImage:
    """Render a raster as an RGB image.

    uint8 values are not changed. For other types, the range from the 2nd to the 98th percentile of the valid pixels in
    each band is stretched to 0 to 255.

    Args:
        raster: The pixels.
        bands: Positions of the red, green and blue bands; if any does not exist, the first band is rendered in gray.

    Returns:
        The image, with a checkerboard where pixels are invalid.
    """
    positions = list(bands) if max(bands) < len(raster.values) else [0, 0, 0]
    channels = [band if band.dtype == np.uint8 else _stretch(band, raster.valid) for band in raster.values[positions]]
    board = _checkerboard(raster.valid.shape)
    image: RgbImage = np.where(raster.valid[..., np.newaxis], np.stack(channels, axis=-1), board)
    return image


def _stretch(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    values = band[valid]
    if values.size == 0:
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(values[:: max(1, values.size // MAX_SAMPLES)], PERCENTILES)
    share = (band.astype(np.float64) - low) / (high - low or 1.0)
    gray: NDArray[np.uint8] = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return gray


def _checkerboard(shape: tuple[int, ...], side: int = 8) -> RgbImage:
    rows, cols = np.indices(shape[:2]) // side
    return np.where((rows + cols) % 2 == 0, np.uint8(255), np.uint8(232))[..., np.newaxis].repeat(3, axis=-1)
