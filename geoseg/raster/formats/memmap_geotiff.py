"""GeoTIFFs whose pixels can be mapped into memory: uncompressed, pixel-interleaved, one run of bytes.

Such a file opens in QGIS like any other, and reading a window of it costs what copying the bytes costs (measured: ten
times the crops per second of the same pixels in compressed tiles).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import rasterio
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import Interleaving
from rasterio.windows import Window as RasterioWindow

from geoseg._files import part_path, remove
from geoseg.errors import DataError, GeosegError, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.gdal_environment import gdal_environment
from geoseg.raster.open_raster import open_raster, quiet_gdal

STRIP_BYTES = 1 << 20
"""About so large is a strip, the unit in which other programs read the file."""


class StripWriter(Protocol):
    """Takes full-width strips of an image, top to bottom."""

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Writes ``values`` (band, row, col) into a full-width window."""


class _GdalWriter:
    """Hands strips to GDAL."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, window: Window, values: NDArray[Any]) -> None:
        self._file.write(values, window=RasterioWindow(window.col, window.row, window.width, window.height))


class _RawWriter:
    """Writes strips where they belong in a file that GDAL has laid out."""

    def __init__(self, file: BinaryIO, first_byte: int) -> None:
        self._file, self._first_byte = file, first_byte

    def write(self, window: Window, values: NDArray[Any]) -> None:
        pixels = np.ascontiguousarray(values.transpose(1, 2, 0))
        self._file.seek(self._first_byte + window.row * pixels[:1].nbytes)
        self._file.write(pixels.data)


@contextmanager
def writing_contiguous(path: Path, grid: Grid, *, bands: int, dtype: DTypeLike) -> Iterator[StripWriter]:
    """A file being written on ``grid``; it exists under its name only once it is complete.

    GDAL lays out an empty file, and the pixels are written into it: strips of nothing but zeros that GDAL is given, it
    keeps back until the end, and the rows would lie in disorder.
    """
    rows = max(STRIP_BYTES // (grid.width * bands * np.dtype(dtype).itemsize), 1)
    with _appearing(path, _require_whole) as part:
        with gdal_environment(), _created(part, grid, bands, dtype, {"blockysize": min(rows, grid.height)}):
            pass
        _require_whole(part)
        with part.open("r+b") as file:
            yield _RawWriter(file, _layout(part)[0])


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
    with _appearing(path, check) as part, gdal_environment(), _created(part, grid, bands, dtype, layout) as file:
        yield _GdalWriter(file)


@contextmanager
def _appearing(path: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Where to write a file that gets its name when ``check`` finds it whole; :class:`OutputError` if it does not."""
    part = part_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        check(part)
        part.replace(path)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"{path} cannot be written: {error}", "free some space, or choose another folder") from None
    finally:
        remove(part)


def _created(path: Path, grid: Grid, bands: int, dtype: DTypeLike, layout: Mapping[str, Any]) -> Any:
    """A new GeoTIFF, open in GDAL."""
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": bands,
        "dtype": np.dtype(dtype).name,
        "interleave": "pixel",
        "alpha": "no",  # GDAL marks a fourth band of 8 bit as alpha
        "bigtiff": "if_safer",
        "transform": grid.transform,
        "crs": None if grid.crs is None else grid.crs.to_wkt(),
    }
    with quiet_gdal():  # for opening only: one thread at a time may hold it
        return rasterio.open(path, "w", **profile, **layout)


def _require_whole(path: Path) -> None:
    """OSError unless all pixels are there: GDAL keeps quiet about a disk that fills up while it closes a file."""
    try:
        map_pixels(path)
    except (GeosegError, ValueError) as error:
        raise OSError("the file read back is not the file written") from error


def map_pixels(path: Path) -> NDArray[Any]:
    """The pixels (row, col, band) of a file written by :func:`writing_contiguous`, mapped read-only, nothing read yet."""
    first_byte, shape, dtype = _layout(path)
    return np.memmap(path, dtype, "r", first_byte, shape)


def _layout(path: Path) -> tuple[int, tuple[int, int, int], np.dtype[Any]]:
    """Position of the first pixel in a file, (row, col, band) and type; :class:`DataError` unless all follow in order."""
    with gdal_environment(), open_raster(str(path)) as file:
        shape = (file.height, file.width, file.count)
        dtype = np.dtype(file.dtypes[0])
        strip_rows, strip_cols = file.block_shapes[0]
        strips = range(-(-file.height // strip_rows))
        found = [int(file.get_tag_item(f"BLOCK_OFFSET_0_{y}", "TIFF", bidx=1) or -1) for y in strips]
        otherwise = file.compression is not None or strip_cols != file.width  # compressed, or in tiles
        otherwise |= file.count > 1 and file.interleaving != Interleaving.pixel
    strip_bytes = strip_rows * shape[1] * shape[2] * dtype.itemsize
    if otherwise or found != [found[0] + y * strip_bytes for y in strips]:
        raise DataError(f"{path} is not laid out in one run of bytes", "delete the prepared folder; it is made again")
    return found[0], shape, dtype
