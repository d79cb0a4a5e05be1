"""What a user wishes of polygons, beyond that they are there."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import ConfigError
from geoseg.vector.tracing.trace_raster import Connectivity


@dataclass(frozen=True)
class Wishes:
    """How polygons are made of a mask or of other polygons; done in the order in which they stand here."""

    connectivity: Connectivity = 4
    """Whether pixels that touch at a corner only belong together (8) or not (4)."""
    fill_holes_m2: float = 0.0
    """Holes of less than so many square metres are filled."""
    min_area_m2: float = 0.0
    """Polygons of less than so many square metres go into a neighbour."""
    simplify_m: float = 0.0
    """How far borders may move, in metres, to have fewer corners."""
    smooth: bool = False
    """Whether corners are rounded."""
    orthogonalize: Sequence[str] = ()
    """Classes whose polygons get right angles, by name."""
    classes: Sequence[str] | None = None
    """Classes to keep, by name; None: all."""
    dissolve: bool = False
    """Whether all polygons of a class become one of many parts."""

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8):
            raise ConfigError(f"pixels are connected by 4 or 8 neighbours, not {self.connectivity}")

    @property
    def in_metres(self) -> bool:
        """Whether metres matter."""
        reshapes = self.simplify_m > 0 or self.smooth or bool(self.orthogonalize)
        return self.fill_holes_m2 > 0 or self.min_area_m2 > 0 or reshapes

    @property
    def in_memory(self) -> bool:
        """Whether all polygons must be known at once."""
        return self.dissolve or bool(self.orthogonalize)


def parse_crs(text: str | None) -> CRS | None:
    """The CRS of a name such as ``EPSG:25832``; :class:`ConfigError` if there is none."""
    if text is None:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise ConfigError(f"{text!r} is no CRS", "write a code such as EPSG:25832, or well-known text") from None
