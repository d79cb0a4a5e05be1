"""The part of a scene that is predicted: a window, optionally restricted to the inside of polygons.

The mask covers the window, on the pixel grid of the scene. Inside the window, it is identical to the mask of the whole
scene, for every network and blending mode, because the scene is tiled in the same way: only tiles that contribute to
the window are predicted, with their usual context.

Example, along columns: 6-pixel tiles with a 1-pixel halo have 4-pixel cores, which begin at 0, 4, 8, ..., and views
that extend from one column before the core to one column after it. A window that covers columns 4 and 5 is inside the
core that begins at 4. If views are averaged, the view of columns -1 to 4 also contributes to column 4, so the *region*
consists of columns 0 to 7: two tiles.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import ConfigError, GridMismatch, SceneError
from geoseg.grid.crs import crs_name, find_turns, full_turn, make_transformer
from geoseg.grid.grid import Bounds, Grid
from geoseg.grid.seam import find_seam
from geoseg.grid.tiling import Tile, strips
from geoseg.grid.window import Window
from geoseg.vector.io.require_file import require_file

if TYPE_CHECKING:
    from geoseg.inference.tile_pipeline import ScoreStrip, TileInput

STRIP_ROWS = 1024
"""Number of rows to search at a time for a pixel inside polygons."""

POINTS_PER_SIDE = 21
"""Points per side of a box that is transformed to a different CRS, in which its sides become curves."""


@dataclass(frozen=True)
class PredictionArea:
    """The requested part of a scene."""

    window: Window
    """Extent of the mask in pixels of the scene's grid; always inside the grid."""
    inside: Callable[[Grid], NDArray[np.bool_]] | None = None
    """Function that returns the requested pixels of a grid (True), axes (row, col); None if all pixels are requested.
    It is called from several threads."""
    notes: tuple[str, ...] = ()
    """Notes about the file with the polygons, one sentence each."""

    def region(self, grid: Grid, *, size: tuple[int, int], halo: tuple[int, int], reach: tuple[int, int]) -> Window:
        """Return the block of complete tiles that contribute to the window.

        Args:
            grid: The scene's grid; all other arguments are in pixels of this grid.
            size: (height, width) of a view.
            halo: Margin around each core: (rows above and below, columns to the left and right).
            reach: Largest distance (rows, columns) from its core at which a tile contributes.
        """
        down, across = (side - 2 * ring for side, ring in zip(size, halo, strict=True))
        window = self.window.shift(-reach[0], -reach[1])
        window = Window(window.row, window.col, window.height + 2 * reach[0], window.width + 2 * reach[1])
        reached = window.clip_to(*grid.shape)
        row, col = reached.row // down * down, reached.col // across * across
        rows, cols = -(-reached.row_stop // down) * down - row, -(-reached.col_stop // across) * across - col
        return Window(row, col, rows, cols).clip_to(*grid.shape)

    def read(self, tile: Tile, region: Window, grid: Grid, read: "Callable[[Tile], TileInput]") -> "TileInput":
        """Read a tile, with pixels that are not requested marked as not valid.

        Pixels that are not requested are still part of the network's input; a tile without any requested pixels is not
        read at all.

        Args:
            tile: The tile, relative to the first pixel of ``region``.
            region: A window of ``grid``.
            grid: The scene's grid.
            read: Function that reads a tile whose position is relative to the first pixel of ``grid``.
        """
        from geoseg.inference.tile_pipeline import TileInput  # imports torch

        shifted = Tile(tile.core.shift(region.row, region.col), tile.view.shift(region.row, region.col))
        if self.inside is None:
            return replace(read(shifted), tile=tile)
        requested = self.inside(grid.crop(shifted.view))
        if not requested.any():
            return TileInput(tile, None, requested)
        tile_input = read(shifted)
        valid = tile_input.valid & requested
        return TileInput(tile, tile_input.raster if valid.any() else None, valid)

    def part(self, rows: Window) -> "PredictionArea":
        """Restrict the area to some rows of the mask, whose positions are relative to its first pixel."""
        return replace(self, window=rows.shift(self.window.row, self.window.col).intersection(self.window))

    def crop_strips(self, strips: "Iterable[ScoreStrip]", region: Window) -> "Iterator[ScoreStrip]":
        """Crop strips of ``region`` to the window; the resulting positions are relative to the window's first pixel."""
        from geoseg.inference.tile_pipeline import ScoreStrip  # imports torch

        window = self.window.relative_to(region)
        for extent, scores, valid in strips:
            cropped = extent.intersection(window)
            if not cropped.is_empty:
                inside = cropped.relative_to(extent).slices()
                yield ScoreStrip(cropped.relative_to(window), scores[:, *inside], valid[inside])


def find_area(
    grid: Grid, *, bbox: Bounds | None = None, bbox_crs: str | None = None, aoi: str | Path | None = None
) -> PredictionArea:
    """Find the part of a scene that is inside a bounding box and inside polygons.

    Args:
        grid: The scene's grid.
        bbox: West, south, east, north. On a rotated grid, the window encloses the box. In a geographic CRS, a box whose
            east is less than its west crosses the antimeridian.
        bbox_crs: CRS of ``bbox``; None for the CRS of the grid.
        aoi: Vector file with polygons; the window encloses them.

    Raises:
        SceneError: If the box or all polygons are outside the grid, or no polygon contains the center of a pixel.
        ConfigError: If the box or its CRS is invalid.
        LayerError: If the polygons cannot be read.
    """
    window, inside = grid.window, None
    notes: tuple[str, ...] = ()
    if bbox_crs is not None and bbox is None:
        raise ConfigError(f"bbox_crs {bbox_crs} without a bbox", "add --bbox WEST,SOUTH,EAST,NORTH")
    if bbox is not None:
        window = window.intersection(grid.window_around(_outline(bbox, bbox_crs, grid)))
        if window.is_empty:
            raise SceneError(
                f"the box {_format_bounds(bbox)} is outside the scene",
                f"the scene spans {_format_span(grid, bbox_crs)}",
            )
    if aoi is not None:
        require_file(aoi)
        from geoseg.vector.area_of_interest import AreaOfInterest  # imports GeoPandas

        polygons = AreaOfInterest.read(aoi, grid.crop(window))
        notes = polygons.notes
        window, inside = window.intersection(grid.window_around(polygons.points)), polygons.inside
        if window.is_empty:
            where = "the scene" if bbox is None else f"the box {_format_bounds(bbox)}"
            raise SceneError(f"no polygon of {aoi} overlaps {where}", "compare their extents with geoseg info")
        _require_pixel(PredictionArea(window, inside), grid, aoi)
    return PredictionArea(window, inside, notes)


def _require_pixel(area: PredictionArea, grid: Grid, aoi: str | Path) -> None:
    """Check that at least one pixel center is inside the polygons of an area."""
    assert area.inside is not None
    for strip in strips(area.window.height, area.window.width, STRIP_ROWS):
        if area.inside(grid.crop(strip.shift(area.window.row, area.window.col))).any():
            return
    raise SceneError(
        f"no polygon of {aoi} contains the center of a pixel of the scene", "compare polygons and pixels in a GIS"
    )


def _outline(bbox: Bounds, crs: str | None, grid: Grid) -> NDArray[np.float64]:
    """Return points along the border of a box as (x, y) in the grid's CRS, shape (point, 2).

    In a geographic CRS, a box whose east is less than its west crosses the antimeridian.
    """
    own = grid.crs if crs is None else _parse_crs(crs, grid)
    west, south, east, north = bbox
    if own is not None and own.is_geographic and np.isfinite(bbox).all():
        turn = full_turn(own)
        east += turn * (-turn / 2 <= east < west <= turn / 2)
    if not (np.isfinite(bbox).all() and west < east and south < north):
        raise ConfigError(
            f"invalid box {_format_bounds(bbox)}", "use west, south, east, north with west < east and south < north"
        )
    along, up = np.linspace(west, east, POINTS_PER_SIDE), np.linspace(south, north, POINTS_PER_SIDE)
    xs = np.concatenate([along, np.full(POINTS_PER_SIDE, east), along[::-1], np.full(POINTS_PER_SIDE, west)])
    ys = np.concatenate([np.full(POINTS_PER_SIDE, south), up, np.full(POINTS_PER_SIDE, north), up[::-1]])
    if own is not None and grid.crs is not None and own != grid.crs:
        xs, ys = make_transformer(own, grid.crs).transform(xs, ys)
    if not np.isfinite([xs, ys]).all():
        raise SceneError(
            f"the box {_format_bounds(bbox)} cannot be transformed to {crs_name(grid.crs)}",
            "use a box around the scene",
        )
    seam = find_seam(grid.crs)
    if seam is not None and seam.period is not None:
        xs = _move_to_grid(xs, grid, seam.period)
        ys = np.tile(ys, len(xs) // len(ys))
    return np.stack([xs, ys], axis=1)


def _move_to_grid(xs: NDArray[np.float64], grid: Grid, turn: float) -> NDArray[np.float64]:
    """Shift x of a box by full turns to the grid; repeat it if several shifts fit."""
    left, _, right, _ = grid.bounds
    continuous = np.unwrap(xs, period=turn)
    west, east = float(continuous.min()), float(continuous.max())
    first, last = (int(number) for number in find_turns(turn, west, east, left=left, right=right))
    if first > last:  # beside the grid
        first = last = round(((left + right) / 2 - (west + east) / 2) / turn)
    return np.concatenate([continuous + turn * number for number in range(first, last + 1)])


def _parse_crs(crs: str, grid: Grid) -> CRS:
    if grid.crs is None:
        raise GridMismatch("bbox_crs is given, but the scene has no CRS", "leave out --bbox-crs")
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise ConfigError(f"{crs!r} is not a CRS", "use a code like EPSG:4326") from error


def _format_span(grid: Grid, crs: str | None) -> str:
    """Format the grid's bounds in the same way as a box."""
    if crs is None:
        return _format_bounds(grid.bounds)
    assert grid.crs is not None  # _parse_crs
    bounds = make_transformer(grid.crs, _parse_crs(crs, grid)).transform_bounds(*grid.bounds)
    return f"{_format_bounds(bounds)} in {crs}"


def _format_bounds(bounds: Bounds) -> str:
    return ",".join(f"{number:.10g}" for number in bounds)
