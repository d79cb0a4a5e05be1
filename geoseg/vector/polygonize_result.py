"""The result of polygonization, with a short representation for terminals and notebooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import geopandas as gpd
from pyproj import CRS

from geoseg._text import count, join_names
from geoseg.grid.crs import crs_name
from geoseg.vector.io.reader import read_polygons
from geoseg.vector.io.writer import WriteSummary

MAX_SHOWN_CLASSES = 20
"""Maximum number of classes listed in the representation."""


@dataclass(frozen=True, eq=False, repr=False)
class Polygons:
    """Polygons that were written to a file, or kept in memory."""

    path: Path | None
    """The file, or the path from which the names of the per-class files are derived; None for polygons in memory."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    summary: WriteSummary
    """Polygon counts, and the polygons if they are in memory."""
    notes: tuple[str, ...]
    """Notes for the user, one sentence each."""

    def __len__(self) -> int:
        return self.count

    @property
    def count(self) -> int:
        """Number of polygons written by this call."""
        return self.summary.count

    @property
    def class_counts(self) -> Mapping[str, int]:
        """Number of polygons by class name."""
        return self.summary.class_counts

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """The polygons as a GeoDataFrame, which is read from the file if they are not in memory."""
        if self.path is None:
            assert self.summary.frame is not None
            return self.summary.frame
        return read_polygons(self.path)

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}: {value}" for name, value in self._facts().items())
        classes = [f"{name} ({number})" for name, number in self.class_counts.items()]
        listed = f"\n  classes: {join_names(classes, limit=MAX_SHOWN_CLASSES)}" if classes else ""
        return f"{count(self.count, 'polygon')}\n  {facts}{listed}"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        facts = {**self._facts(), "polygons": str(self.count)}
        rows = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items()]
        shown = list(self.class_counts.items())[:MAX_SHOWN_CLASSES]
        rows += [f"<tr><td>{escape(name)}</td><td>{number}</td></tr>" for name, number in shown]
        rest = len(self.class_counts) - len(shown)
        rows += [f"<tr><td>and {rest} more classes</td><td></td></tr>"] if rest else []
        return f"<table>{''.join(rows)}</table>"

    def _facts(self) -> dict[str, str]:
        facts = {"file": "none (in memory)" if self.path is None else str(self.path)}
        if self.summary.layers:
            facts["layer"] = join_names(self.summary.layers, limit=MAX_SHOWN_CLASSES)
        return {**facts, "CRS": "none" if self.crs is None else crs_name(self.crs)}
