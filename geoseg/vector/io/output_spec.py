"""Specify the output for polygons: the file or GeoDataFrame, its CRS, and how an existing file is handled."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg._output_files import check_writable
from geoseg._text import join_names
from geoseg.errors import ConfigError, GridMismatch, OutputError
from geoseg.grid.crs import make_transformer
from geoseg.legend import Legend
from geoseg.vector.io.drivers import DRIVERS

if TYPE_CHECKING:  # these modules import GeoPandas, which is not needed to check an output
    from geoseg.vector.io.arrow import PolygonStream
    from geoseg.vector.io.writer import PolygonWriter, WriteSummary

WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True)
class OutputSpec:
    """Where and how polygons are written.

    Raises:
        OutputError: If the suffix of the path is not the suffix of a supported vector format.
        ConfigError: If the options contradict each other.
    """

    path: Path | None
    """The file, whose suffix determines the format; None to keep the polygons in memory."""
    crs: CRS | None = None
    """CRS of the written coordinates; None to use the CRS of the polygons."""
    overwrite: bool = False
    """True if an existing file may be replaced."""
    append: bool = False
    """True to add the rows to an existing file."""
    per_class: bool = False
    """True to write each class to its own layer (GeoPackage) or file (other formats)."""

    def __post_init__(self) -> None:
        if self.path is not None and self.path.suffix.lower() not in DRIVERS:
            message = f"the suffix of {self.path.name} is not that of a vector format that geoseg writes"
            raise OutputError(message, f"use one of {join_names(DRIVERS)}")
        if self.append and self.overwrite:
            raise ConfigError("a layer is either overwritten or appended to", "leave out --overwrite or --append")
        if self.per_class and self.append:
            raise ConfigError("layers per class cannot be appended to", "leave out --per-class or --append")
        if self.path is None and (self.overwrite or self.append or self.per_class):
            raise ConfigError("overwrite, append and per_class need an output file", "specify output")

    def check(self, own_crs: CRS | None) -> None:
        """Check before processing starts that it will be possible to write the polygons.

        Args:
            own_crs: The CRS of the polygons.

        Raises:
            OutputError: If the file exists or cannot be created, or if the output needs a CRS but the polygons have no
                CRS.
            ConfigError: If the format does not allow the CRS.
        """
        if self.path is not None:
            check_writable(self.path, self.overwrite or self.append)
        self.resolve_crs(own_crs)

    def resolve_crs(self, own_crs: CRS | None) -> CRS | None:
        """Determine the CRS of the written coordinates.

        It is, in order of precedence, WGS 84 for GeoJSON, the CRS of the file that rows are appended to, the requested
        CRS, or the CRS of the polygons.

        Args:
            own_crs: The CRS of the polygons.

        Raises:
            OutputError: If the polygons cannot be reprojected, because they have no CRS or only an engineering CRS.
            ConfigError: If GeoJSON is requested in a CRS other than WGS 84.
        """
        crs = self.crs
        if self.path is not None and self.path.suffix.lower() == ".geojson":
            if crs is not None and crs != WGS84:
                raise ConfigError(
                    "GeoJSON coordinates are always longitude and latitude (RFC 7946)",
                    "leave out --crs, or write .gpkg",
                )
            crs = WGS84
        elif self.path is not None and self.append and self.path.exists():
            from geoseg.vector.io.formats import read_layer_crs

            crs = read_layer_crs(self.path)
        if own_crs is None and crs is not None:
            reason = "GeoJSON requires longitude and latitude" if crs == WGS84 else "they cannot be reprojected"
            raise OutputError(f"the polygons have no CRS, and {reason}", "write .gpkg without --crs")
        if own_crs is not None and crs is not None:
            try:
                make_transformer(own_crs, crs)
            except GridMismatch as error:
                raise OutputError(str(error), f"write .gpkg without --crs, or {error.hint}") from error
        return crs or own_crs

    @contextmanager
    def open(self) -> "Iterator[PolygonWriter]":
        """Open the output; files are renamed to their final names when the context exits, or deleted after an error."""
        from geoseg.vector.io.writer import FileWriter, FrameWriter

        if self.path is None:
            yield FrameWriter()
            return
        with ExitStack() as files:
            yield FileWriter(self.path, files, overwrite=self.overwrite, append=self.append, per_class=self.per_class)

    def write(self, stream: "PolygonStream", legend: Legend | None = None) -> "WriteSummary":
        """Write a stream in the CRS returned by :meth:`resolve_crs`, and the class colors."""
        with self.open() as writer:
            summary = writer.write(stream)
            writer.write_style(legend)
            return summary

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about the format."""
        if self.path is None or self.path.suffix.lower() != ".shp":
            return ()
        from geoseg.vector.io.shapefile import SHAPEFILE_LIMITS

        return (SHAPEFILE_LIMITS,)


def parse_crs(text: str | None) -> CRS | None:
    """Parse a CRS name such as ``EPSG:25832``, or well-known text; raise :class:`ConfigError` if it is invalid."""
    if text is None:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(f"invalid CRS {text!r}", "use a code such as EPSG:25832, or well-known text") from error
