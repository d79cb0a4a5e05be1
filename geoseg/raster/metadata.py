"""What a raster file says of itself: its bands, where it lies, and how it marks pixels that hold nothing.

Questions to an open dataset; the only pixels read are those of one small window, to find out whether a band marked as
alpha really is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import GeosegError, SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend

GroundControl = tuple[list[GroundControlPoint], CRS | None]
"""Ground control points (row, col to x, y) and the CRS of their x and y."""

CLASSES_TAG = "GEOSEG_CLASSES"
"""The dataset tag in which a mask carries its legend."""

MEANINGLESS_COLOURS = (ColorInterp.undefined, ColorInterp.palette, ColorInterp.alpha)


@dataclass(frozen=True)
class Description:
    """A raster without its pixels."""

    grid: Grid
    """Where the pixels lie; without CRS if there is no transform, or only ground control points place them."""
    bands: tuple[str, ...]
    """A unique name per band, in the file's order; a band of validity (alpha) is not among them."""
    indexes: tuple[int, ...]
    """GDAL's 1-based number of each of ``bands``."""
    alpha: int | None
    """GDAL's number of the band that says which pixels are usable (0 = not), if there is one."""
    has_mask: bool
    """True if the file carries a validity mask of its own (inside or as .msk)."""
    dtype: np.dtype[Any]
    """The type that holds every band."""
    mixed: bool
    """True if bands are stored in different types."""
    nodata: float | None
    """The value of pixels that hold nothing, in the file's units."""
    block: tuple[int, int]
    """(height, width) of the blocks in which the file stores pixels."""
    legend: Legend | None
    """Class names and colours, if geoseg wrote the file."""
    palette: NDArray[np.uint8] | None
    """Red, green, blue, alpha by pixel value, shape (256, 4), if the first band has a colour table."""
    tags: Mapping[str, str]
    """The dataset's tags."""
    gcps: GroundControl | None
    """Ground control points, if nothing else places the raster."""
    notes: tuple[str, ...]
    """What a user should know, one sentence each."""

    @property
    def validity(self) -> str:
        """How the file says which pixels are usable, in words."""
        said = {
            "alpha band": self.alpha is not None,
            "internal mask": self.has_mask,
            f"nodata {self.nodata:g}" if self.nodata is not None else "": self.nodata is not None,
        }
        return " and ".join(words for words, true in said.items() if true) or "every pixel"


def describe(dataset: Any, *, alpha: bool | None = None) -> Description:
    """What an open rasterio dataset with at least one band says of itself; ``alpha`` as in ``Scene.open``.

    :class:`SceneError` if its pixels have no size.
    """
    alpha_band, alpha_notes = _alpha_band(dataset, alpha)
    indexes = tuple(index for index in dataset.indexes if index != alpha_band)
    grid, gcps, place_notes = _place(dataset)
    legend, legend_notes = _legend(dataset.tags())
    flags = dataset.mask_flag_enums[indexes[0] - 1]
    return Description(
        grid=grid,
        bands=_band_names(dataset, indexes),
        indexes=indexes,
        alpha=alpha_band,
        has_mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        dtype=np.result_type(*(dataset.dtypes[index - 1] for index in indexes)),
        mixed=len(set(dataset.dtypes)) > 1,
        nodata=dataset.nodata,
        block=tuple(dataset.block_shapes[0]),
        legend=legend,
        palette=_palette(dataset),
        tags=dict(dataset.tags()),
        gcps=gcps,
        notes=(*place_notes, *alpha_notes, *_palette_notes(dataset, legend), *legend_notes),
    )


def gcps_in(gcps: GroundControl | None, window: Window) -> GroundControl | None:
    """Ground control points counted from the window's first pixel; they may lie outside it."""
    if gcps is None:
        return None
    points, crs = gcps
    moved = [GroundControlPoint(p.row - window.row, p.col - window.col, p.x, p.y, p.z, p.id, p.info) for p in points]
    return moved, crs


