"""Read a window of an open raster file, and the validity of its pixels, resampled to any shape."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geoseg.raster.metadata import RasterMetadata
from geoseg.raster.pixel_validity import differs, has_data, resample_valid_pixels, surround
from geoseg.raster.resampling_indices import avoid_equal_weights

MAX_EXACT_PIXELS = 1 << 25
"""Number of file pixels that are resampled at once when resampling is weighted by validity."""


def read_window(
    dataset: Any,
    metadata: RasterMetadata,
    indexes: Sequence[int],
    window: RasterioWindow,
    out: tuple[NDArray[Any], NDArray[np.bool_]],
    *,
    resampling: Resampling,
) -> None:
    """Read the values and the validity of the pixels in a window inside the file.

    Validity is taken from the nearest pixel. Pixels that are not valid have no weight in any band.

    Args:
        dataset: The open rasterio dataset.
        metadata: The metadata of the file.
        indexes: GDAL's 1-based indexes of the bands.
        window: The window; may begin and end inside pixels.
        out: Arrays that receive the values, axes (band, row, col), and the validity, axes (row, col).
        resampling: Nearest, average or bilinear.
    """
    values, valid = out
    nearest = resampling == Resampling.nearest
    if resampling == Resampling.average:
        window = avoid_equal_weights(window, valid.shape)
    _read_bands(dataset, metadata, indexes, window, values, resampling=resampling)
    valid[:] = _read_validity(dataset, metadata, indexes, window, valid.shape, values if nearest else None)
    if nearest:
        return
    # GDAL reads a large window, an image for display, from overviews, which were made band by band.
    is_for_display = window.width * window.height > MAX_EXACT_PIXELS and dataset.overviews(indexes[0])
    if not is_for_display and (metadata.masks_differ or not _is_finite(values)):
        for rows, piece in _split_rows(window, len(valid)):
            _resample_valid(dataset, metadata, indexes, piece, values[:, rows], resampling=resampling)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)


def _read_validity(
    dataset: Any,
    metadata: RasterMetadata,
    indexes: Sequence[int],
    window: RasterioWindow,
    shape: tuple[int, ...],
    values: NDArray[Any] | None = None,
) -> NDArray[np.bool_]:
    """Read the validity of the nearest pixels, axes (row, col); ``values`` are their values, if known."""
    nodata = [metadata.nodata_of(index) for index in indexes]
    valid = np.ones(shape, np.bool_)
    if metadata.dtype.kind == "f" or any(value is not None for value in nodata):
        if values is None:
            values = np.empty((len(indexes), *shape), metadata.dtype)
            _read_bands(dataset, metadata, indexes, window, values, resampling=Resampling.nearest)
        valid &= has_data(values, nodata)
    if metadata.alpha is not None:
        valid &= dataset.read(metadata.alpha, window=window, out_shape=shape) != 0
    if metadata.has_mask:
        valid &= dataset.read_masks(indexes[0], window=window, out_shape=shape) != 0
    return valid


def _resample_valid(
    dataset: Any,
    metadata: RasterMetadata,
    indexes: Sequence[int],
    window: RasterioWindow,
    out: NDArray[Any],
    *,
    resampling: Resampling,
) -> None:
    """Resample again, weighted by the validity of pixels, where GDAL's masks of the bands differ from it."""
    whole = surround(window, out.shape[1:], metadata.grid.shape, resampling=resampling)
    values = np.empty((len(indexes), whole.height, whole.width), metadata.dtype)
    _read_bands(dataset, metadata, indexes, whole, values, resampling=Resampling.nearest)
    valid = _read_validity(dataset, metadata, indexes, whole, values.shape[1:], values)
    bands = zip(indexes, values, strict=True)
    if all(np.array_equal(_read_gdal_mask(dataset, metadata, index, band, whole), valid) for index, band in bands):
        return
    inside = RasterioWindow(window.col_off - whole.col_off, window.row_off - whole.row_off, window.width, window.height)
    resample_valid_pixels(values, valid, inside, out, resampling=resampling)


def _read_gdal_mask(
    dataset: Any, metadata: RasterMetadata, index: int, values: NDArray[Any], window: RasterioWindow
) -> NDArray[np.bool_]:
    """Return the mask, axes (row, col), that GDAL uses to resample a band with these values."""
    nodata = metadata.nodata_of(index)
    if nodata is None or metadata.has_mask:
        mask: NDArray[np.bool_] = dataset.read_masks(index, window=window) != 0
        return mask
    return differs(values, nodata)  # rasterio would warn about nodata in a file with an alpha band


def _read_bands(
    dataset: Any,
    metadata: RasterMetadata,
    indexes: Sequence[int],
    window: RasterioWindow,
    out: NDArray[Any],
    *,
    resampling: Resampling,
) -> None:
    if not metadata.has_mixed_dtypes:
        dataset.read(indexes, window=window, out=out, resampling=resampling)
        return
    for index, band in zip(indexes, out, strict=True):  # rasterio reads bands together only if their types match
        band[:] = dataset.read(index, window=window, out_shape=band.shape, resampling=resampling)


def _is_finite(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _split_rows(window: RasterioWindow, rows: int) -> Iterator[tuple[slice, RasterioWindow]]:
    """Split a window of the file and the rows of the result into pieces that fit in memory."""
    step = window.height / rows
    count = max(int(MAX_EXACT_PIXELS // (window.width * step)), 1)
    if count >= rows:
        yield slice(0, rows), window
        return
    for start in range(0, rows, count):
        stop = min(start + count, rows)
        yield (
            slice(start, stop),
            RasterioWindow(window.col_off, window.row_off + start * step, window.width, (stop - start) * step),
        )
