"""Where polygons go: one file, or one layer or file per class."""

from dataclasses import dataclass
from pathlib import Path

from pyproj import CRS

from geoseg.errors import ConfigError
from geoseg.vector.formats import check_output, target_crs, write_stream
from geoseg.vector.per_class import write_per_class
from geoseg.vector.shapefile import LIMITS
from geoseg.vector.stream import Stream


@dataclass(frozen=True)
class Target:
    """A file to be written."""

    path: Path
    """Its name; the suffix says the format."""
    crs: CRS | None = None
    """The CRS wished for; None for the polygons' own."""
    overwrite: bool = False
    """Whether a file of that name may be replaced."""
    append: bool = False
    """Whether polygons come behind those it has."""
    per_class: bool = False
    """Whether every class gets a layer of its own (GeoPackage), or a file (other formats)."""

    def __post_init__(self) -> None:
        if self.per_class and self.append:
            raise ConfigError("layers per class are not appended to", "leave out --per-class or --append")

    def check(self, own: CRS | None) -> None:
        """What could only fail after the work is refused before; ``own`` is the polygons' CRS."""
        check_output(self.path, self.overwrite, append=self.append)
        self.crs_for(own)

    def crs_for(self, own: CRS | None) -> CRS | None:
        """The CRS to write polygons of CRS ``own`` in."""
        return target_crs(self.path, self.crs, own, append=self.append)

    def write(self, stream: Stream) -> int:
        """Write polygons in :meth:`crs_for` theirs; how many there were."""
        if self.per_class:
            return write_per_class(stream, self.path, overwrite=self.overwrite)
        return write_stream(stream, self.path, overwrite=self.overwrite, append=self.append)

    def notes(self) -> tuple[str, ...]:
        """What a user should know of the format."""
        return (LIMITS,) if self.path.suffix.lower() == ".shp" else ()
