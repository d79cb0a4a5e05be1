"""Read the metadata of raster files: grid, bands, validity, legend, and ground control points.

Pixels are read only from one small window, to find out whether a band that is marked as alpha really is an alpha band.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import ConfigError, SceneError
from geoseg.grid.crs import crs_name, is_in_range
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.band_names import COLOUR_NAMES, BandNames, is_generic
from geoseg.raster.open_raster import (
    READ_ERRORS,
    gdal_environment,
    make_read_error,
    open_raster,
    require_bands,
    require_bounded_blocks,
)

GroundControl = tuple[list[GroundControlPoint], CRS | None]
"""Ground control points, which map (row, col) to (x, y), and the CRS of (x, y)."""

CLASSES_TAG = "GEOSEG_CLASSES"
"""Dataset tag that contains the legend of a mask as JSON."""

SENSOR_TAGS = ("SPACECRAFT_ID", "SPACECRAFT_NAME", "PRODUCT_URI", "SATELLITE", "SENSOR", "TIFFTAG_IMAGEDESCRIPTION")
"""Dataset tags that may identify the sensor."""

UNSPECIFIC_COLOURS = (ColorInterp.undefined, ColorInterp.palette, ColorInterp.alpha)
"""Color interpretations that are not used as band names."""


@dataclass(frozen=True)
class RasterMetadata:
    """All properties of a raster file except its pixels."""

    grid: Grid
    """CRS, transform and size; the CRS is None if there is no transform, or if there are only ground control points."""
    band_names: BandNames
    """The information in the file about its bands, in file order, without the alpha band."""
    indexes: tuple[int, ...]
    """GDAL's 1-based band index of each entry of ``bands``."""
    alpha: int | None
    """GDAL's index of the alpha band, in which 0 marks invalid pixels; None if there is none."""
    has_mask: bool
    """True if the file has a validity mask (internal or .msk)."""
    dtype: np.dtype[Any]
    """Data type that can represent the values of all bands."""
    has_mixed_dtypes: bool
    """True if the bands have different data types."""
    band_nodata: tuple[float | None, ...]
    """Nodata value of each entry of ``bands``; in some virtual rasters, these values differ."""
    masks_differ: bool
    """True if the band masks that GDAL uses for resampling can differ from the validity that geoseg determines."""
    block_shape: tuple[int, int]
    """(height, width) of the blocks in which the file is stored."""
    legend: Legend | None
    """Class names and colors, if the file was written by geoseg."""
    palette: NDArray[np.uint8] | None
    """Red, green, blue and alpha of each pixel value, shape (256, 4), if the first band has a color table."""
    tags: Mapping[str, str]
    """Dataset tags."""
    gcps: GroundControl | None
    """Ground control points, if the raster is not georeferenced by other means."""
    notes: tuple[str, ...]
    """Notes for the user, one sentence each."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Unique names of the bands, in file order, without the alpha band.

        The name is the description of the band, or its color interpretation if the description is missing or generic
        (``Band 1``).
        """
        return tuple(self.band_names.names)

    @property
    def nodata(self) -> float | None:
        """The nodata value; None if the bands declare no nodata value or different ones."""
        return self.band_nodata[0] if len({repr(value) for value in self.band_nodata}) == 1 else None

    def nodata_of(self, index: int) -> float | None:
        """Return the nodata value of the band with GDAL's 1-based ``index``."""
        return self.band_nodata[self.indexes.index(index)]

    @property
    def validity(self) -> str:
        """Description of how the validity of pixels is determined."""
        declared = [None if value is None else f"{value:g}" for value in self.band_nodata]
        by_band = f"nodata {', '.join(value or 'none' for value in declared)} by band"
        sources = {
            "alpha band": self.alpha is not None,
            "internal mask": self.has_mask,
            f"nodata {declared[0]}" if len(set(declared)) == 1 else by_band: any(declared),
        }
        return " and ".join(name for name, exists in sources.items() if exists) or "every pixel"

    @classmethod
    def from_dataset(cls, dataset: Any, *, alpha: bool | None = None) -> Self:
        """Read the metadata of an open rasterio dataset with at least one band.

        Args:
            dataset: The dataset.
            alpha: See :func:`read_metadata`.

        Raises:
            SceneError: If the transform is singular.
        """
        alpha_band, alpha_notes = _find_alpha(dataset, alpha)
        indexes = tuple(index for index in dataset.indexes if index != alpha_band)
        grid, gcps, grid_notes = _read_grid(dataset)
        legend, legend_notes = _read_legend(dataset.tags())
        flags = dataset.mask_flag_enums[indexes[0] - 1]
        has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        band_nodata = tuple(dataset.nodatavals[index - 1] for index in indexes)
        return cls(
            grid=grid,
            band_names=_describe_bands(dataset, indexes),
            indexes=indexes,
            alpha=alpha_band,
            has_mask=has_mask,
            dtype=np.result_type(*(dataset.dtypes[index - 1] for index in indexes)),
            has_mixed_dtypes=len(set(dataset.dtypes)) > 1,
            band_nodata=band_nodata,
            masks_differ=_can_masks_differ(dataset, indexes, has_mask=has_mask, alpha=alpha_band, nodata=band_nodata),
            block_shape=tuple(dataset.block_shapes[0]),
            legend=legend,
            palette=_read_palette(dataset),
            tags=dict(dataset.tags()),
            gcps=gcps,
            notes=(
                *grid_notes,
                *alpha_notes,
                *_scale_notes(dataset, indexes),
                *_palette_notes(dataset, legend),
                *legend_notes,
            ),
        )


