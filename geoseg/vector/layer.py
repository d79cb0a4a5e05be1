"""A layer of polygons with their classes: what polygonizing gives, and what GIS programs open."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import ConfigError, LayerError, did_you_mean
from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.vector.area import areas_m2, units_per_metre
from geoseg.vector.formats import write_frame
from geoseg.vector.geometry import polygons
from geoseg.vector.join import Outlines
from geoseg.vector.simplify import simplified_coverage
from geoseg.vector.specks import absorb_specks


@dataclass(frozen=True, eq=False)
class PolygonLayer:
    """Polygons that cover what a mask covered, without gaps or overlaps."""

    frame: gpd.GeoDataFrame
    """Columns class_index (integer), class_name (text), area_m2 (square metres on the ellipsoid, NaN without CRS) and
    geometry (Polygon or MultiPolygon in CRS units), one row per polygon."""
    legend: Legend | None
    """Names and colours of the classes; None if the mask's values are no class indices (above 254 or negative)."""
    notes: tuple[str, ...] = ()
    """What a user should know about the layer, one sentence each."""

    @classmethod
    def from_outlines(
        cls, outlines: Outlines, grid: Grid, *, legend: Legend | None, notes: tuple[str, ...] = ()
    ) -> Self:
        """The layer of a mask's outlines on its grid. Values the legend does not know are named by their number."""
        geometries = polygons(outlines, grid.transform)
        return cls(_frame(geometries, outlines.values, grid.crs, legend), legend, notes)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def crs(self) -> CRS | None:
        """The layer's CRS; None if its coordinates are pixels or unknown."""
        crs: CRS | None = self.frame.crs
        return crs

    @property
    def geometries(self) -> NDArray[np.object_]:
        """The polygons as shapely objects (polygon,), in CRS units."""
        geometries: NDArray[np.object_] = self.frame.geometry.to_numpy()
        return geometries

    def simplified(self, tolerance_m: float) -> Self:
        """The layer with fewer vertices, borders still shared; ``tolerance_m`` as in ``simplify``, in metres.

        One ground sample distance straightens the staircases of slanting borders. :class:`LayerError` without CRS.
        """
        if tolerance_m <= 0 or not len(self):
            return self
        tolerance = tolerance_m * units_per_metre(self.geometries, self._need_crs("simplify by metres"))
        return self._with(simplified_coverage(self.geometries, tolerance), np.arange(len(self)))

    def without_small(self, area_m2: float) -> Self:
        """The layer without polygons under ``area_m2`` square metres: each goes into the neighbour with which it shares
        the longest border (see ``specks``); those without neighbours are left out. :class:`LayerError` without CRS.
        """
        if area_m2 <= 0 or not len(self):
            return self
        self._need_crs("leave out by square metres")
        classes = self.frame["class_index"].to_numpy(np.int64)
        areas = self.frame["area_m2"].to_numpy(np.float64)
        return self._with(*absorb_specks(self.geometries, classes, areas, area_m2))

    def selected(self, classes: Sequence[str]) -> Self:
        """Only the polygons of these classes, by name; :class:`ConfigError` if there is no class of that name."""
        known = set(self.frame["class_name"]) | set(self.legend.names if self.legend else ())
        for name in classes:
            if name not in known:
                raise ConfigError(f"the mask has no class {name!r}", did_you_mean(name, known))
        chosen = self.frame["class_name"].isin(list(classes))
        return replace(self, frame=self.frame[chosen].reset_index(drop=True))

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the layer in the format of the suffix: .gpkg (with its colours for QGIS), .geojson, .parquet or .fgb.

        GeoJSON is reprojected to longitude and latitude (EPSG:4326), the others keep the CRS. :class:`OutputError` for
        other suffixes, a file that exists, or a folder that cannot be written to.
        """
        write_frame(self.frame, Path(path), legend=self.legend, overwrite=overwrite)

    def _need_crs(self, what: str) -> CRS:
        if self.crs is None:
            raise LayerError(
                f"the layer has no CRS, so there are no metres to {what}", "give the mask a CRS (gdal_edit -a_srs)"
            )
        return self.crs

    def _with(self, geometries: NDArray[np.object_], source: NDArray[np.int64]) -> Self:
        """The layer of other geometries, each with the class of the polygon at its position in ``source``."""
        values = self.frame["class_index"].to_numpy(np.int64)[source]
        return replace(self, frame=_frame(geometries, values, self.crs, self.legend))


def _frame(
    geometries: NDArray[np.object_], values: NDArray[np.int64], crs: CRS | None, legend: Legend | None
) -> gpd.GeoDataFrame:
    indices, position = np.unique(values, return_inverse=True)
    names = np.array([_name(int(index), legend) for index in indices], dtype=object)
    columns = {
        "class_index": values.astype(np.int32),
        "class_name": names[position].astype(str) if len(names) else np.empty(0, dtype=str),
        "area_m2": areas_m2(geometries, crs) if crs is not None else np.full(len(values), math.nan),
    }
    return gpd.GeoDataFrame(columns, geometry=geometries, crs=crs)


def _name(index: int, legend: Legend | None) -> str:
    return legend.names[index] if legend is not None and 0 <= index < len(legend) else str(index)
