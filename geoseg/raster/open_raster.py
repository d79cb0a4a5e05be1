"""Opening a raster file, and saying in a sentence why it could not be opened or read."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geoseg.errors import SceneError, did_you_mean
from geoseg.raster.gdal_environment import gdal_environment

BUCKETS = {"s3": "vsis3", "gs": "vsigs", "az": "vsiaz", "oss": "vsioss"}
"""GDAL's file systems for object storage, by the scheme of an address; credentials come from where its owner keeps them."""

_OPENING = threading.Lock()  # warnings.catch_warnings changes the whole process: one thread at a time


@contextlib.contextmanager
def quiet_gdal() -> Iterator[None]:
    """The GDAL options of geoseg, and no warnings about missing georeference: Scene.notes tells the user instead."""
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with gdal_environment():
            yield


def open_raster(path: str) -> Any:
    """An open rasterio dataset, whether or not it is georeferenced; :class:`SceneError` that says why not otherwise."""
    try:
        with quiet_gdal():
            return rasterio.open(gdal_name(path))
    except (RasterioError, OSError, ValueError) as error:
        raise _not_opened(path, error) from error


def gdal_name(path: str) -> str:
    """The name under which GDAL reads a path in parts: what lies on servers through its virtual file systems."""
    scheme, _, place = path.partition("://")
    if scheme.lower() in ("http", "https", "ftp"):
        return f"/vsicurl/{path}"
    return f"/{BUCKETS[scheme.lower()]}/{place}" if scheme.lower() in BUCKETS else path


def require_bands(path: str, dataset: Any) -> None:
    """:class:`SceneError` unless the dataset has bands, and of real numbers."""
    if dataset.count == 0:
        parts = dataset.subdatasets
        raise SceneError(
            f"{path} holds no bands itself", f"it holds {len(parts)} rasters; name one: {parts[0]}" if parts else ""
        )
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise SceneError(
            f"{path} holds complex numbers",
            "write amplitude or another real quantity first (gdal_calc, or your SAR tool)",
        )


def unreadable(path: str, where: str, error: Exception) -> SceneError:
    """The error of a file that could be opened but not read ``where`` (in words)."""
    reason = str(error.__cause__ or error)
    damaged = "the file is damaged or incomplete: copy or download it again"
    gone = "the server may be out of reach or the file have changed: try again, or download it first"
    return SceneError(f"{path} cannot be read at {where}: {reason}", gone if "://" in path else damaged)


def _not_opened(path: str, error: Exception) -> SceneError:
    file = Path(path)
    if "://" in path or path.startswith("/vsi"):
        return SceneError(
            f"{path} cannot be opened: {error}", "check the address, and that it can be reached from here"
        )
    if file.is_dir():
        return SceneError(f"{path} is a folder, not a raster", "name one raster file in it")
    if not file.exists():
        neighbours = [f.name for f in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = did_you_mean(file.name, neighbours) if 0 < len(neighbours) < 1000 else ""
        return SceneError(f"{path} does not exist", hint if hint.startswith("did") else "check the path")
    if file.stat().st_size == 0:
        return SceneError(f"{path} is empty", "copy or download it again")
    return SceneError(
        f"{path} is no raster that can be read: {error}",
        "give a GeoTIFF or another raster (gdalinfo says what GDAL makes of it)",
    )
