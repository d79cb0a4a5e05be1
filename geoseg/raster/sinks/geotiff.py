"""The default sink: a Cloud Optimized GeoTIFF of class indices that every GIS program shows in the legend's colours.

Windows come in any order, a Cloud Optimized GeoTIFF must be written in one go. So windows go into a plain tiled file
beside the target; when all are in, GDAL copies that one, block by block, into the final form, and only then does a file
of the target's name appear. Blocks of 512 pixels and DEFLATE won by measurement.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.description import CLASSES_TAG, GroundControl
from geoseg.raster.environment import gdal_environment
from geoseg.raster.opening import quiet_gdal
from geoseg.raster.output import check_writable, output_errors, part_path, remove
from geoseg.raster.sinks.attribute_table import side_path, write_attribute_table
from geoseg.raster.sinks.base import require_inside

BLOCK = 512
"""Side of the file's blocks in pixels; a multiple of 16, as TIFF wants it."""


class GeoTiffSink:
    """Writes a mask to ``path`` (.tif) with colours, class names and overviews; :class:`OutputError` if it cannot."""

    def __init__(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        tags: Mapping[str, str] | None = None,
        gcps: GroundControl | None = None,
    ) -> None:
        """Refuses at once what could not be written at the end.

        ``tags`` go into the file beside the legend; ``gcps`` are the ground control points of a scene that has nothing
        else to place it (``scene.gcps``).
        """
        self.path = Path(path)
        if self.path.suffix.lower() not in (".tif", ".tiff"):
            raise OutputError(f"{self.path} is no name for a GeoTIFF", f"call it {self.path.with_suffix('.tif')}")
        check_writable(self.path, overwrite)
        self._tags = dict(tags or {})
        self._gcps = gcps
        self._tiled = part_path(self.path)
        self._final = part_path(self.path, "cog")
        self._dataset: Any = None

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin the file beside the target."""
        self._grid, self._legend = grid, legend
        remove(*self._leftovers())
        with output_errors(self.path), quiet_gdal():
            self._dataset = rasterio.open(self._tiled, "w", **_profile(grid, self._gcps))
        with output_errors(self.path):
            self._describe(self._dataset, legend)

    def write(self, window: Window, class_index: NDArray[np.uint8]) -> None:
        """Put class indices, axes (row, col), into a window inside the grid."""
        require_inside(self._grid, window, class_index)
        with output_errors(self.path):
            self._dataset.write(class_index, 1, window=_gdal_window(window))

    def finish(self) -> None:
        """Turn what was written into the final file and give it its name."""
        with output_errors(self.path):
            self._close()
            counts = count_pixels(self._tiled)
            write_attribute_table(self._tiled, self._legend, counts)
            copy_to_cog(self._tiled, self._final)
            # GDAL keeps quiet about a disk that fills up with the last few kilobytes.
            if not np.array_equal(count_pixels(self._final), counts):
                raise OSError("the file read back is not the file written")
            # GDAL would take the old mask's validity and overviews for the new one's.
            remove(*(self.path.with_name(self.path.name + suffix) for suffix in (".msk", ".ovr")))
            # The side file first: whoever sees the new mask sees its table too.
            side_path(self._final).replace(side_path(self.path))
            self._final.replace(self.path)
        remove(*self._leftovers())

    def abandon(self) -> None:
        """Delete what was written so far; a file that was there before stays as it was."""
        with contextlib.suppress(RasterioError, OSError):
            self._close()
        remove(*self._leftovers())

    def _describe(self, dataset: Any, legend: Legend) -> None:
        # GDAL shifts the transform of files that say "Point" by half a pixel; ours already counts from pixel corners.
        tags = {key: value for key, value in self._tags.items() if key != "AREA_OR_POINT"}
        dataset.update_tags(**tags | {CLASSES_TAG: legend.to_json()})
        dataset.set_band_description(1, "class")
        dataset.write_colormap(1, {value: tuple(map(int, rgba)) for value, rgba in enumerate(legend.colour_table())})

    def _close(self) -> None:
        if self._dataset is not None:
            dataset, self._dataset = self._dataset, None
            dataset.close()

    def _leftovers(self) -> list[Path]:
        return [self._tiled, side_path(self._tiled), self._final, side_path(self._final)]


COG_OPTIONS = {
    "driver": "COG",
    "compress": "DEFLATE",  # read everywhere; ZSTD is not
    "predictor": "NO",  # differences of class indices compress worse than the indices
    "blocksize": BLOCK,
    "overview_resampling": "MODE",  # the class most pixels have: an average of class indices means nothing
    "bigtiff": "IF_SAFER",
    "sparse_ok": True,
}


@functools.cache
def fast_compression() -> dict[str, Any]:
    """What to compress the file between with: ZSTD where GDAL has it, else DEFLATE, both at their fastest."""
    try:
        with (
            MemoryFile() as file,
            file.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return {"compress": "ZSTD", "zstd_level": 1}
    except RasterioError:
        return {"compress": "DEFLATE", "zlevel": 1}


def _profile(grid: Grid, gcps: GroundControl | None) -> dict[str, Any]:
    crs: CRS | None = grid.crs
    place: dict[str, Any] = {}
    if gcps is not None:
        points, crs = gcps
        place = {"gcps": points}
    elif not grid.transform.is_identity:  # GDAL's word for "no transform", and rasterio warns of it
        place = {"transform": grid.transform}
    return {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": 1,
        "dtype": "uint8",
        "nodata": IGNORE_INDEX,
        "crs": rasterio.crs.CRS.from_wkt(crs.to_wkt()) if crs is not None else None,
        **place,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
        **fast_compression(),
    }


def copy_to_cog(source: Path, target: Path) -> None:
    """Write ``target`` as a Cloud Optimized GeoTIFF from another raster; OSError if that fails."""
    with gdal_environment():
        try:
            rasterio.shutil.copy(source, target, **COG_OPTIONS)
        except Exception as error:  # GDAL's own errors pass through rasterio here, and have no public name
            raise OSError(str(error)) from error


def count_pixels(mask: Path) -> NDArray[np.int64]:
    """Pixels by value, shape (256,), of a one-band uint8 raster; reading it through also shows that it is whole."""
    counts = np.zeros(256, np.int64)
    with quiet_gdal():
        dataset = rasterio.open(mask)
    with dataset:
        for window in _chunks(dataset.height, dataset.width):
            # Pillow counts bytes four times as fast as np.bincount, which first makes 8-byte integers of them.
            counts += Image.fromarray(dataset.read(1, window=_gdal_window(window))).histogram()
    return counts


def _chunks(height: int, width: int) -> Iterator[Window]:
    """Whole blocks, few enough at a time that counting stays in tens of megabytes."""
    for strip in strips(height, width, BLOCK):
        for col in range(0, width, 16 * BLOCK):
            yield Window(strip.row, col, strip.height, min(16 * BLOCK, width - col))


def _gdal_window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
