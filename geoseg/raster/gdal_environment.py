"""The GDAL options under which geoseg opens every raster, and why each is set.

GDAL's defaults suit single commands: gigabytes of block cache on a large machine, no second try when a server stumbles.
Every raster geoseg opens is opened inside ``with gdal_environment():``.
"""

import os

import rasterio

CACHE_MB = 256
"""Megabytes of GDAL's block cache; also what bounds the memory of writing a Cloud Optimized GeoTIFF."""

CACHE_VARIABLE = "GDAL_CACHEMAX"
"""Where GDAL looks for it when it stores its first block, and never again."""

SILENCE_SECONDS = 60
"""How long a server may say nothing."""


def gdal_environment() -> rasterio.Env:
    """A context in which GDAL has geoseg's options."""
    # The default is 5 % of the machine's memory, container limits or not. Writing a mask of 400 megapixels as COG peaked
    # at 671 MB with the default and took no longer with a tenth of that (measured, GDAL 3.10). An environment variable,
    # because an option of rasterio's holds only inside the context, counts bytes, and is the default again outside.
    os.environ.setdefault(CACHE_VARIABLE, str(CACHE_MB))
    return rasterio.Env(
        # Scenes on object storage: a single lost connection must not end an hour of prediction.
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_RETRY_DELAY=1,
        # ... and a server that says nothing must not be waited for without end.
        GDAL_HTTP_CONNECTTIMEOUT=SILENCE_SECONDS,
        GDAL_HTTP_LOW_SPEED_LIMIT=1,
        GDAL_HTTP_LOW_SPEED_TIME=SILENCE_SECONDS,
    )
