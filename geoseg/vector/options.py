"""Options for polygonization."""

from collections.abc import Sequence
from dataclasses import dataclass

from geoseg.errors import ConfigError
from geoseg.vector.tracing.trace_raster import Connectivity


@dataclass(frozen=True, kw_only=True)
class PolygonizeOptions:
    """How a mask or a layer is converted to polygons; the steps are performed in the order of the fields.

    The defaults are those of :func:`~geoseg.vector.polygonize.polygonize`.
    """

    connectivity: Connectivity
    """4: the pixels of a polygon are connected through their sides; 8: also through corners alone."""
    fill_holes_m2: float
    """Holes smaller than this area, in square meters, are filled."""
    min_area_m2: float
    """Polygons smaller than this area, in square meters, are merged into a neighbor."""
    simplify_m: float
    """Maximum distance in meters that borders may move when vertices are removed."""
    smooth: bool
    """Whether corners are rounded."""
    orthogonalize: Sequence[str]
    """Names of the classes whose polygons get right angles."""
    classes: Sequence[str] | None
    """Names of the classes to keep; None for all."""
    dissolve: bool
    """Whether all polygons of a class are united into one polygon with many parts."""

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8):
            raise ConfigError(f"connectivity must be 4 or 8, got {self.connectivity}")

    @property
    def is_multi(self) -> bool:
        """Whether traced polygons may have several parts."""
        return self.connectivity == 8

    @property
    def reshapes_borders(self) -> bool:
        """Whether borders are simplified or smoothed."""
        return self.simplify_m > 0 or self.smooth

    @property
    def merges_regions(self) -> bool:
        """Whether polygons may be merged into others, which can make classes vanish."""
        return self.fill_holes_m2 > 0 or self.min_area_m2 > 0

    @property
    def needs_crs(self) -> bool:
        """Whether any option is in meters or square meters."""
        return self.merges_regions or self.reshapes_borders or bool(self.orthogonalize)

    @property
    def needs_full_layer(self) -> bool:
        """Whether a step needs all polygons in memory."""
        return self.dissolve or bool(self.orthogonalize)
