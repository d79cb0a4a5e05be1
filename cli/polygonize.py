"""`geoseg polygonize`: convert a mask to polygons."""

from pathlib import Path
from typing import Any, Literal

import click

from . import console, options
from .progress import current_progress

AREA = click.FloatRange(min=0)


@click.command()
@click.argument("mask", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="POLYGONS",
    help="Vector file to write: .gpkg, .parquet, .fgb, .geojson or .shp; by default, the name of MASK with .gpkg.",
)  # fmt: skip
@click.option(
    "--connectivity", type=click.Choice(["4", "8"]), default="4", show_default=True,
    help="Whether pixels that touch only at a corner are connected (8) or not (4).",
)  # fmt: skip
@click.option(
    "--fill-holes", "fill_holes_m2", type=AREA, metavar="M2", default=0.0,
    help="Fill holes smaller than M2 square meters with the surrounding class.",
)  # fmt: skip
@click.option(
    "--min-area", "min_area_m2", type=AREA, metavar="M2", default=0.0,
    help="Merge polygons smaller than M2 square meters into the neighbor with the longest shared border.",
)  # fmt: skip
@click.option(
    "--simplify", "simplify_m", type=AREA, metavar="M", default=0.0,
    help="Simplify borders by up to M meters; adjacent polygons still share their borders.",
)  # fmt: skip
@click.option(
    "--smooth", is_flag=True, help="Smooth borders after simplification; adjacent polygons still share their borders."
)
@click.option(
    "--orthogonalize", callback=options.names, metavar="A,B",
    help="Square the corners of polygons of these classes; neighboring polygons are adjusted to match.",
)  # fmt: skip
@click.option("--classes", callback=options.names, metavar="A,B", help="Names of the classes to keep; by default, all.")
@click.option(
    "--ignore", metavar="VALUE", multiple=True,
    help="Value of pixels that get no polygons; can be repeated. "
    "By default, a declared nodata; none: every value is a class.",
)  # fmt: skip
@click.option("--dissolve", is_flag=True, help="Write one multipolygon per class.")
@click.option("--per-class", is_flag=True, help="Write a layer (.gpkg) or a file (other formats) per class.")
@click.option(
    "--confidence", type=options.FILE, metavar="RASTER",
    help="Probability or confidence raster for MASK; each polygon gets the mean for its class.",
)  # fmt: skip
@click.option("--crs", metavar="CRS", help="CRS of the output, such as EPSG:25832; by default, the CRS of MASK.")
@options.overwrite
@click.option("--append", is_flag=True, help="Append to the polygons in an existing output.")
@options.verbosity
def polygonize(
    *,
    mask: str,
    output: str | None,
    connectivity: Literal["4", "8"],
    orthogonalize: tuple[str, ...] | None,
    **polygonize_options: Any,
) -> None:
    """Convert MASK to polygons with class, name and area. Prints the path of the output.

    MASK can also be a vector file, whose polygons are then generalized.
    """
    from geoseg._text import count
    from geoseg.vector.polygonize import polygonize as to_polygons

    layer = to_polygons(
        mask,
        _default_output(Path(mask)) if output is None else Path(output),
        connectivity=8 if connectivity == "8" else 4,
        orthogonalize=orthogonalize or (),
        progress=current_progress(),
        **polygonize_options,
    )
    for note in layer.notes:
        console.print_status(f"Note: {note}")
    console.print_status(count(len(layer), "polygon"))
    console.print_result(str(layer.path))


def _default_output(mask: Path) -> Path:
    """Return the path of a GeoPackage next to the mask; a vector file is not replaced by its own polygons."""
    return mask.with_name(f"{mask.stem}_polygons.gpkg") if mask.suffix.lower() == ".gpkg" else mask.with_suffix(".gpkg")
