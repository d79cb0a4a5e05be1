"""``geoseg polygonize``: a mask becomes polygons."""

from pathlib import Path
from typing import Any, Literal

import click

from . import options, talk
from .progress import bars

AREA = click.FloatRange(min=0)


@click.command()
@click.argument("mask", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="POLYGONS",
    help="Where to write: .gpkg, .parquet, .fgb, .geojson or .shp; else MASK's name with .gpkg.",
)  # fmt: skip
@click.option(
    "--connectivity", type=click.Choice(["4", "8"]), default="4", show_default=True,
    help="Whether pixels that touch at a corner only belong together (8) or not (4).",
)  # fmt: skip
@click.option(
    "--fill-holes", "fill_holes_m2", type=AREA, metavar="M2", default=0.0,
    help="Holes of less than so many square metres are filled, whatever is in them.",
)  # fmt: skip
@click.option(
    "--min-area", "min_area_m2", type=AREA, metavar="M2", default=0.0,
    help="Polygons of less than so many square metres go into the neighbour with the longest border.",
)  # fmt: skip
@click.option(
    "--simplify", "simplify_m", type=AREA, metavar="M", default=0.0,
    help="How far borders may move, in metres, to have fewer corners; neighbours stay neighbours.",
)  # fmt: skip
@click.option("--smooth", is_flag=True, help="Round the corners that are left; neighbours stay neighbours.")
@click.option(
    "--orthogonalize", callback=options.names, metavar="A,B",
    help="Classes whose polygons get right angles, by name; neighbours give way or fill up.",
)  # fmt: skip
@click.option("--classes", callback=options.names, metavar="A,B", help="Classes to keep, by name; else all.")
@click.option("--dissolve", is_flag=True, help="One polygon of many parts per class.")
@click.option("--per-class", is_flag=True, help="A layer (.gpkg) or a file (other formats) per class.")
@click.option(
    "--confidence", type=options.FILE, metavar="RASTER",
    help="Probabilities beside the mask; each polygon gets the mean of its class's.",
)  # fmt: skip
@click.option("--crs", metavar="CRS", help="What to write coordinates in, such as EPSG:25832; else the mask's own.")
@options.overwrite
@click.option("--append", is_flag=True, help="Write behind the polygons that the output has already.")
@options.talk
def polygonize(
    *,
    mask: str,
    output: str | None,
    connectivity: Literal["4", "8"],
    orthogonalize: tuple[str, ...] | None,
    **wishes: Any,
) -> None:
    """Turn MASK into polygons with class, name and area. Prints the path of the file it wrote.

    MASK may also be a vector file: its polygons are then generalised as wished.
    """
    from geoseg.vector.polygonize import polygonize as to_polygons

    layer = to_polygons(
        mask,
        None if output is None else Path(output),
        connectivity=8 if connectivity == "8" else 4,
        orthogonalize=orthogonalize or (),
        progress=bars(),
        **wishes,
    )
    for note in layer.notes:
        talk.say(f"Note: {note}")
    talk.say(f"{len(layer)} polygons")
    talk.result(str(layer.path))
