"""Independent checks of results, with rasterio, pyogrio and numpy. They return sentences about what differs."""

from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

NODATA = 255
MAX_PIXELS = 4_000_000


def compare_mask_with_scene(scene: Path, mask: Path) -> list[str]:
    """Compare the grid of a mask with that of its scene, and its nodata with the scene's validity."""
    with rasterio.open(scene) as source, rasterio.open(mask) as result:
        differences = {
            "size": (source.shape, result.shape),
            "CRS": (source.crs if _is_located(source) else None, result.crs),
            "nodata": (NODATA, result.nodata),
            "bands and type": ((1, "uint8"), (result.count, result.dtypes[0])),
            "ground control points": (len(source.gcps[0]), len(result.gcps[0])),
        }
        found = [f"{name}: {one} became {other}" for name, (one, other) in differences.items() if one != other]
        if source.crs and not source.transform.almost_equals(result.transform, 1e-9):
            found.append(f"transform: {source.transform[:6]} became {result.transform[:6]}")
        if source.shape == result.shape and source.width * source.height <= MAX_PIXELS:
            found += _compare_validity(source, result)
    return found


def _is_located(source: rasterio.DatasetReader) -> bool:
    """Return whether a raster has a place; a CRS alone does not locate it."""
    return source.transform != Affine.identity() or len(source.gcps[0]) > 0


def _compare_validity(source: rasterio.DatasetReader, result: rasterio.DatasetReader) -> list[str]:
    predicted = result.read(1) != NODATA
    bands = [band for band in range(1, source.count + 1) if not _is_alpha(source, band)]
    valid = np.stack([_read_band_mask(source, band) for band in bands])
    if "float" in source.dtypes[0]:
        valid &= np.isfinite(source.read(bands))
    for band in set(range(1, source.count + 1)) - set(bands):
        valid &= source.read(band) > 0  # GDAL ignores an alpha band if nodata is declared, too
    any_band, every_band = valid.any(axis=0), valid.all(axis=0)
    # Between the two lies the choice of a rule for pixels that are nodata in some bands only.
    outside, lost = int((predicted & ~any_band).sum()), int((~predicted & every_band).sum())
    found = [f"{outside} pixels are predicted where the scene has no data"] if outside else []
    return found + ([f"{lost} of {every_band.sum()} valid pixels are not predicted"] if lost else [])


def _is_alpha(source: rasterio.DatasetReader, band: int) -> bool:
    """Return whether a band is marked as alpha and contains nothing but the values of a mask."""
    return source.colorinterp[band - 1] == ColorInterp.alpha and set(np.unique(source.read(band))) <= {0, 255}


def _read_band_mask(source: rasterio.DatasetReader, band: int) -> NDArray[np.bool_]:
    """Return a band's validity; GDAL's mask is an alpha band even if that is an image."""
    nodata = source.nodatavals[band - 1]
    if MaskFlags.alpha not in source.mask_flag_enums[band - 1] or _is_alpha(source, source.count):
        return source.read_masks(band) > 0
    return np.ones(source.shape, bool) if nodata is None else source.read(band) != nodata


def compare_polygons_with_mask(mask: Path, layer: Path) -> list[str]:
    """Compare area, validity and classes of polygons with the pixels of a mask."""
    with rasterio.open(mask) as file:
        valid = file.read_masks(1) > 0
        pixel_area = abs(file.transform.determinant)
        crs = file.crs if _is_located(file) else None
    meta, _, geometry, _ = pyogrio.raw.read(layer, layer=0)
    shapes = shapely.from_wkb(geometry)
    found = [] if shapely.is_valid(shapes).all() else ["polygons are invalid"]
    expected, area = float(valid.sum() * pixel_area), float(shapely.area(shapes).sum())
    if crs is not None and crs.is_projected and not np.isclose(area, expected, rtol=1e-6):
        found.append(f"area {area:.6g} instead of {expected:.6g} of {int(valid.sum())} valid pixels")
    if crs is not None and crs.to_epsg() and not meta["crs"]:
        found.append(f"the CRS {crs} is missing")
    return found
