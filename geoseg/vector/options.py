"""Options for polygonization."""

from collections.abc import Sequence
from dataclasses import dataclass

from geoseg.errors import ConfigError
from geoseg.vector.tracing.trace_raster import Connectivity


@dataclass(frozen=True, kw_only=True)
class PolygonizeOptions:
    """Options for converting a mask or layer to polygons; the steps are performed in the order of the fields.

    The defaults are those of :func:`~geoseg.vector.polygonize.polygonize`.
    """

    connectivity: Connectivity
    """4: pixels in a polygon are connected through shared sides; 8: also through shared corners."""
    fill_holes_m2: float
    """Holes smaller than this area, in square meters, are filled."""
    min_area_m2: float
    """Polygons smaller than this area, in square meters, are merged into a neighbor."""
    simplify_m: float
    """Maximum distance in meters that borders may move when vertices are removed."""
    smooth: bool
    """True to round corners."""
    orthogonalize: Sequence[str]
    """Names of the classes whose polygon corners are made right-angled."""
    classes: Sequence[str] | None
    """Names of the classes to keep; None to keep all."""
    dissolve: bool
    """True to unite all polygons of a class into one polygon with many parts."""

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8):
            raise ConfigError(f"connectivity must be 4 or 8, got {self.connectivity}")

    @property
    def is_multi(self) -> bool:
        """True if traced polygons may have several parts."""
        return self.connectivity == 8

    @property
    def reshapes_borders(self) -> bool:
        """True if borders are simplified or smoothed."""
        return self.simplify_m > 0 or self.smooth

    @property
    def merges_regions(self) -> bool:
        """True if polygons may be merged into others, which can make classes disappear."""
        return self.fill_holes_m2 > 0 or self.min_area_m2 > 0

    @property
    def needs_crs(self) -> bool:
        """True if any option in meters or square meters is used."""
        return self.merges_regions or self.reshapes_borders or bool(self.orthogonalize)

    @property
    def needs_full_layer(self) -> bool:
        """True if any step needs all polygons in memory."""
        return self.dissolve or bool(self.orthogonalize)
