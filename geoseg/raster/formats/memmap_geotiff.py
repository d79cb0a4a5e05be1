"""GeoTIFFs whose pixels can be memory-mapped: uncompressed, pixel-interleaved, contiguous.

QGIS opens such a file like any other GeoTIFF. Reading a window takes no longer than copying its bytes: in benchmarks,
ten times as many crops per second were read as from compressed tiles.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import rasterio
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geoseg._output_files import atomic_path, hint_for_write_error
from geoseg.errors import DataError, GeosegError, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.open_raster import gdal_environment, open_raster, quiet_gdal

STRIP_BYTES = 1 << 20
"""Approximate size in bytes of a strip, the unit in which other programs read the file."""


class StripWriter(Protocol):
    """Interface for writing full-width image strips from top to bottom."""

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write values, axes (band, row, col), into a full-width window."""


class _GdalWriter:
    """Writer that uses GDAL."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, window: Window, values: NDArray[Any]) -> None:
        self._file.write(values, window=RasterioWindow(window.col, window.row, window.width, window.height))


class _RawWriter:
    """Writer that writes directly to a file whose layout was created by GDAL."""

    def __init__(self, file: BinaryIO, first_byte: int) -> None:
        self._file, self._first_byte = file, first_byte

    def write(self, window: Window, values: NDArray[Any]) -> None:
        pixels = np.ascontiguousarray(values.transpose(1, 2, 0))
        self._file.seek(self._first_byte + window.row * pixels[:1].nbytes)
        self._file.write(pixels.data)


@contextmanager
def create_contiguous(path: Path, grid: Grid, *, bands: int, dtype: DTypeLike) -> Iterator[StripWriter]:
    """Create a GeoTIFF that :func:`open_memmap` can map; it appears under its final name only once it is complete.

    GDAL creates the layout, but the pixels are written directly to the file: GDAL would move strips of zeros to the end
    of the file, so the rows would not be in order.

    Args:
        path: The file to write; its parent folder is created if missing.
        grid: Grid of the raster.
        bands: Number of bands.
        dtype: Pixel type.

    Raises:
        OutputError: If the file cannot be written.
    """
    rows = max(STRIP_BYTES // (grid.width * bands * np.dtype(dtype).itemsize), 1)
    with _replace_when_complete(path, _require_contiguous) as temporary:
        layout = {"blockysize": min(rows, grid.height)}
        with gdal_environment(), _create_dataset(temporary, grid, bands, dtype, layout):
            pass
        _require_contiguous(temporary)
        with temporary.open("r+b") as file:
            yield _RawWriter(file, _read_layout(temporary)[0])


@contextmanager
def create_geotiff(
    path: Path,
    grid: Grid,
    *,
    bands: int,
    dtype: DTypeLike,
    layout: Mapping[str, Any],
    check: Callable[[Path], None] = lambda _: None,
) -> Iterator[StripWriter]:
    """Create a pixel-interleaved GeoTIFF strip by strip; it appears under its final name only once it is complete.

    Args:
        path: The file to write; its parent folder is created if missing.
        grid: Grid of the raster.
        bands: Number of bands.
        dtype: Pixel type.
        layout: GDAL creation options for blocks and compression.
        check: Function that raises ``OSError`` if the written file is incomplete.

    Raises:
        OutputError: If the file cannot be written.
    """
    with (
        _replace_when_complete(path, check) as temporary,
        gdal_environment(),
        _create_dataset(temporary, grid, bands, dtype, layout) as file,
    ):
        yield _GdalWriter(file)


@contextmanager
def _replace_when_complete(path: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    try:
        with atomic_path(path) as temporary:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            check(temporary)
    except (OSError, RasterioError) as error:
        raise OutputError(f"{path} cannot be written: {error}", hint_for_write_error(error, str(error))) from error


def _create_dataset(path: Path, grid: Grid, bands: int, dtype: DTypeLike, layout: Mapping[str, Any]) -> Any:
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": bands,
        "dtype": np.dtype(dtype).name,
        "interleave": "pixel",
        "alpha": "no",  # otherwise GDAL marks the fourth 8-bit band as alpha
        "bigtiff": "if_safer",
        "transform": grid.transform,
        "crs": None if grid.crs is None else grid.crs.to_wkt(),
    }
    with quiet_gdal():  # only to open the file, because only one thread at a time can be in this context
        return rasterio.open(path, "w", **profile, **layout)


def _require_contiguous(path: Path) -> None:
    """Raise OSError unless all pixels were written: GDAL reports no error if the disk fills up as a file is closed."""
    try:
        open_memmap(path)
    except (GeosegError, ValueError) as error:
        raise OSError("the file read back differs from the file written") from error


def open_memmap(path: Path) -> NDArray[Any]:
    """Memory-map the pixels of a file written by :func:`create_contiguous`, read-only, axes (row, col, band).

    Raises:
        DataError: If the pixels in the file are not contiguous.
    """
    first_byte, shape, dtype = _read_layout(path)
    return np.memmap(path, dtype, "r", first_byte, shape)


def _read_layout(path: Path) -> tuple[int, tuple[int, int, int], np.dtype[Any]]:
    """Return the byte offset of the first pixel, the shape (row, col, band) and the data type."""
    with gdal_environment(), open_raster(str(path)) as file:
        shape = (file.height, file.width, file.count)
        dtype = np.dtype(file.dtypes[0])
        strip_rows, strip_cols = file.block_shapes[0]
        strips = range(-(-file.height // strip_rows))
        offsets = [int(file.get_tag_item(f"BLOCK_OFFSET_0_{y}", "TIFF", bidx=1) or -1) for y in strips]
        is_contiguous = file.compression is None and strip_cols == file.width  # neither compressed nor tiled
        is_contiguous &= file.count == 1 or file.interleaving == Interleaving.pixel
    strip_bytes = strip_rows * shape[1] * shape[2] * dtype.itemsize
    if not is_contiguous or offsets != [offsets[0] + y * strip_bytes for y in strips]:
        raise DataError(
            f"the pixels of {path} are not contiguous", "delete the prepared folder; it will be created again"
        )
    return offsets[0], shape, dtype
