"""Georeferencing of pixels: grids, windows, tilings and patches."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.grid.grid import Grid as Grid
    from geoseg.grid.patch_positions import patch_windows as patch_windows
    from geoseg.grid.tiling import Tile as Tile
    from geoseg.grid.tiling import strips as strips
    from geoseg.grid.tiling import tiles as tiles
    from geoseg.grid.window import Window as Window

_MODULES = {
    "Grid": "geoseg.grid.grid",
    "Tile": "geoseg.grid.tiling",
    "Window": "geoseg.grid.window",
    "patch_windows": "geoseg.grid.patch_positions",
    "strips": "geoseg.grid.tiling",
    "tiles": "geoseg.grid.tiling",
}

__all__ = [
    "Grid",
    "Tile",
    "Window",
    "patch_windows",
    "strips",
    "tiles",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
