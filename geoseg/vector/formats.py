"""The vector files we write: one function per format, chosen by the file's suffix."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from geoseg.errors import OutputError
from geoseg.legend import Legend
from geoseg.raster.output import check_writable, output_errors, part_path, remove
from geoseg.vector.style import style_table

LAYER = "polygons"
"""The layer's name in the files that name their layers."""

GEOJSON_DIGITS = 8
"""Decimals of a degree in GeoJSON: a millimetre, because neighbouring pixels of 5 cm must stay apart."""


def check_output(path: str | Path, overwrite: bool) -> None:
    """:class:`OutputError` if a layer could not be written to ``path``: unknown suffix, file exists, folder missing."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise OutputError(
            f"{Path(path).name} is in no vector format geoseg writes", f"end its name in one of {', '.join(WRITERS)}"
        )
    check_writable(path, overwrite)


def write_frame(frame: gpd.GeoDataFrame, path: Path, *, legend: Legend | None, overwrite: bool = False) -> None:
    """Write polygons with their attributes; the file appears under its name when it is complete.

    ``legend`` becomes the QGIS style in a GeoPackage. :class:`OutputError` as in :func:`check_output`, or if the disk
    is full.
    """
    check_output(path, overwrite)
    part = part_path(path)
    remove(part)
    try:
        with output_errors(path):
            WRITERS[path.suffix.lower()](frame, part, legend)
            # SQLite would play an old journal back onto the new file.
            remove(*(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
            part.replace(path)
    except (DataSourceError, DataLayerError) as error:  # of a layer, its fields, its features
        raise OutputError(f"{path} cannot be written: {error}", "check that the disk is not full") from error
    finally:
        remove(part)


def _write_geopackage(frame: gpd.GeoDataFrame, path: Path, legend: Legend | None) -> None:
    _write(frame, path, driver="GPKG", layer=LAYER)
    if legend is not None:
        table = style_table(legend, layer=LAYER)
        pyogrio.write_dataframe(
            table, path, driver="GPKG", layer="layer_styles", append=True, layer_options={"FID": "id"}
        )


def _write_flatgeobuf(frame: gpd.GeoDataFrame, path: Path, _legend: Legend | None) -> None:
    _write(frame, path, driver="FlatGeobuf", layer=LAYER)


def _write_geojson(frame: gpd.GeoDataFrame, path: Path, _legend: Legend | None) -> None:
    if frame.crs is None:
        raise OutputError(
            "GeoJSON is in longitude and latitude, but the layer has no CRS", "write .gpkg, which may do without"
        )
    on_globe = frame.to_crs(4326)  # the driver would keep the CRS, against RFC 7946
    options = {"RFC7946": "YES", "COORDINATE_PRECISION": str(GEOJSON_DIGITS)}
    _write(on_globe, path, driver="GeoJSON", layer=LAYER, layer_options=options)


def _write_parquet(frame: gpd.GeoDataFrame, path: Path, _legend: Legend | None) -> None:
    frame.to_parquet(path, compression="zstd", write_covering_bbox=True, index=False)


def _write(frame: gpd.GeoDataFrame, path: Path, **options: Any) -> None:
    several = bool((shapely.get_type_id(frame.geometry.to_numpy()) == shapely.GeometryType.MULTIPOLYGON).any())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # layers without CRS are allowed
        pyogrio.write_dataframe(
            frame,
            path,
            geometry_type="MultiPolygon" if several else "Polygon",
            promote_to_multi=several,
            use_arrow=True,
            **options,
        )


WRITERS: dict[str, Callable[[gpd.GeoDataFrame, Path, Legend | None], None]] = {
    ".gpkg": _write_geopackage,
    ".geojson": _write_geojson,
    ".parquet": _write_parquet,
    ".fgb": _write_flatgeobuf,
}
"""How each suffix is written."""
