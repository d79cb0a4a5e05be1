"""Single crops as files: georeferenced GeoTIFF, or PNG as computer vision programs want them."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from geoseg._files import output_errors
from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.raster.gdal_environment import gdal_environment
from geoseg.raster.open_raster import quiet_gdal


def write_geotiff(
    path: Path,
    values: NDArray[Any],
    grid: Grid,
    *,
    bands: tuple[str, ...] = (),
    valid: NDArray[np.bool_] | None = None,
    nodata: float | None = None,
) -> None:
    """Writes values (band, row, col) on ``grid``; pixels that are not ``valid`` (row, col) are said to hold nothing.

    They are so by the value ``nodata`` where there is one, by a mask inside the file otherwise.
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
    with quiet_gdal():  # for opening only: one thread at a time may hold it
        file = rasterio.open(path, "w", **profile)
    with output_errors(path), gdal_environment(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), file:
        if valid is not None and nodata is not None:
            values = np.where(valid, values, np.asarray(nodata, values.dtype))
        file.write(values)
        for index, name in enumerate(bands, 1):
            file.set_band_description(index, name)
        if valid is not None and nodata is None and not valid.all():
            file.write_mask(valid)


def write_plain_png(path: Path, values: NDArray[Any]) -> None:
    """Writes values (band, row, col) of one or three bands and 8 bit; :class:`SceneError` for others."""
    if values.dtype != np.uint8 or len(values) not in (1, 3):
        raise SceneError(
            f"{len(values)} bands of {values.dtype} are no PNG that every program reads",
            "choose three bands of 8 bit, or write GeoTIFF",
        )
    image = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    with output_errors(path):
        image.save(path, format="PNG", compress_level=1)
