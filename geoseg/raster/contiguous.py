"""GeoTIFFs whose pixels can be mapped into memory: uncompressed, pixel-interleaved, one run of bytes.

Such a file opens in QGIS like any other, and reading a window of it costs what copying the bytes costs (measured: ten
times the crops per second of the same pixels in compressed tiles).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import Interleaving
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import DataError, GeosegError, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.environment import gdal_environment
from geoseg.raster.opening import open_raster, quiet_gdal
from geoseg.raster.output import part_path, remove


class StripWriter:
    """Takes full-width strips of an image, top to bottom."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Writes ``values`` (band, row, col) into a full-width window."""
        self._file.write(values, window=RasterioWindow(window.col, window.row, window.width, window.height))


@contextmanager
def writing_contiguous(path: Path, grid: Grid, *, bands: int, dtype: DTypeLike) -> Iterator[StripWriter]:
    """A file being written on ``grid``; it exists under its name only once it is complete."""
    with writing(path, grid, bands=bands, dtype=dtype, layout={}, check=_require_whole) as writer:
        yield writer


@contextmanager
def writing(
    path: Path,
    grid: Grid,
    *,
    bands: int,
    dtype: DTypeLike,
    layout: Mapping[str, Any],
    check: Callable[[Path], None] = lambda _: None,
) -> Iterator[StripWriter]:
    """A pixel-interleaved GeoTIFF being written strip by strip; renamed into place when ``check`` finds it whole.

    ``layout`` says how it is stored, in GDAL's words. :class:`OutputError` if it cannot be written.
    """
    part = part_path(path)
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": bands,
        "dtype": np.dtype(dtype).name,
        "interleave": "pixel",
        "bigtiff": "if_safer",
        "transform": grid.transform,
        "crs": None if grid.crs is None else grid.crs.to_wkt(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with quiet_gdal():  # for opening only: one thread at a time may hold it
            file = rasterio.open(part, "w", **profile, **layout)
        with gdal_environment(), file:
            yield StripWriter(file)
        check(part)
        part.replace(path)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"{path} cannot be written: {error}", "free some space, or choose another folder") from None
    finally:
        remove(part)


def _require_whole(path: Path) -> None:
    """OSError unless all pixels are there: GDAL keeps quiet about a disk that fills up while it closes a file."""
    try:
        map_pixels(path)
    except (GeosegError, ValueError) as error:
        raise OSError("the file read back is not the file written") from error


def map_pixels(path: Path) -> NDArray[Any]:
    """The pixels (row, col, band) of a file written by :func:`writing_contiguous`, mapped read-only, nothing read yet."""
    with gdal_environment(), open_raster(str(path)) as file:
        shape = (file.height, file.width, file.count)
        dtype = np.dtype(file.dtypes[0])
        strip_rows = file.block_shapes[0][0]
        last = (file.height - 1) // strip_rows
        first_byte, last_byte = (int(file.get_tag_item(f"BLOCK_OFFSET_0_{y}", "TIFF", bidx=1) or -1) for y in (0, last))
        otherwise = file.compression is not None or file.block_shapes[0][1] != file.width  # compressed, or in tiles
        otherwise |= file.count > 1 and file.interleaving != Interleaving.pixel
    if otherwise or last_byte - first_byte != last * strip_rows * shape[1] * shape[2] * dtype.itemsize:
        raise DataError(f"{path} is not laid out in one run of bytes", "delete the prepared folder; it is made again")
    return np.memmap(path, dtype, "r", first_byte, shape)
