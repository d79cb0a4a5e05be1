"""A layer of polygons in memory: what files of polygons hold, and what some wishes need whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import ConfigError, LayerError, did_you_mean
from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.vector.attributes import Attributes
from geoseg.vector.generalize.fill_holes import without_small_holes
from geoseg.vector.generalize.merge_small import absorb_specks
from geoseg.vector.generalize.orthogonalize import orthogonal_coverage
from geoseg.vector.generalize.simplify_coverage import reshaped_coverage
from geoseg.vector.io.arrow import Stream, of_frame, to_frame
from geoseg.vector.io.formats import target_crs, write_stream
from geoseg.vector.io.qgis_style import read_legend
from geoseg.vector.io.reader import read_layer
from geoseg.vector.measure import measured
from geoseg.vector.tracing.outlines import Outlines

ID = "polygon_id"
NAME = "class_name"
"""The column that says of which class a polygon is, unless another one is named."""


@dataclass(frozen=True, eq=False)
class PolygonLayer:
    """Polygons that cover what a mask covered, without gaps or overlaps."""

    frame: gpd.GeoDataFrame
    """One row per polygon: its attributes (see ``attributes``; other columns of other files) and geometry (Polygon or
    MultiPolygon in CRS units)."""
    legend: Legend | None
    """Names and colours of the classes; None if unknown, or the mask's values are no class indices (above 254, negative)."""
    notes: tuple[str, ...] = ()
    """What a user should know about the layer, one sentence each."""
    column: str = NAME
    """The column that names the class."""

    @classmethod
    def from_outlines(
        cls, outlines: Outlines, grid: Grid, *, legend: Legend | None, notes: tuple[str, ...] = ()
    ) -> Self:
        """The layer of a mask's outlines on its grid. Values the legend does not know are named by their number."""
        several = bool((np.diff(outlines.polygon_offsets) > 1).any())
        stream = Attributes(grid, legend, several=several).stream([outlines])
        return cls(to_frame(stream), legend, notes)

    @classmethod
    def read(cls, path: str | Path, *, column: str = NAME) -> Self:
        """The polygons of a vector file; ``column`` says of which class each is, if it is there. Colours are those of the
        file's style, if geoseg wrote it. :class:`LayerError` if there are none.
        """
        frame = read_layer(path)
        notes = () if column in frame.columns else (
            f"the layer has no column {column!r}: every polygon is a class of its own",
        )  # fmt: skip
        return cls(frame, read_legend(path), notes, column)

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

    def reshaped(self, *, tolerance_m: float = 0.0, smooth: bool = False) -> Self:
        """The layer with fewer vertices and, if ``smooth``, round corners, borders still shared; see ``arcs``.

        A tolerance of one ground sample distance straightens the staircases of slanting borders. :class:`LayerError`
        without CRS.
        """
        if not (tolerance_m > 0 or smooth) or not len(self):
            return self
        crs = self._need_crs("simplify by metres")
        geometries = reshaped_coverage(self.geometries, crs, tolerance_m=tolerance_m, smooth=smooth)
        return self._with(geometries, np.arange(len(self)))

    def without_small(self, area_m2: float) -> Self:
        """The layer without polygons under ``area_m2`` square metres: each goes into the neighbour with which it shares
        the longest border (see ``specks``); those without neighbours are left out. :class:`LayerError` without CRS.
        """
        if area_m2 <= 0 or not len(self):
            return self
        areas, _ = measured(self.geometries, self._need_crs("leave out by square metres"))
        return self._with(*absorb_specks(self.geometries, self._classes(), areas, area_m2))

    def without_holes(self, area_m2: float) -> Self:
        """The layer without holes under ``area_m2`` square metres, and without what lies in them. :class:`LayerError`
        without CRS.
        """
        if area_m2 <= 0 or not len(self):
            return self
        return self._with(*without_small_holes(self.geometries, self._need_crs("fill by square metres"), area_m2))

    def orthogonal(self, classes: Sequence[str], tolerance_m: float, *, within: shapely.Polygon | None = None) -> Self:
        """The layer with right angles in the polygons of these classes, sides shorter than ``tolerance_m`` metres
        straightened and nothing added outside ``within``; neighbours follow (see ``orthogonal``). :class:`LayerError`
        without CRS.
        """
        if not classes or not len(self):
            return self
        crs = self._need_crs("make right angles")
        known = self._known(classes)
        chosen = np.flatnonzero(self.frame[self.column].isin(known))
        return self._with(*orthogonal_coverage(self.geometries, chosen, crs, tolerance_m, within=within))

    def selected(self, classes: Sequence[str]) -> Self:
        """Only the polygons of these classes, by name; :class:`ConfigError` if there is no class of that name."""
        known = self._known(classes)
        chosen = self.frame[self.column].isin(known)
        return replace(self, frame=self.frame[chosen].reset_index(drop=True))

    def dissolved(self) -> Self:
        """One polygon of many parts per class. Its polygon_id is the smallest; a confidence is the mean by area."""
        if not len(self) or self.column not in self.frame.columns:
            return self
        names, groups = np.unique(self._classes(), return_inverse=True)
        firsts = np.array([np.flatnonzero(groups == k)[0] for k in range(len(names))])
        geometries = np.array([_union(self.geometries[groups == k]) for k in range(len(names))], dtype=object)
        whole = self._with(geometries, firsts)
        if ID in self.frame:
            whole.frame[ID] = self.frame[ID].groupby(groups).min().to_numpy()
        if "confidence" in self.frame:
            known = self.frame["confidence"].notna()
            areas = self.frame["area_m2"].where(known)
            sums = (self.frame["confidence"] * areas).groupby(groups).sum() / areas.groupby(groups).sum()
            whole.frame["confidence"] = sums.to_numpy(np.float64)
        return whole

    def stream(self, crs: CRS | None = None) -> Stream:
        """The layer on its way to a file, in a CRS (None: its own)."""
        frame = self.frame if crs is None or crs == self.crs else self.frame.to_crs(crs)
        return of_frame(frame, self.legend)

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the layer in the format of the suffix; see ``formats``. GeoJSON is reprojected to longitude and latitude
        (EPSG:4326), the others keep the CRS. :class:`OutputError` for other suffixes, a file that exists, or a folder that
        cannot be written to.
        """
        write_stream(self.stream(target_crs(Path(path), None, self.crs)), Path(path), overwrite=overwrite)

    def _need_crs(self, what: str) -> CRS:
        if self.crs is None:
            raise LayerError(
                f"the layer has no CRS, so there are no metres to {what}", "give the mask a CRS (gdal_edit -a_srs)"
            )
        return self.crs

    def _known(self, classes: Sequence[str]) -> list[str]:
        if self.column not in self.frame.columns:
            raise LayerError(
                f"the layer has no column {self.column!r} to say which class is which",
                did_you_mean(self.column, map(str, self.frame.columns)),
            )
        known = set(self.frame[self.column].dropna().astype(str)) | set(self.legend.names if self.legend else ())
        for name in classes:
            if name not in known:
                raise ConfigError(f"the mask has no class {name!r}", did_you_mean(name, known))
        return list(classes)

    def _classes(self) -> NDArray[np.int64]:
        """(polygon,): a number per class; without a column that says it, every polygon is a class of its own."""
        if self.column not in self.frame.columns:
            return np.arange(len(self))
        numbers: NDArray[np.int64] = pd.factorize(self.frame[self.column], sort=True)[0].astype(np.int64)
        return numbers

    def _with(self, geometries: NDArray[np.object_], source: NDArray[np.int64]) -> Self:
        """The layer of other geometries, each with the attributes of the polygon at its position in ``source``."""
        frame = self.frame.iloc[source].reset_index(drop=True).set_geometry(geometries, crs=self.crs)
        for name, values in zip(("area_m2", "perimeter_m"), measured(geometries, self.crs), strict=True):
            frame[name] = values
        return replace(self, frame=frame)


def _union(geometries: NDArray[np.object_]) -> shapely.Geometry:
    whole = shapely.coverage_union_all(geometries)
    return whole if whole.is_valid else shapely.union_all(geometries)
