"""Determine which pixels are valid, considering all bands together, and resample pixels weighted by validity.

GDAL determines validity band by band: when resampling, it excludes each band's nodata value from the mean of that band.
In an image with a black collar and a nodata value of 0, the mean of two red values 0 and 40 therefore becomes 40 instead
of 20. In this module, a pixel is valid in all bands or in none, so the mean of a band is ``sum(value * valid) /
sum(valid)``.
"""

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

Nodata = Sequence[float | None]
"""Nodata value of each band; None for bands without a nodata value."""


def has_data(values: NDArray[Any], nodata: Nodata) -> NDArray[np.bool_]:
    """Determine the validity of pixels from their values.

    Args:
        values: Pixel values, axes (band, row, col).
        nodata: Nodata value of each band. Bands without a nodata value are ignored.

    Returns:
        Validity, axes (row, col): False where all bands that have a nodata value contain that value, or where the value
        in any band is not finite.
    """
    declared = [(band, value) for band, value in zip(values, nodata, strict=True) if value is not None]
    valid = np.full(values.shape[1:], not declared)
    for band, value in declared:
        valid |= differs(band, value)
    return valid & np.isfinite(values).all(axis=0) if values.dtype.kind == "f" else valid


def resample_valid_pixels(
    values: NDArray[Any],
    valid: NDArray[np.bool_],
    part: RasterioWindow,
    out: NDArray[Any],
    *,
    resampling: Resampling,
) -> None:
    """Resample the valid pixels in an array with GDAL; invalid pixels have zero weight in every band.

    Args:
        values: Pixel values, axes (band, row, col).
        valid: Validity, axes (row, col).
        part: The part of ``values`` to resample; its edges may be inside pixels.
        out: Receives the result, axes (band, row, col).
        resampling: The resampling method.
    """
    count, height, width = values.shape
    # The name must not belong to an existing file, because rasterio deletes a file with the same name before it creates
    # a raster.
    name = f"/vsimem/geoseg/pixels-{threading.get_ident()}"
    profile = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(name, "w+", driver="MEM", transform=Affine.scale(2, -2), **profile) as dataset:
        dataset.write(np.where(valid, values, 0) if values.dtype.kind == "f" else values)  # 0 x NaN is NaN
        dataset.write_mask(valid)
        dataset.read(window=part, out=out, resampling=resampling)


def surround(
    part: RasterioWindow, out: tuple[int, int], within: tuple[int, int], *, resampling: Resampling
) -> RasterioWindow:
    """Return the window of whole pixels that GDAL needs to resample a part of a raster.

    Args:
        part: The part; its edges may be inside pixels.
        out: (height, width) of the result.
        within: (height, width) of the raster.
        resampling: The resampling method; bilinear resampling also uses pixels outside the part.
    """
    begin, size = (part.row_off, part.col_off), (part.height, part.width)
    starts, stops = [], []
    for first, length, pixels, limit in zip(begin, size, out, within, strict=True):
        reach = math.ceil(max(length / pixels, 1)) + 1 if resampling == Resampling.bilinear else 0
        starts.append(max(math.floor(first) - reach, 0))
        stops.append(min(math.ceil(first + length) + reach, limit))
    return RasterioWindow(starts[1], starts[0], stops[1] - starts[1], stops[0] - starts[0])


def differs(values: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Return True where values differ from a number, avoiding numpy's slow comparison of bytes with floats."""
    is_integer = values.dtype.kind in "iu" and math.isfinite(value) and value == int(value)
    different: NDArray[np.bool_] = values != (int(value) if is_integer else value)
    return different
