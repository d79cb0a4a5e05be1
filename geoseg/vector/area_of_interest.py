"""Areas of interest: polygons that select the pixels of a grid whose centers they contain.

Only the requested window and the polygons near it are rasterized, so memory use does not grow with the grid.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from geoseg.errors import LayerError
from geoseg.grid.grid import Grid
from geoseg.raster.open_raster import quiet_gdal
from geoseg.vector.explain_miss import explain_miss
from geoseg.vector.io.reader import GridPolygons


@dataclass(frozen=True, eq=False)
class AreaOfInterest:
    """Polygons in the CRS of a grid; several threads may use an instance concurrently."""

    tree: shapely.STRtree
    """Spatial index of the polygons."""
    notes: tuple[str, ...] = ()
    """Notes about features that were left out or repaired, one sentence each."""

    @classmethod
    def read(cls, path: str | Path, grid: Grid) -> Self:
        """Read the polygons of a vector file that may intersect a grid, and reproject them to its CRS.

        Raises:
            LayerError: If the file cannot be read or has no polygons on the grid, or if only one of the file and the
                grid has a CRS.
            GridMismatch: If PROJ has no transformation between the two CRSs.
        """
        polygons = GridPolygons.read(path, grid)
        if not len(polygons.frame):
            miss = explain_miss(path, grid)
            raise LayerError(miss.message, miss.hint or "compare their bounds, which `geoseg info` prints")
        return cls(shapely.STRtree(shapely.get_parts(polygons.frame.geometry.to_numpy())), polygons.notes)

    @property
    def points(self) -> NDArray[np.float64]:
        """All vertices of the polygons (point, 2: x, y)."""
        vertices: NDArray[np.float64] = shapely.get_coordinates(self.tree.geometries)
        return vertices

    def inside(self, grid: Grid) -> NDArray[np.bool_]:
        """Rasterize the polygons on a grid in their CRS.

        Returns:
            True where the center of the pixel is inside a polygon, axes (row, col).
        """
        bounds = grid.crop(grid.window.pad(1)).bounds
        near = self.tree.geometries[self.tree.query(shapely.box(*bounds))]
        near = shapely.clip_by_rect(near, *bounds)  # fewer vertices to rasterize; coastlines have millions
        near = near[~shapely.is_empty(near)]
        if not len(near):
            return np.zeros(grid.shape, np.bool_)
        with quiet_gdal():  # rasterio suppresses a warning here, but other threads that open files would re-enable it
            inside: NDArray[np.bool_] = geometry_mask(near, grid.shape, transform=grid.transform, invert=True)
        return inside
