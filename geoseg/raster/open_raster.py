"""Open raster files: set GDAL options, resolve remote paths, and explain why a file cannot be read.

GDAL's defaults are meant for single commands: gigabytes of block cache on a large machine, and no retries if a server
fails. geoseg therefore opens every raster inside ``with gdal_environment():``.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError

from geoseg._output_files import PIPE_HINT, is_pipe, path_exists
from geoseg._text import did_you_mean
from geoseg.errors import SceneError

BLOCK_CACHE_MB = 256
"""Size of GDAL's block cache in megabytes; it also limits the memory used to write a Cloud Optimized GeoTIFF."""

BLOCK_CACHE_VARIABLE = "GDAL_CACHEMAX"
"""Environment variable that GDAL reads only once, when it stores its first block."""

MAX_BLOCK_BYTES = 2**30
"""Maximum size in bytes of a block in a file, including all bands if the file is pixel-interleaved."""

MAX_BANDS = 10_000
"""Maximum number of bands of a file; each one takes a millisecond to describe."""

HTTP_TIMEOUT_S = 60
"""Timeout in seconds if a server sends no data."""

VSI_PREFIXES = {"s3": "vsis3", "gs": "vsigs", "az": "vsiaz", "oss": "vsioss"}
"""GDAL's virtual file system for each URL scheme of object storage; GDAL looks up credentials itself."""

READ_ERRORS = (RasterioError, CPLE_BaseError, ProjError, OSError, ValueError, ArithmeticError, RuntimeError)
"""Errors raised by rasterio, GDAL and PROJ for unusable files; ValueError concerns the CRS, RPCs or text encoding."""

_OPENING = (
    threading.Lock()
)  # warnings.catch_warnings affects the whole process, so only one thread at a time may use it


def gdal_environment() -> rasterio.Env:
    """Return a context manager that sets geoseg's GDAL options."""
    # The default is 5% of the machine's memory, regardless of the container's limit. Writing a 400-megapixel mask as a
    # COG peaked at 671 MB with the default, and was not slower with a cache a tenth of that size (measured with GDAL
    # 3.10). The size is set in an environment variable, because rasterio's option applies only inside the context and
    # is in bytes.
    os.environ.setdefault(BLOCK_CACHE_VARIABLE, str(BLOCK_CACHE_MB))
    return rasterio.Env(
        # A single lost connection to object storage must not abort an hour-long prediction.
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_RETRY_DELAY=1,
        # A server that does not respond must not block forever.
        GDAL_HTTP_CONNECTTIMEOUT=HTTP_TIMEOUT_S,
        GDAL_HTTP_LOW_SPEED_LIMIT=1,
        GDAL_HTTP_LOW_SPEED_TIME=HTTP_TIMEOUT_S,
    )


@contextlib.contextmanager
def quiet_gdal() -> Iterator[None]:
    """Set geoseg's GDAL options and suppress warnings about missing georeferencing, which ``Scene.notes`` reports."""
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with gdal_environment():
            yield


def open_raster(path: str) -> Any:
    """Open a raster file or URL as a rasterio dataset, with or without georeferencing.

    Raises:
        SceneError: If the file does not exist or is not a raster.
    """
    if is_pipe(path):
        raise SceneError(f"{path} is a pipe, not a file", PIPE_HINT)
    try:
        with quiet_gdal():
            return rasterio.open(gdal_path(path))
    except READ_ERRORS as error:
        raise _make_open_error(path, error) from error


def gdal_path(path: str) -> str:
    """Return the path that GDAL uses to read a file; URLs are converted to GDAL virtual file system paths.

    Example:
        >>> gdal_path("s3://bucket/scene.tif")
        '/vsis3/bucket/scene.tif'
        >>> gdal_path("https://example.org/scene.tif")
        '/vsicurl/https://example.org/scene.tif'
    """
    scheme, _, rest = path.partition("://")
    if scheme.lower() in ("http", "https", "ftp"):
        return f"/vsicurl/{path}"
    return f"/{VSI_PREFIXES[scheme.lower()]}/{rest}" if scheme.lower() in VSI_PREFIXES else path


def require_bands(path: str, dataset: Any) -> None:
    """Raise :class:`SceneError` unless an open dataset has bands that contain real numbers."""
    if dataset.count == 0:
        children = dataset.subdatasets
        raise SceneError(
            f"{path} has no bands",
            f"it contains {len(children)} rasters; specify one of them, such as {children[0]}" if children else "",
        )
    if dataset.count > MAX_BANDS:
        raise SceneError(
            f"{path} has {dataset.count:,} bands, more than {MAX_BANDS:,}", "select bands with gdal_translate -b"
        )
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise SceneError(
            f"{path} contains complex numbers",
            "convert them to amplitude or another real quantity first (gdal_calc, or your SAR tool)",
        )


def require_bounded_blocks(path: str, dataset: Any) -> None:
    """Raise :class:`SceneError` if reading one pixel takes more memory than :data:`MAX_BLOCK_BYTES`.

    GDAL reads whole blocks, with all bands if the file is pixel-interleaved. A sparse file of a few kilobytes can
    declare blocks of several gigabytes.
    """
    bands = dataset.count if dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL" else 1
    sizes = (np.dtype(dtype).itemsize for dtype in dataset.dtypes)
    for (height, width), itemsize in zip(dataset.block_shapes, sizes, strict=True):
        size = height * width * itemsize * bands
        if size > MAX_BLOCK_BYTES:
            raise SceneError(
                f"{path} stores its pixels in blocks of {height} x {width}, each of which needs {size / 1e9:.1f} GB",
                "convert it to smaller blocks first (gdal_translate -co TILED=YES), on a machine with enough memory",
            )


def make_read_error(path: str, where: str, error: Exception) -> SceneError:
    """Create the error for a file that was opened but cannot be read.

    Args:
        path: The file or URL.
        where: Description of the part of the file that cannot be read.
        error: The error raised by GDAL.
    """
    reason = " ".join(str(error.__cause__ or error).split())
    if isinstance(error, CRSError | ProjError):
        return _make_crs_error(path, error)
    if "://" in path:
        hint = "the server may be unreachable, or the file has changed: try again, or download it first"
    else:
        hint = "the file is damaged or incomplete: copy or download it again"
    return SceneError(f"{path} cannot be read at {where}: {reason}", hint)


def _make_crs_error(path: str, error: Exception) -> SceneError:
    reason = " ".join(str(error).split())
    return SceneError(f"the CRS of {path} is invalid: {reason}", "set a valid CRS (gdal_edit -a_srs)")


def _make_open_error(path: str, error: Exception) -> SceneError:
    file = Path(path)
    if isinstance(error, CRSError | ProjError):
        return _make_crs_error(path, error)
    if "://" in path or path.startswith("/vsi"):
        return SceneError(f"{path} cannot be opened: {error}", "check the address and the network connection")
    is_there = path_exists(file)
    if is_there and file.is_dir():
        return SceneError(f"{path} is a folder, not a raster", "name one raster file in it")
    if not is_there:
        neighbors = [f.name for f in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = did_you_mean(file.name, neighbors) if 0 < len(neighbors) < 1000 else ""
        return SceneError(f"{path} does not exist", hint if hint.startswith("did") else "check the path")
    if file.stat().st_size == 0:
        return SceneError(f"{path} is empty", "copy or download it again")
    return SceneError(
        f"{path} is not a readable raster: {error}", "use a GeoTIFF or another format that gdalinfo can read"
    )
