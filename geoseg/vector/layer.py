"""In-memory polygon layers, for operations that need all polygons at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import Grid
from geoseg.grid.seam import crosses_seam
from geoseg.legend import Legend
from geoseg.vector.antimeridian import reproject_polygon_arrays
from geoseg.vector.generalize.fill_holes import fill_coverage_holes
from geoseg.vector.generalize.orthogonalize import orthogonalize_coverage
from geoseg.vector.generalize.sieve import describe_removed, sieve_coverage
from geoseg.vector.generalize.simplify import simplify_coverage
from geoseg.vector.io.arrow import CLASS_COLUMN, ID_COLUMN, PolygonStream
from geoseg.vector.io.qgis_style import read_legend
from geoseg.vector.io.reader import read_polygons
from geoseg.vector.measure import measure_polygons
from geoseg.vector.polygon_arrays import PolygonArrays


@dataclass(frozen=True, eq=False)
class PolygonLayer:
    """Polygons with attributes. Methods return new layers, and shared borders remain identical.

    The polygons form a coverage: they do not overlap, and neighbors have the same vertices along shared borders.
    """

    frame: gpd.GeoDataFrame
    """One row per polygon: attributes and a Polygon or MultiPolygon in CRS units. For the attributes, see
    :mod:`geoseg.vector.attributes`; files that were not written by geoseg may have different ones."""
    legend: Legend | None
    """Names and colors of the classes; None if unknown."""
    notes: tuple[str, ...] = ()
    """Notes for the user, one sentence each."""
    column: str = CLASS_COLUMN
    """Column with the class of each polygon."""

    @classmethod
    def read(cls, path: str | Path, *, column: str = CLASS_COLUMN) -> Self:
        """Read the polygons of a vector file.

        Args:
            path: A vector file; features without an area are left out.
            column: Column with the class of each polygon; if it does not exist, every polygon is a separate class.

        Raises:
            LayerError: If the file cannot be read, or has no polygons.
        """
        frame = read_polygons(path)
        notes = () if column in frame.columns else (
            f"the layer has no column {column!r}: every polygon is treated as a separate class",
        )  # fmt: skip
        return cls(frame, read_legend(path), notes, column)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def crs(self) -> CRS | None:
        """CRS of the coordinates; None if unknown."""
        crs: CRS | None = self.frame.crs
        return crs

    @property
    def geometries(self) -> NDArray[np.object_]:
        """Shapely Polygons and MultiPolygons (polygon,), in CRS units."""
        geometries: NDArray[np.object_] = self.frame.geometry.to_numpy()
        return geometries

    def simplify(self, tolerance_m: float, *, smooth: bool = False) -> Self:
        """Remove vertices of borders, and round corners; see :mod:`geoseg.vector.generalize.simplify`.

        Args:
            tolerance_m: Maximum distance in meters that borders may move. A tolerance of one pixel (GSD) straightens
                the staircases along slanted borders; with 0, no vertices are removed.
            smooth: True to round corners.

        Raises:
            LayerError: If the layer has no CRS.
        """
        if not (tolerance_m > 0 or smooth) or not len(self):
            return self
        crs = self._require_crs("simplify")
        geometries = simplify_coverage(self.geometries, crs, tolerance_m=tolerance_m, smooth=smooth)
        return self._with(geometries, np.arange(len(self)))

    def sieve(self, min_area_m2: float) -> Self:
        """Merge small polygons into the neighbor with the longest shared border; remove those without neighbors.

        Args:
            min_area_m2: Polygons smaller than this area, in square meters, are merged.

        Raises:
            LayerError: If the layer has no CRS.
        """
        if min_area_m2 <= 0 or not len(self):
            return self
        areas, _ = measure_polygons(self.geometries, self._require_crs("merge small polygons"))
        geometries, source, removed = sieve_coverage(self.geometries, self._number_classes(), areas, min_area_m2)
        return replace(self._with(geometries, source), notes=(*self.notes, *describe_removed(removed, min_area_m2)))

    def fill_holes(self, max_area_m2: float) -> Self:
        """Fill small holes, and remove the polygons inside them.

        Args:
            max_area_m2: Holes smaller than this area, in square meters, are filled.

        Raises:
            LayerError: If the layer has no CRS.
        """
        if max_area_m2 <= 0 or not len(self):
            return self
        return self._with(*fill_coverage_holes(self.geometries, self._require_crs("fill holes"), max_area_m2))

    def orthogonalize(
        self, classes: Sequence[str], tolerance_m: float, *, within: shapely.Polygon | None = None
    ) -> Self:
        """Make the corners of the polygons of some classes right-angled, and adjust their neighbors.

        See :mod:`geoseg.vector.generalize.orthogonalize`.

        Args:
            classes: Class names.
            tolerance_m: Sides shorter than this length, in meters, are removed.
            within: Area to which the new outlines are clipped.

        Raises:
            LayerError: If the layer has no CRS or no class column.
            ConfigError: If any of the classes does not exist.
        """
        if not classes or not len(self):
            return self
        crs = self._require_crs("make right angles")
        positions = np.flatnonzero(self._is_of_classes(classes))
        result = orthogonalize_coverage(self.geometries, positions, crs, tolerance_m, within=within)
        removed = len(self) - len(result.geometries)
        said = (
            *(
                [f"polygons left unchanged, because right angles would break the coverage: {result.unchanged}"]
                if result.unchanged
                else []
            ),
            *([f"polygons removed, because new outlines of neighbors cover them: {removed}"] if removed else []),
        )
        return replace(self._with(result.geometries, result.source), notes=(*self.notes, *said))

    def select_classes(self, classes: Sequence[str]) -> Self:
        """Keep only the polygons of the named classes; raise :class:`ConfigError` if a class does not exist."""
        return replace(self, frame=self.frame[self._is_of_classes(classes)].reset_index(drop=True))

    def dissolve(self) -> Self:
        """Unite the polygons of each class into one polygon with many parts.

        The result has the smallest ``polygon_id`` in the class, and the mean ``confidence``, weighted by area.
        """
        if not len(self) or self.column not in self.frame.columns:
            return self
        numbers, groups = np.unique(self._number_classes(), return_inverse=True)
        firsts = np.array([np.flatnonzero(groups == k)[0] for k in range(len(numbers))])
        geometries = np.array([_unite(self.geometries[groups == k]) for k in range(len(numbers))], dtype=object)
        dissolved = self._with(geometries, firsts)
        if ID_COLUMN in self.frame:
            dissolved.frame[ID_COLUMN] = self.frame[ID_COLUMN].groupby(groups).min().to_numpy()
        if "confidence" in self.frame:
            areas = self.frame["area_m2"].where(self.frame["confidence"].notna())
            means = (self.frame["confidence"] * areas).groupby(groups).sum() / areas.groupby(groups).sum()
            dissolved.frame["confidence"] = means.to_numpy(np.float64)
        return dissolved

    def to_stream(self, crs: CRS | None = None) -> PolygonStream:
        """Stream the rows with coordinates in a CRS (None to use the CRS of the layer)."""
        own = self.crs
        if crs is None or own is None or crs == own:
            return PolygonStream.from_frame(self.frame)
        arrays = PolygonArrays.from_geometries(self.geometries)
        left, bottom, right, top = (
            (float(side) for side in shapely.total_bounds(self.geometries)) if len(self) else [0.0] * 4
        )
        extent = Grid(own, Affine(right - left, 0, left, 0, bottom - top, top), 1, 1)
        is_cut = len(self) > 0 and crosses_seam(extent, crs)
        moved = reproject_polygon_arrays(arrays, own, crs, is_cut=is_cut).to_geometries()
        return PolygonStream.from_frame(self.frame.set_geometry(moved, crs=crs))

    def _require_crs(self, purpose: str) -> CRS:
        if self.crs is None:
            raise LayerError(
                f"the layer has no CRS, which is needed to {purpose} in meters", "assign a CRS (gdal_edit -a_srs)"
            )
        return self.crs

    def _is_of_classes(self, classes: Sequence[str]) -> "pd.Series[bool]":
        """Return whether each polygon belongs to one of the classes, all of which must exist."""
        if self.column not in self.frame.columns:
            raise LayerError(
                f"the layer has no column {self.column!r} with the class of each polygon",
                did_you_mean(self.column, map(str, self.frame.columns)),
            )
        known = set(self.frame[self.column].dropna().astype(str)) | set(self.legend.names if self.legend else ())
        for name in classes:
            if name not in known:
                raise ConfigError(f"the mask has no class {name!r}", did_you_mean(name, known))
        matches: pd.Series[bool] = self.frame[self.column].isin(list(classes))
        return matches

    def _number_classes(self) -> NDArray[np.int64]:
        """Return the number of each polygon's class (polygon,); without a class column, all numbers are different."""
        if self.column not in self.frame.columns:
            return np.arange(len(self))
        numbers: NDArray[np.int64] = pd.factorize(self.frame[self.column], sort=True)[0].astype(np.int64)
        return numbers

    def _with(self, geometries: NDArray[np.object_], source: NDArray[np.int64]) -> Self:
        """Return a layer with new geometries; geometry k has the attributes of polygon ``source[k]``."""
        frame = self.frame.iloc[source].reset_index(drop=True).set_geometry(geometries, crs=self.crs)
        for name, values in zip(("area_m2", "perimeter_m"), measure_polygons(geometries, self.crs), strict=True):
            frame[name] = values
        return replace(self, frame=frame)


def _unite(geometries: NDArray[np.object_]) -> shapely.Geometry:
    united = shapely.coverage_union_all(geometries)
    return united if united.is_valid else shapely.union_all(geometries)