def read_metadata(path: str, *, alpha: bool | None = None) -> RasterMetadata:
    """Read the metadata of a raster file.

    Args:
        path: File, URL or GDAL path.
        alpha: If the last band is marked as alpha: True to use it as a validity mask, False to use it as an image band,
            None to decide based on its values.

    Raises:
        SceneError: If the file is missing, is not a raster or has no usable band.
    """
    with open_raster(path) as dataset:
        try:
            require_bands(path, dataset)
            require_bounded_blocks(path, dataset)
            with gdal_environment():  # this forwards GDAL warnings to Python's logging
                return RasterMetadata.from_dataset(dataset, alpha=alpha)
        except READ_ERRORS as error:
            raise make_read_error(path, "its metadata or central pixels", error) from error


def crop_gcps(gcps: GroundControl | None, window: Window) -> GroundControl | None:
    """Return ground control points relative to the first pixel of a window; they may be outside the window."""
    if gcps is None:
        return None
    points, crs = gcps
    shifted = [GroundControlPoint(p.row - window.row, p.col - window.col, p.x, p.y, p.z, p.id, p.info) for p in points]
    return shifted, crs


def _find_alpha(dataset: Any, alpha: bool | None) -> tuple[int | None, list[str]]:
    last = dataset.count
    if last < 2 or dataset.colorinterp[-1] != ColorInterp.alpha or alpha is False:
        return None, []
    if alpha or not looks_like_image(_central_pixels(dataset, last)):
        return last, []
    return None, [
        f"band {last} is marked as alpha but contains an image (often near infrared): it is read as an image band"
    ]


def _central_pixels(dataset: Any, index: int, side: int = 256) -> NDArray[Any]:
    height, width = min(dataset.height, side), min(dataset.width, side)
    row, col = (dataset.height - height) // 2, (dataset.width - width) // 2
    values: NDArray[Any] = dataset.read(index, window=RasterioWindow(col, row, width, height))
    return values


def looks_like_image(values: NDArray[Any]) -> bool:
    """Return True if the values of a band that is marked as alpha vary like the values of an image band.

    In four-band aerial images, the near-infrared band is often marked as alpha (NAIP, ISPRS Potsdam). A true alpha band
    contains only 0 and one other value, except for a few pixels along edges: most of its nonzero pixels have the most
    frequent value.
    """
    _, counts = np.unique(values[values != 0], return_counts=True)
    return bool(counts.size) and bool(2 * counts.max() < counts.sum())


def _can_masks_differ(
    dataset: Any, indexes: Sequence[int], *, has_mask: bool, alpha: int | None, nodata: Sequence[float | None]
) -> bool:
    """Return False if GDAL masks every band with the same single source of validity as geoseg, or if there is none."""
    masked = [dataset.mask_flag_enums[index - 1] != [MaskFlags.all_valid] for index in indexes]
    used = has_mask + (alpha is not None)
    return (
        any(value is not None for value in nodata) or used > 1 or any(is_masked != bool(used) for is_masked in masked)
    )


