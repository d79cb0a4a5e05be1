"""The area of interest: polygons that say which pixels of a grid are wanted. A pixel is inside if its centre is.

Only the window asked about is ever burnt, and only with the polygons near it: memory does not grow with the grid.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from geoseg.errors import LayerError
from geoseg.grid.grid import Grid, crs_name
from geoseg.raster.open_raster import quiet_gdal
from geoseg.vector.rasterize import in_crs, read_near

SURFACE = 2
"""shapely's dimension of polygons; points and lines have no inside."""


@dataclass(frozen=True, eq=False)
class AreaOfInterest:
    """Polygons in the CRS of a grid; may be asked by several threads at once."""

    tree: shapely.STRtree
    """The polygons, to be found by place; x and y in the grid's CRS."""

    @classmethod
    def read(cls, path: str | Path, grid: Grid) -> Self:
        """The polygons of a vector file (any format GeoPandas reads, any CRS) that may touch ``grid``, brought to its CRS.

        :class:`LayerError` if the file cannot be read, has no polygon there, or only one of file and grid has a CRS.
        """
        polygons = _surfaces(in_crs(grid.crs, read_near(path, grid)).geometry.to_numpy())
        if not len(polygons):
            raise LayerError(
                f"no polygon of {path} lies on the scene", "geoseg info tells where scene and polygons lie"
            )
        if not np.isfinite(shapely.total_bounds(polygons)).all():
            raise LayerError(
                f"a polygon of {path} reaches beyond what {crs_name(grid.crs)} can express", "cut it to the scene first"
            )
        return cls(shapely.STRtree(polygons))

    @property
    def points(self) -> NDArray[np.float64]:
        """All corners of the polygons, shape (point, 2), (x, y)."""
        corners: NDArray[np.float64] = shapely.get_coordinates(self.tree.geometries)
        return corners

    def inside(self, grid: Grid) -> NDArray[np.bool_]:
        """Axes (row, col) of ``grid``, which has the polygons' CRS; True where the pixel's centre lies in a polygon."""
        around = grid.crop(grid.window.pad(1)).bounds
        near = self.tree.geometries[self.tree.query(shapely.box(*around))]
        near = shapely.clip_by_rect(near, *around)  # burning costs time by the corner, and a coastline has a million
        near = near[~shapely.is_empty(near)]
        if not len(near):
            return np.zeros(grid.shape, np.bool_)
        with quiet_gdal():  # rasterio silences a warning here, which other threads that open files would let through
            inside: NDArray[np.bool_] = geometry_mask(near, grid.shape, transform=grid.transform, invert=True)
        return inside


def _surfaces(geometries: NDArray[Any]) -> NDArray[Any]:
    """The geometries that have an inside; collections come apart, and borders that cross themselves are put in order."""
    parts = shapely.get_parts(shapely.make_valid(shapely.get_parts(geometries[~shapely.is_missing(geometries)])))
    has_inside: NDArray[np.bool_] = (shapely.get_dimensions(parts) == SURFACE) & ~shapely.is_empty(parts)
    return parts[has_inside]
