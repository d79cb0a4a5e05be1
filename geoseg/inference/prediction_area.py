"""Which part of a scene is predicted: a window of it, and in that window perhaps only what lies inside polygons.

The mask covers the window, pixel on pixel with the scene. Inside it equals the whole scene's mask, for every network and
every blend, because the tiles are those of the whole scene: its tiling stays where it is, and of its tiles those are
taken that have a say in the window. They see what lies around the window as they always do.

Worked example, along columns: tiles of 6 with a halo of 1 have cores of 4, which begin at 0, 4, 8, ... and views from one
column before their core to one behind. The window of columns 4 to 5 lies in the core that begins at 4; where views are
averaged, the view of columns -1 to 4 has a say in column 4 as well. So the *region* is columns 0 to 7, two whole tiles.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geoseg.errors import ConfigError, GridMismatch, SceneError
from geoseg.grid.grid import Bounds, Grid, crs_name
from geoseg.grid.tiling import Tile
from geoseg.grid.window import Window
from geoseg.inference.tiles import Reading, Strip

EDGE_POINTS = 21
"""Points per side of a box that is brought into another CRS: its sides become curves."""


@dataclass(frozen=True)
class Area:
    """What is wanted of a scene."""

    window: Window
    """What the mask covers; pixels of the scene's grid, inside it."""
    inside: Callable[[Grid], NDArray[np.bool_]] | None = None
    """Which pixels of a grid are wanted, axes (row, col), True = wanted; None if all are. Called by several threads."""

    def region(self, grid: Grid, *, size: int, halo: int, reach: int) -> Window:
        """The block of whole tiles of the scene that have a say in the window: their cores, padded by ``reach``, touch it.

        ``size`` (side of a view), ``halo`` and ``reach`` (how far from its core a tile is heard) are pixels of ``grid``,
        the scene's.
        """
        step = size - 2 * halo
        heard = self.window.pad(reach).clip_to(*grid.shape)
        row, col = heard.row // step * step, heard.col // step * step
        rows, cols = -(-heard.row_stop // step) * step - row, -(-heard.col_stop // step) * step - col
        return Window(row, col, rows, cols).clip_to(*grid.shape)

    def read(self, tile: Tile, region: Window, grid: Grid, read: Callable[[Tile], Reading]) -> Reading:
        """A tile of the region as ``read`` reads it from the scene, without validity where nothing is wanted.

        ``tile`` is counted from the region's first pixel, ``read`` counts from the scene's. What is not wanted around
        the wanted stays visible to the network; a tile without a wanted pixel is not read at all.
        """
        there = Tile(tile.core.shift(region.row, region.col), tile.view.shift(region.row, region.col))
        if self.inside is None:
            return replace(read(there), tile=tile)
        wanted = self.inside(grid.crop(there.view))
        if not wanted.any():
            return Reading(tile, None, wanted)
        reading = read(there)
        valid = reading.valid & wanted
        return Reading(tile, reading.raster if valid.any() else None, valid)

    def part(self, rows: Window) -> "Area":
        """The same in some rows of the mask only; ``rows`` counts from the mask's first pixel."""
        return replace(self, window=rows.shift(self.window.row, self.window.col).intersection(self.window))

    def strips(self, strips: Iterable[Strip], region: Window) -> Iterator[Strip]:
        """Strips of the region, counted from its first pixel, cut to the window and counted from the window's."""
        window = self.window.relative_to(region)
        for place, scores, valid in strips:
            kept = place.intersection(window)
            if not kept.is_empty:
                inside = kept.relative_to(place).slices()
                yield Strip(kept.relative_to(window), scores[:, *inside], valid[inside])


def area_of(
    grid: Grid, *, bbox: Bounds | None = None, bbox_crs: str | None = None, aoi: str | Path | None = None
) -> Area:
    """The area of a scene's ``grid`` inside ``bbox`` (west, south, east, north) and inside the polygons of a file.

    ``bbox`` is in CRS units of the grid, or of ``bbox_crs``; on a rotated grid the window is what surrounds it. The window
    of polygons is what surrounds them. :class:`SceneError` if nothing of the grid is left, :class:`ConfigError` if bbox
    or its CRS make no sense, :class:`LayerError` if the polygons cannot be used.
    """
    window, inside = grid.window, None
    if bbox_crs is not None and bbox is None:
        raise ConfigError(f"{bbox_crs} is the CRS of no bbox", "give the box too: --bbox WEST,SOUTH,EAST,NORTH")
    if bbox is not None:
        window = window.intersection(grid.window_around(_outline(bbox, bbox_crs, grid)))
        if window.is_empty:
            raise SceneError(
                f"the box {_listed(bbox)} lies outside the scene", f"the scene spans {_spans(grid, bbox_crs)}"
            )
    if aoi is not None:
        from geoseg.vector.area_of_interest import AreaOfInterest  # brings GeoPandas along

        polygons = AreaOfInterest.read(aoi, grid.crop(window))
        window, inside = window.intersection(grid.window_around(polygons.points)), polygons.inside
        if window.is_empty:
            what = "the scene" if bbox is None else f"the box {_listed(bbox)}"
            raise SceneError(f"no polygon of {aoi} lies on {what}", "geoseg info tells where scene and polygons lie")
    return Area(window, inside)


def _outline(bbox: Bounds, crs: str | None, grid: Grid) -> NDArray[np.float64]:
    """Points around a box, shape (point, 2), (x, y) in the grid's CRS."""
    west, south, east, north = bbox
    if not (np.isfinite(bbox).all() and west < east and south < north):
        raise ConfigError(f"{_listed(bbox)} is no box", "write west, south, east, north, the smaller numbers first")
    along, up = np.linspace(west, east, EDGE_POINTS), np.linspace(south, north, EDGE_POINTS)
    xs = np.concatenate([along, along, np.full(EDGE_POINTS, west), np.full(EDGE_POINTS, east)])
    ys = np.concatenate([np.full(EDGE_POINTS, south), np.full(EDGE_POINTS, north), up, up])
    if crs is not None:
        xs, ys = _transformer(crs, grid).transform(xs, ys)
    if not np.isfinite([xs, ys]).all():
        raise SceneError(
            f"the box {_listed(bbox)} reaches beyond what {crs_name(grid.crs)} can express", "give one around the scene"
        )
    return np.stack([xs, ys], axis=1)


def _transformer(crs: str, grid: Grid) -> Transformer:
    """From a CRS given as text to the grid's; x (east, longitude) comes first in both."""
    if grid.crs is None:
        raise GridMismatch(
            "the scene has no CRS, so a box in another one cannot be found on it", "leave out --bbox-crs"
        )
    try:
        return Transformer.from_crs(CRS.from_user_input(crs), grid.crs, always_xy=True)
    except (CRSError, ProjError) as error:
        raise ConfigError(f"{crs!r} is no CRS that leads to the scene's", "write one like EPSG:4326") from error


def _spans(grid: Grid, crs: str | None) -> str:
    """The grid's bounds as a box would be given."""
    if crs is None:
        return _listed(grid.bounds)
    bounds = _transformer(crs, grid).transform_bounds(*grid.bounds, direction="INVERSE")
    return f"{_listed(bounds)} in {crs}"


def _listed(bounds: Bounds) -> str:
    return ",".join(f"{number:.10g}" for number in bounds)
