"""Write crops as single files: georeferenced GeoTIFF, or plain PNG for computer vision software."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from geoseg._output_files import output_errors
from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.raster.open_raster import gdal_environment, quiet_gdal


def write_crop_geotiff(
    path: Path,
    values: NDArray[Any],
    grid: Grid,
    *,
    bands: tuple[str, ...] = (),
    valid: NDArray[np.bool_] | None = None,
    nodata: float | None = None,
) -> None:
    """Write a crop as a GeoTIFF.

    Args:
        path: The file to write.
        values: Pixel values, axes (band, row, col).
        grid: CRS and transform of the crop.
        bands: Band descriptions.
        valid: Axes (row, col); invalid pixels are set to the nodata value, or excluded by an internal mask if there is
            no nodata value.
        nodata: The nodata value.

    Raises:
        OutputError: If the file cannot be written.
    """
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": len(values),
        "dtype": values.dtype.name,
        "nodata": nodata,
        "compress": "deflate",
        "transform": grid.transform,
        "crs": None if grid.crs is None else grid.crs.to_wkt(),
    }
    with quiet_gdal():  # only to open the file, because only one thread at a time can be in this context
        file = rasterio.open(path, "w", **profile)
    with output_errors(path), gdal_environment(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), file:
        if valid is not None and nodata is not None:
            values = np.where(valid, values, np.asarray(nodata, values.dtype))
        file.write(values)
        for index, name in enumerate(bands, 1):
            file.set_band_description(index, name)
        if valid is not None and nodata is None and not valid.all():
            file.write_mask(valid)


def write_crop_png(path: Path, values: NDArray[Any]) -> None:
    """Write a crop as a PNG without georeferencing.

    Args:
        path: The file to write.
        values: One or three uint8 bands, axes (band, row, col).

    Raises:
        SceneError: If the values have a different type or number of bands.
        OutputError: If the file cannot be written.
    """
    if values.dtype != np.uint8 or len(values) not in (1, 3):
        raise SceneError(
            f"cannot write {len(values)} {values.dtype} band(s) as PNG",
            "select three 8-bit bands, or write GeoTIFF",
        )
    image = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    with output_errors(path):
        image.save(path, format="PNG", compress_level=1)