def _alpha_band(dataset: Any, wanted: bool | None) -> tuple[int | None, list[str]]:
    last = dataset.count
    if last < 2 or dataset.colorinterp[-1] != ColorInterp.alpha or wanted is False:
        return None, []
    if wanted or not looks_like_image(_central_pixels(dataset, last)):
        return last, []
    return None, [f"band {last} is marked as alpha but holds an image (often near infrared): it is read as a band"]


def _central_pixels(dataset: Any, index: int, side: int = 256) -> NDArray[Any]:
    height, width = min(dataset.height, side), min(dataset.width, side)
    row, col = (dataset.height - height) // 2, (dataset.width - width) // 2
    values: NDArray[Any] = dataset.read(index, window=RasterioWindow(col, row, width, height))
    return values


def looks_like_image(values: NDArray[Any]) -> bool:
    """True if the values of a would-be alpha band vary like a picture's.

    Aerial images in four bands are often written with near infrared marked as alpha (NAIP, ISPRS Potsdam). True alpha
    is 0 or one and the same value, bar a few pixels along edges: there the commonest non-zero value is the rule.
    """
    _, counts = np.unique(values[values != 0], return_counts=True)
    return bool(counts.size) and bool(2 * counts.max() < counts.sum())


def _place(dataset: Any) -> tuple[Grid, GroundControl | None, list[str]]:
    crs, notes = _crs(dataset.crs)
    points, points_crs = dataset.gcps
    transform = dataset.transform
    if transform.determinant == 0:
        raise SceneError(f"the pixels of {dataset.name} have no size", "give it a transform (gdal_edit -a_ullr)")
    gcps = None
    if points and transform.is_identity:
        gcps, crs, notes = (list(points), _crs(points_crs)[0]), None, [_gcps_note(len(points))]
    elif crs is not None and transform.is_identity:
        crs, notes = None, ["a CRS but no transform: results come in pixel coordinates, without areas in square metres"]
    elif crs is None and not notes:
        notes = ["no CRS: results come in the scene's own coordinates, without areas in square metres"]
    if transform.is_identity and dataset.rpcs is not None:
        notes.append(
            "placed by rational polynomials (RPC) only: warp the scene first (gdalwarp -rpc) to place the results"
        )
    grid = Grid(crs, Affine(*transform[:6]), dataset.height, dataset.width)
    return grid, gcps, notes


def _gcps_note(count: int) -> str:
    return (
        f"placed by {count} ground control points only: results come in pixel coordinates with the same points; "
        f"warp the scene first (gdalwarp) for results on the map"
    )


def _crs(crs: Any) -> tuple[CRS | None, list[str]]:
    if not crs:
        return None, []
    try:
        return CRS.from_wkt(crs.to_wkt(version="WKT2_2019")), []
    except CRSError:
        return None, [
            "the CRS cannot be understood and is ignored: results come without one (gdal_edit -a_srs sets it)"
        ]


def _band_names(dataset: Any, indexes: Sequence[int]) -> tuple[str, ...]:
    names: list[str] = []
    for index in indexes:
        colour = dataset.colorinterp[index - 1]
        by_colour = f"band_{index}" if colour in MEANINGLESS_COLOURS else colour.name
        name = (dataset.descriptions[index - 1] or "").strip() or by_colour
        names.append(name if name not in names else f"{name}_{index}")
    return tuple(names)


def _palette(dataset: Any) -> NDArray[np.uint8] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    try:
        colours = dataset.colormap(1)
    except ValueError:  # a palette is announced, but there is none
        return None
    table = np.zeros((256, 4), np.uint8)
    for value, colour in colours.items():
        if value < len(table):
            table[value] = colour
    return table


def _palette_notes(dataset: Any, legend: Legend | None) -> list[str]:
    if legend is not None or dataset.colorinterp[0] != ColorInterp.palette:
        return []
    return [
        "the pixels are numbers of a colour palette, kept as one band (gdal_translate -expand rgb makes an image of it)"
    ]


def _legend(tags: Mapping[str, str]) -> tuple[Legend | None, list[str]]:
    if CLASSES_TAG not in tags:
        return None, []
    try:
        return Legend.from_json(tags[CLASSES_TAG]), []
    except (GeosegError, ValueError, LookupError, TypeError):
        return None, [f"the tag {CLASSES_TAG} holds no legend that can be read and is ignored"]
