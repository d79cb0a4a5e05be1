"""Compressed, tiled GeoTIFFs: an alternative to :mod:`geoseg.raster.formats.memmap_geotiff` if disk space is limited.

They take about half the disk space, but only about half as many crops can be read per second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from geoseg.errors import GeosegError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.formats.memmap_geotiff import StripWriter, create_geotiff
from geoseg.raster.open_raster import gdal_environment, open_raster
from geoseg.raster.scene import Scene

BLOCK_SIZE = 512
"""Side length of a stored block in pixels."""


@contextmanager
def create_compressed(path: Path, grid: Grid, *, bands: int, dtype: DTypeLike) -> Iterator[StripWriter]:
    """Create a compressed GeoTIFF strip by strip; it appears under its final name only once it is complete.

    Args:
        path: The file to write; its parent folder is created if missing.
        grid: Grid of the raster.
        bands: Number of bands.
        dtype: Pixel type.

    Raises:
        OutputError: If the file cannot be written.
    """
    predictor = 2 if bands > 1 or np.dtype(dtype).itemsize > 1 else 1  # class indices compress worse with predictor 2
    layout = {"tiled": True, "blockxsize": BLOCK_SIZE, "blockysize": BLOCK_SIZE, "compress": "zstd", "zstd_level": 1}
    if np.dtype(dtype).kind in "iu":
        layout["predictor"] = predictor
    with create_geotiff(path, grid, bands=bands, dtype=dtype, layout=layout, check=_require_complete) as writer:
        yield writer


def _require_complete(path: Path) -> None:
    """Raise OSError unless all blocks were written: GDAL reports no error if the disk fills up as a file is closed."""
    try:
        with gdal_environment(), open_raster(str(path)) as file:
            across, down = (-(-side // BLOCK_SIZE) for side in (file.width, file.height))
            numbers = [f"{x}_{y}" for y in range(down) for x in range(across)]
            tags = ("BLOCK_OFFSET", "BLOCK_SIZE")
            blocks = [[file.get_tag_item(f"{tag}_{number}", "TIFF", bidx=1) for tag in tags] for number in numbers]
    except GeosegError as error:
        raise OSError("the file read back differs from the file written") from error
    if any(None in block or sum(map(int, block)) > path.stat().st_size for block in blocks):
        raise OSError("the file read back differs from the file written")


class CompressedPixels:
    """The pixels in a file, which are read on access: ``pixels[rows, cols]`` returns an array (row, col, band).

    Instances can be pickled and sent to other processes.

    Args:
        path: The file.
        band: 0-based position of a single band to return as (row, col); by default, all bands are returned.
    """

    def __init__(self, path: Path, band: int | None = None) -> None:
        self.path, self.band = path, band

    @cached_property
    def _scene(self) -> Scene:
        return Scene.open(self.path, alpha=False)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        return self._scene.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (row, col, band), or (row, col) for a single band."""
        full = (*self._scene.grid.shape, len(self._scene.bands))
        return full if self.band is None else full[:2]

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        (rows, cols), (height, width) = window, self.shape[:2]
        (top, bottom, _), (left, right, _) = rows.indices(height), cols.indices(width)
        area = Window(top, left, max(bottom - top, 0), max(right - left, 0))
        values = self._scene.read(area, None if self.band is None else [self.band]).values
        return values.transpose(1, 2, 0) if self.band is None else values[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "band": self.band}