def _read_grid(dataset: Any) -> tuple[Grid, GroundControl | None, list[str]]:
    crs, notes = _read_crs(dataset.crs)
    points, points_crs = dataset.gcps
    transform = dataset.transform
    if transform.determinant == 0 or not math.isfinite(transform.determinant):
        raise SceneError(
            f"the transform of {dataset.name} is singular or not finite", "set a valid transform (gdal_edit -a_ullr)"
        )
    gcps = None
    if points and transform.is_identity:
        gcps, crs, notes = (list(points), _read_crs(points_crs)[0]), None, [_gcps_note(len(points))]
    elif crs is not None and transform.is_identity:
        crs, notes = None, ["CRS but no transform: results have pixel coordinates, and no areas in square meters"]
    elif crs is None and not notes:
        notes = ["no CRS: results have the coordinates of the scene, and no areas in square meters"]
    if transform.is_identity and dataset.rpcs is not None:
        notes.append(
            "georeferenced only by rational polynomials (RPC): warp the scene first (gdalwarp -rpc) to get a CRS"
        )
    grid = Grid(crs, Affine(*transform[:6]), dataset.height, dataset.width)
    return grid, gcps, notes + _range_notes(grid)


def _range_notes(grid: Grid) -> list[str]:
    left, bottom, right, top = grid.bounds
    width, height = (right - left) / grid.width, (top - bottom) / grid.height
    # The outermost pixels of a global grid may extend beyond the poles.
    inner = left + width, bottom + height, right - width, top - height
    if grid.crs is None or is_in_range(inner, grid.crs):
        return []
    return [f"the coordinates are impossible in {crs_name(grid.crs)}: check the CRS and the transform"]


def _gcps_note(count: int) -> str:
    return (
        f"georeferenced by {count} ground control points only: results have pixel coordinates and the same points; "
        f"for results with a CRS, warp the scene first (gdalwarp)"
    )


def _read_crs(crs: Any) -> tuple[CRS | None, list[str]]:
    if not crs:
        return None, []
    try:
        return CRS.from_wkt(crs.to_wkt(version="WKT2_2019")), []
    except CRSError:
        return None, ["the CRS is invalid and is ignored: results have no CRS (use gdal_edit -a_srs to set one)"]


def _describe_bands(dataset: Any, indexes: Sequence[int]) -> BandNames:
    descriptions = [(dataset.descriptions[index - 1] or "").strip() for index in indexes]
    colours = [dataset.colorinterp[index - 1] for index in indexes]
    names: list[str] = []
    for index, text, colour in zip(indexes, descriptions, colours, strict=True):
        is_colour = colour not in UNSPECIFIC_COLOURS
        described = "" if is_generic(text) and colour.name in COLOUR_NAMES else text
        name = described or (colour.name if is_colour else f"band_{index}")
        names.append(name if name not in names else f"{name}_{index}")
    stated = tuple(colour.name if colour.name in COLOUR_NAMES else "" for colour in colours)
    origin = " ".join([Path(dataset.name).name, *(dataset.tags().get(tag, "") for tag in SENSOR_TAGS)])
    return BandNames(tuple(names), tuple(descriptions), stated, origin)


def _read_palette(dataset: Any) -> NDArray[np.uint8] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    try:
        colours = dataset.colormap(1)
    except ValueError:  # the band is marked as having a palette, but does not have one
        return None
    table = np.zeros((256, 4), np.uint8)
    for value, colour in colours.items():
        if value < len(table):
            table[value] = colour
    return table


def _scale_notes(dataset: Any, indexes: Sequence[int]) -> list[str]:
    """Return a note about scale and offset tags, which describe how to convert stored values to physical quantities."""
    pairs = dict.fromkeys((dataset.scales[index - 1], dataset.offsets[index - 1]) for index in indexes)
    if set(pairs) <= {(1.0, 0.0)}:
        return []
    listed = ", ".join(f"{scale:g} and {offset:g}" for scale, offset in pairs)
    return [f"the scale and offset tags ({listed}) are not applied: values are used as stored"]


def _palette_notes(dataset: Any, legend: Legend | None) -> list[str]:
    if legend is not None or dataset.colorinterp[0] != ColorInterp.palette:
        return []
    return [
        "the pixels are color palette indices and are read as one band (use gdal_translate -expand rgb to convert them)"
    ]


def _read_legend(tags: Mapping[str, str]) -> tuple[Legend | None, list[str]]:
    if CLASSES_TAG not in tags:
        return None, []
    try:
        return Legend.from_json(tags[CLASSES_TAG]), []
    except ConfigError:
        return None, [f"the tag {CLASSES_TAG} does not contain a valid legend and is ignored"]
